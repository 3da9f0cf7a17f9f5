"""The core of `selfplay audit echoes`: which texts, from any source, answer or lean on a hint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfplay.clean.echoes import echoes
from selfplay.message import Noun
from selfplay.rows import read_rows


class TurnRow(Noun):
    """A line of the input."""

    text: str
    """What the player said or thought in one turn."""
    hint: str | None = None
    """What stood before the turn, if anything did."""


def audit_echoes(file: Path) -> Iterator[dict[str, Any]]:
    """A row for each line of a JSONL file, in order: `echo`, and `findings` with kind, text and span.

    Raises InputError at the first line that is no row, after the rows before it.
    """
    for _, row in read_rows(file, TurnRow):
        found = [{"kind": f.kind, "text": f.text, "span": list(f.span)} for f in echoes(row.text, row.hint)]
        yield {"echo": bool(found), "findings": found}
