"""The player's hands: a read-only snapshot of one commit, and the tools that look into it.

This package imports nothing from `selfplay`. An agent in production installs it to run a tuned model
with exactly the tools that the model was trained with.
"""
