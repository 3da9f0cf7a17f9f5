"""Journals as the source of samples: which files are journals, and the contract that an episode was played under."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from selfplay.contract import ContextPolicy, Contract
from selfplay.errors import InputError, JournalError
from selfplay.export.write import Candidate
from selfplay.journal import Event, read_events
from selfplay.replay import trace_of
from selfplay_tools.output import MAX_CHARS

_START = b'{"event":"start"'


def journals_in(place: Path) -> tuple[Path, ...]:
    """The journal at a path, or every journal in a folder and below, sorted. Raises InputError if there is none."""
    paths = (place,) if place.is_file() else tuple(p for p in sorted(place.rglob("*.jsonl")) if _is_journal(p))
    if not paths:
        there = "no journal in it" if place.is_dir() else "no such file or folder"
        raise InputError(f"{place}: {there}; `selfplay run` writes one per episode, by default to traces/")
    return paths


def _is_journal(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_START)) == _START


def contract_of(start: Event) -> Contract:
    """What a model trained on this episode has to be used with."""
    reasoning = "left_out" if start["reasoning"] == "none" else "sent_back"
    value = {
        "tools_version": start["selfplay"],
        "prompt": start["production_prompt"],
        "tools": start["tools"],
        "context": ContextPolicy(earlier_reasoning=reasoning, max_result_chars=MAX_CHARS).model_dump(),
    }
    return Contract.model_validate_json(orjson.dumps(value))


def candidate_of(path: Path) -> Candidate:
    """An episode as a candidate for a sample. Raises JournalError."""
    events = list(read_events(path))
    if not events:
        raise JournalError(f"{path}: nothing was played yet")
    return Candidate(trace_of(events, str(path)), contract_of(events[0]), mark=events[0]["mark"])


def candidates_of(paths: Iterable[Path]) -> Iterator[Candidate]:
    """Each episode in turn; only one is held at a time."""
    return map(candidate_of, paths)
