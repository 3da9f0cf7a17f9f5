"""Endpoints for operators and their machines: is it alive, what has it done, what is it."""
