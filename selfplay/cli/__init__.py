"""The command line: a module for each command or two, each a thin layer over the engine."""

from selfplay.cli.app import main

__all__ = ["main"]
