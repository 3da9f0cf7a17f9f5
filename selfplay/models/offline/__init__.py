"""Players, supervisors and judges without a language model: heuristic, scripted, recorded."""

OFFLINE_KINDS = frozenset({"heuristic", "scripted", "recorded"})
"""Their kinds. What follows such a kind's colon is a file or a folder, and no model's name."""
