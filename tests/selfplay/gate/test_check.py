import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfplay.core.errors import ConfigError
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.trace import HintFinding
from selfplay.gate import CHECKS, Check, Guard, ShownText, TextView, check_hint, check_with_earlier_hints, prepare_guard
from tests.selfplay.gate.hint_table import open_cases

PAGE = (Path(__file__).parents[3] / "docs" / "gate.md").read_text("utf-8")
TASK = Task(
    brief=Brief(id="t", repo="r", commit="worktree", prompt="Frames get lost since ACME-7"),
    answer=Answer(targets=(Target(path="core/ring.py"),)),
)
ASK_THE_GATE = """
from selfplay.gate import ShownText, check_hint, prepare_guard
from tests.selfplay.gate.test_check import TASK
shown = ShownText()
shown.add("fixes ACME-9")
found = check_hint("Read ACME-7, ACME-8, ACME-9, core/ring.py.", prepare_guard(TASK, None), shown)
print([(f.kind, f.text) for f in found])
"""


def read_block(start: str) -> str:
    """The page's block of code that begins so."""
    [block] = re.findall(rf"```\w+\n({re.escape(start)}.*?)```", PAGE, re.DOTALL)
    return block


def ask_with_package(site: Path, entries: str) -> tuple[str, str]:
    """What a process prints that has the page's check installed; entry points are read once in a process."""
    info = site / "ticket_check-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "ticket_check.py").write_text(read_block('"""Hints that name'))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ticket_check\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), *filter(None, sys.path)))}
    done = subprocess.run((sys.executable, "-c", ASK_THE_GATE), env=env, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def test_the_check_of_an_installed_package_is_asked_too(tmp_path: Path) -> None:
    entries = read_block("[project.entry-points.").replace('project.entry-points."selfplay', "selfplay")
    out, error = ask_with_package(tmp_path, entries.replace('"', ""))
    assert (out.strip(), error) == ("[('literal', 'ACME-8'), ('path', 'core/ring.py')]", "")


def test_an_entry_point_that_is_no_check_is_refused_before_any_hint(tmp_path: Path) -> None:
    out, error = ask_with_package(tmp_path, "[selfplay.gate_checks]\ntickets = ticket_check:find_tickets\n")
    assert out == ""
    assert "ConfigError: entry point 'tickets' of 'selfplay.gate_checks' is <function" in error


def find_drums(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    del guard, shown
    for match in re.finditer(r"d\W*r\W*u\W*m", view.text):
        yield view.make_finding(*match.span(), "stem", "says drum")


def find_nothing_but_trouble(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    del guard, shown
    yield view.make_finding(0, len(view.text) // 0, "stem", "")


def test_checks_that_are_handed_in_are_asked_after_those_that_ship() -> None:
    guard = prepare_guard(TASK, None, extra=[Check("drums", find_drums)])
    assert [check.name for check in guard.extra_checks] == ["drums"]
    assert check_hint("Who owns the drum?", prepare_guard(TASK, None), ShownText()) == ()
    (found,) = check_hint("Who owns the drum?", guard, ShownText())
    assert (found.kind, found.text, found.span, found.why) == ("stem", "drum", (13, 17), "says drum")


@pytest.mark.parametrize("reads_earlier_hints", [True, False])
def test_a_check_reads_earlier_hints_only_if_it_says_so(*, reads_earlier_hints: bool) -> None:
    guard = prepare_guard(TASK, None, extra=[Check("drums", find_drums, reads_earlier_hints)])
    assert bool(check_with_earlier_hints("um?", ["What is a dr"], guard, ShownText())) is reads_earlier_hints


def test_a_check_that_fails_is_refused_before_any_hint() -> None:
    with pytest.raises(ConfigError, match=r"check 'bad' of the gate failed .* ZeroDivisionError"):
        prepare_guard(TASK, None, extra=[Check("bad", find_nothing_but_trouble)])


def test_each_check_has_a_name_of_its_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS) > 10


PIECES = {
    "first letters": ("Start anew.", "Try another word.", "Ask who calls it.", "Mind the tests.", "Proceed with care."),
    "letters": ("Think of an s.", "T.", "A.", "M.", "P."),
}
ORDINARY = ("What names a server?", "Who writes to the client?", "Is it made once, or each time?", "Go on like this.")


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_a_name_given_in_pieces_is_refused_with_the_last_of_them(pieces: tuple[str, ...], tmp_path: Path) -> None:
    with open_cases(tmp_path) as cases:
        guard = cases["harbor-fingerprint"].guard
        assert [check_hint(piece, guard, ShownText()) for piece in pieces] == [()] * len(pieces)
        found = [check_with_earlier_hints(piece, pieces[:i], guard, ShownText()) for i, piece in enumerate(pieces)]
    assert found[:3] == [()] * 3
    (last,) = found[-1]
    assert (last.kind, last.text, last.span) == ("disguised", pieces[-1], (0, len(pieces[-1])))
    assert "earlier hints" in last.why


def test_ordinary_hints_reveal_nothing_together(tmp_path: Path) -> None:
    with open_cases(tmp_path) as cases:
        guard = cases["harbor-fingerprint"].guard
        for i, hint in enumerate(ORDINARY):
            assert check_with_earlier_hints(hint, ORDINARY[:i] * 5, guard, ShownText()) == ()
