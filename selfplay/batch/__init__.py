"""Many episodes: a run's folder, who plays what, limits, budgets, and what became of it."""
