"""Players, supervisors and judges without a language model: heuristic, scripted, recorded."""
