"""Whether a run of words is used as a name."""
