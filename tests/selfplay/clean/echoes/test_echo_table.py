from pathlib import Path
from typing import Literal

import pytest

from selfplay.clean.echoes import EchoFinding, EchoKind, find_echoes, without_echoes
from selfplay.clean.echoes.wordings import Wording, load_wordings
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


TABLE = labelled_turns()
HINT = "Consider the other half."


def choose_turns(*, echo: bool) -> list[LabelledTurn]:
    return [row for row in TABLE if row.echo is echo and not row.known]


def test_every_echo_is_found() -> None:
    assert [row.text for row in choose_turns(echo=True) if not found_in(row)] == []


def test_every_innocent_turn_passes() -> None:
    assert [(row.text, found_in(row)) for row in choose_turns(echo=False) if found_in(row)] == []


def test_what_is_found_is_called_by_its_kind() -> None:
    called = [(row, {finding.kind for finding in found_in(row)}) for row in choose_turns(echo=True)]
    assert [(row.text, kinds) for row, kinds in called if not kinds & set(row.kinds)] == []


def test_each_finding_is_a_part_of_its_text() -> None:
    for row in TABLE:
        for finding in found_in(row):
            start, end = finding.span
            assert row.text[start:end] == finding.text != ""


def test_what_is_left_of_a_turn_has_no_echo() -> None:
    for row in TABLE:
        left = without_echoes(row.text, found_in(row))
        assert find_echoes(left, row.hint, row.visible) == ()
        assert find_echoes(left) == ()


def test_what_is_known_to_be_wrong_still_is() -> None:
    """A row that has come right loses its `known`."""
    assert [row.text for row in TABLE if row.known and bool(found_in(row)) is row.echo] == []


def test_the_table_is_large_and_has_both_sides() -> None:
    assert len(TABLE) > 500
    assert len(choose_turns(echo=True)) > 250
    assert len(choose_turns(echo=False)) > 250
    assert sum(row.set.startswith("held_out") for row in TABLE) > len(TABLE) / 3
    assert {kind for row in TABLE for kind in row.kinds} == set(EchoKind)
    assert len({(row.text, row.hint) for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("wording", load_wordings(), ids=lambda wording: wording.example)
def test_each_wording_finds_its_example(wording: Wording) -> None:
    found = find_echoes(wording.example, HINT if wording.is_hinted else None)
    assert bool(found) is (wording.kind is not None)


@pytest.mark.parametrize("wording", [w for w in load_wordings() if w.is_hinted], ids=lambda wording: wording.example)
def test_what_needs_a_hint_is_no_echo_without_one(wording: Wording) -> None:
    assert find_echoes(wording.example) == ()
