"""The tools: one module each, named as the tool, and what they share."""
