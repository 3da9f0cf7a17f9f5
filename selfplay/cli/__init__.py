"""The command line: one verb per module, each a thin layer over the engine."""

from selfplay.cli.app import main

__all__ = ["main"]
