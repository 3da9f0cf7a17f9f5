"""The labelled turns in `echoes.jsonl`."""

from pathlib import Path
from typing import Literal

from selfplay.clean.echoes import EchoFinding, EchoKind, find_echoes
from selfplay.core.json_rows import read_rows
from selfplay.core.message import Noun


class LabelledTurn(Noun):
    """A turn of a player, and what should be found in it."""

    set: Literal["made", "runs", "held_out", "held_out_2", "held_out_3", "held_out_4"]
    """`made` with the wordings; `runs`: the heuristic pair on real commits; `held_out` before any tuning, the others
    each after what the one before it had taught."""
    text: str
    hint: str | None = None
    visible: tuple[str, ...] = ()
    echo: bool
    kinds: tuple[EchoKind, ...]
    """At least one of these is found."""
    known: str = ""
    """Why the outcome is known to be wrong here."""


def labelled_turns() -> tuple[LabelledTurn, ...]:
    """The table."""
    return tuple(row for _, row in read_rows(Path(__file__).parent / "echoes.jsonl", LabelledTurn))


def found_in(row: LabelledTurn) -> tuple[EchoFinding, ...]:
    """What is found."""
    return find_echoes(row.text, row.hint, row.visible)
