"""Makes the step-by-step search behind a patch, as training data for coding agents."""
