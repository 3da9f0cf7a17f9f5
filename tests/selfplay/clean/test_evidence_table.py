"""The labelled rows: which leaps are found, and which grounded parts are taken for leaps."""

import pytest

from tests.selfplay.clean.grounded_table import rows, scored

TAKEN_FOR_LEAPS = {
    ("ferry", "feed/feed.go"): "a Go package that was seen only as `feed.Open`",
    ("moat", "src/expire.c"): "a file for a part of a seen name, `getExpire`",
    ("selfplay", "shows"): "an irregular form: only `shown` was read",
    ("parcel", "spec/services/refunds/issue_credit_spec.rb"): "a tree of tests that mirrors `app/`, not seen itself",
}
LEAPS_MISSED = {("parcel", "up"): "a piece of two letters in `round_(up|even)`, taken to say nothing"}


def test_the_table_is_large_and_has_both_kinds() -> None:
    labels = [label for row in rows() for label in row.labels.values()]
    assert len(labels) >= 300
    assert labels.count("leap") >= 90


def differing(label: str) -> set[tuple[str, str]]:
    by_number = {row.number: row for row in rows()}
    wrong = [(by_number[number], part) for number, part in scored(rows()).wrong]
    return {(row.repo, part) for row, part in wrong if row.labels.get(part) == label}


def test_every_part_is_cut_out_as_labelled() -> None:
    assert [row.number for row in rows() if set(row.told) != set(row.labels)] == []


def test_leaps_are_found_but_for_those_named() -> None:
    assert differing("leap") == set(LEAPS_MISSED)


def test_grounded_parts_are_no_leaps_but_for_those_named() -> None:
    assert differing("grounded") == set(TAKEN_FOR_LEAPS)


@pytest.mark.parametrize(
    ("name", "recall", "precision"), [("dev", 1.0, 0.97), ("held", 1.0, 0.97), ("hard", 0.96, 0.96)]
)
def test_recall_and_precision_of_leaps(name: str, recall: float, precision: float) -> None:
    score = scored(row for row in rows() if row.set == name)
    assert score.recall >= recall
    assert score.precision >= precision
