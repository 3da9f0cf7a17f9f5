"""Source code: languages, syntax trees, definitions."""
