"""Echoes: what a player says that answers, thanks for, restates or leans on a hint.

What counts is written in `data/wordings.tsv`; figures and what is missed are in docs/echoes.md.
"""

from selfplay.clean.echoes.removal import without_echoes
from selfplay.clean.echoes.search import find_echoes
from selfplay.clean.echoes.wordings import EchoFinding, EchoKind

__all__ = ["EchoFinding", "EchoKind", "find_echoes", "without_echoes"]
