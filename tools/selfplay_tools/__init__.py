"""The player's hands: a read-only snapshot of one commit, and the tools that look into it.

This package imports nothing from `selfplay`. An agent in production installs it to run a tuned model
with exactly the tools that the model was trained with.
"""

from functools import cache


@cache
def release_version() -> str:
    """The version of the installed distribution `selfplay-traces`, which brings this package and `selfplay`."""
    from importlib.metadata import version  # noqa: PLC0415  a third of the time that `selfplay --version` takes

    return version("selfplay-traces")
