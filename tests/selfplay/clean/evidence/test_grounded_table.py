"""The labelled rows: which leaps are found, and which grounded parts are taken for leaps."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from selfplay.clean.evidence import Evidence, evidence_of
from selfplay.core.message import Message, Origin, ToolCall

FILE = Path(__file__).with_name("grounded.jsonl")


@dataclass(frozen=True, slots=True)
class LabelledCall:
    """One labelled call."""

    number: int
    set: str
    """`dev`, `held` (written and measured once before anything was changed for it), `real` (from episodes)."""
    repo: str
    task: str
    seen: list[dict[str, Any]]
    hint: str | None
    call: dict[str, Any]
    labels: dict[str, str]
    """By the part's text: `grounded` or `leap`."""

    @property
    def messages(self) -> list[Message]:
        """The conversation up to and with the call; the hint right before it."""
        conversation = [
            Message(role="system", content="You search a code base.", origin=Origin.PROMPT),
            Message(role="user", content=self.task, origin=Origin.TASK),
        ]
        for i, one in enumerate(self.seen):
            conversation.append(_turn(f"c{i}", one["tool"], one["arguments"]))
            conversation.append(
                Message(
                    role="tool", content=one["text"], origin=Origin.TOOL, tool_call_id=f"c{i}", name=str(one["tool"])
                )
            )
        if self.hint is not None:
            conversation.append(Message(role="user", content=self.hint, origin=Origin.HINT))
        return [*conversation, _turn("last", self.call["name"], self.call["arguments"])]

    @property
    def evidence(self) -> Evidence:
        """Of the whole conversation."""
        return evidence_of(self.messages)

    @property
    def found_labels(self) -> dict[str, str]:
        """What is found: by part, `grounded` or `leap`."""
        messages = self.messages
        links = evidence_of(messages).links_of(len(messages) - 1)
        return {link.text: "leap" if link.source.is_leap else "grounded" for link in links}


def _turn(call_id: str, name: str, arguments: dict[str, Any]) -> Message:
    call = ToolCall(id=call_id, name=name, arguments=orjson.dumps(arguments).decode())
    return Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(call,))


@cache
def labelled_calls() -> tuple[LabelledCall, ...]:
    """All rows in order."""
    lines = FILE.read_bytes().splitlines()
    return tuple(_to_call(number, orjson.loads(line)) for number, line in enumerate(lines, 1))


def _to_call(number: int, value: dict[str, Any]) -> LabelledCall:
    keys = ("set", "repo", "task", "seen", "hint", "call", "labels")
    return LabelledCall(number, *(value[key] for key in keys))


@dataclass(slots=True)
class Score:
    """How labels and findings agree."""

    leaps: int = 0
    """Parts labelled as leaps."""
    found: int = 0
    """Of these, found."""
    grounded: int = 0
    """Parts labelled as grounded."""
    false: int = 0
    """Of these, taken for leaps."""
    wrong: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Row and part of each that is not as labelled; a part that was not cut out as labelled is one of them."""

    @property
    def recall(self) -> float:
        """Share of the leaps that is found."""
        return self.found / self.leaps

    @property
    def precision(self) -> float:
        """Share of what is called a leap that is one."""
        return self.found / (self.found + self.false)


def score_rows(some: Iterable[LabelledCall]) -> Score:
    """Of these rows together."""
    score = Score()
    for row in some:
        found = row.found_labels
        for part, label in row.labels.items():
            is_leap = label == "leap"
            score.leaps += is_leap
            score.grounded += not is_leap
            score.found += is_leap and found.get(part) == "leap"
            score.false += not is_leap and found.get(part) == "leap"
            if found.get(part) != label:
                score.wrong.append((row.number, part))
        score.wrong += [(row.number, part) for part in found if part not in row.labels]
    return score


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
