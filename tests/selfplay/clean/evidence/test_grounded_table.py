"""The labelled rows: which leaps are found, and which grounded parts are taken for leaps."""

import pytest

from tests.selfplay.clean.evidence.grounded_table import labelled_calls, score_rows

TAKEN_FOR_LEAPS = {
    ("ferry", "feed/feed.go"): "a Go package that was seen only as `feed.Open`",
    ("moat", "src/expire.c"): "a file for a part of a seen name, `getExpire`",
    ("selfplay", "shows"): "an irregular form: only `shown` was read",
    ("parcel", "spec/services/refunds/issue_credit_spec.rb"): "a tree of tests that mirrors `app/`, not seen itself",
}
LEAPS_MISSED = {("parcel", "up"): "a piece of two letters in `round_(up|even)`, taken to say nothing"}


def test_the_table_is_large_and_has_both_kinds() -> None:
    labels = [label for row in labelled_calls() for label in row.labels.values()]
    assert len(labels) >= 300
    assert labels.count("leap") >= 90


def find_differences(label: str) -> set[tuple[str, str]]:
    by_number = {row.number: row for row in labelled_calls()}
    wrong = [(by_number[number], part) for number, part in score_rows(labelled_calls()).wrong]
    return {(row.repo, part) for row, part in wrong if row.labels.get(part) == label}


def test_every_part_is_cut_out_as_labelled() -> None:
    assert [row.number for row in labelled_calls() if set(row.found_labels) != set(row.labels)] == []


def test_leaps_are_found_but_for_those_named() -> None:
    assert find_differences("leap") == set(LEAPS_MISSED)


def test_grounded_parts_are_no_leaps_but_for_those_named() -> None:
    assert find_differences("grounded") == set(TAKEN_FOR_LEAPS)


@pytest.mark.parametrize(
    ("name", "recall", "precision"), [("dev", 1.0, 0.97), ("held", 1.0, 0.97), ("hard", 0.96, 0.96)]
)
def test_recall_and_precision_of_leaps(name: str, recall: float, precision: float) -> None:
    score = score_rows(row for row in labelled_calls() if row.set == name)
    assert score.recall >= recall
    assert score.precision >= precision
