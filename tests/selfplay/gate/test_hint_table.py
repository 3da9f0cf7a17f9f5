from collections.abc import Sequence

import pytest

from selfplay.core.trace import HintFinding
from tests.selfplay.gate.hint_table import LabelledHint, find_in_hint, load_tasks, open_cases, read_hints

TABLE = read_hints()
Results = Sequence[tuple[LabelledHint, tuple[HintFinding, ...]]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Each row with what the gate finds."""
    with open_cases(tmp_path_factory.mktemp("repositories")) as cases:
        return [(row, find_in_hint(row, cases[row.task])) for row in TABLE]


def select_hints(*, reveals: bool) -> list[LabelledHint]:
    return [row for row in TABLE if row.reveals is reveals and not row.known]


def test_every_revealing_hint_is_refused(results: Results) -> None:
    assert [row.hint for row, found in results if row.reveals and not row.known and not found] == []


def test_every_innocent_hint_passes(results: Results) -> None:
    assert [(row.hint, found) for row, found in results if not row.reveals and not row.known and found] == []


def test_what_is_found_is_called_by_its_name(results: Results) -> None:
    called = [(row, {finding.kind for finding in found}) for row, found in results if row.reveals and not row.known]
    assert [(row.hint, kinds) for row, kinds in called if not kinds & set(row.kinds)] == []


def test_each_finding_is_a_part_of_its_hint(results: Results) -> None:
    for row, found in results:
        for finding in found:
            start, end = finding.span
            assert 0 <= start < end <= len(row.hint)
            assert row.hint[start:end] == finding.text
            assert finding.why


def test_what_is_known_to_be_wrong_still_is(results: Results) -> None:
    """A row that has come right loses its `known`."""
    assert [row.hint for row, found in results if row.known and bool(found) is row.reveals] == []


def test_the_table_is_large_and_has_both_sides() -> None:
    assert len(TABLE) > 1_100
    assert len(select_hints(reveals=False)) > 300
    assert {kind for row in TABLE for kind in row.kinds} == {
        "path", "file_name", "stem", "module", "directory", "identifier", "literal", "line_number", "position",
        "disguised", "translated", "quote",
    }  # fmt: skip
    assert {row.task for row in TABLE} == set(load_tasks())
    assert len({task.brief.repo for task in load_tasks().values()}) > 8


def test_no_hint_stands_in_the_table_twice() -> None:
    hints = [(row.task, row.shown, row.hint) for row in TABLE]
    assert len(hints) == len(set(hints))
