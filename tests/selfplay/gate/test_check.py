from pathlib import Path

import pytest

from selfplay.gate import ShownText, check_hint, check_with_earlier_hints
from tests.selfplay.gate.hint_table import open_cases

PIECES = {
    "first letters": ("Start anew.", "Try another word.", "Ask who calls it.", "Mind the tests.", "Proceed with care."),
    "letters": ("Think of an s.", "T.", "A.", "M.", "P."),
}
ORDINARY = ("What names a server?", "Who writes to the client?", "Is it made once, or each time?", "Go on like this.")


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_a_name_told_in_pieces_is_refused_with_the_last_of_them(pieces: tuple[str, ...], tmp_path: Path) -> None:
    with open_cases(tmp_path) as cases:
        guard = cases["harbor-fingerprint"].guard
        assert [check_hint(piece, guard, ShownText()) for piece in pieces] == [()] * len(pieces)
        told = [check_with_earlier_hints(piece, pieces[:i], guard, ShownText()) for i, piece in enumerate(pieces)]
    assert told[:3] == [()] * 3
    (found,) = told[-1]
    assert (found.kind, found.text, found.span) == ("disguised", pieces[-1], (0, len(pieces[-1])))
    assert "earlier hints" in found.why


def test_ordinary_hints_reveal_nothing_together(tmp_path: Path) -> None:
    with open_cases(tmp_path) as cases:
        guard = cases["harbor-fingerprint"].guard
        for i, hint in enumerate(ORDINARY):
            assert check_with_earlier_hints(hint, ORDINARY[:i] * 5, guard, ShownText()) == ()
