"""Journals as the source of samples: which files are journals, and the contract that an episode was played under."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import orjson

from selfplay.clean.candidate import Candidate, Unreadable
from selfplay.config import KeyName, key_names_in
from selfplay.contract import ContextPolicy, Contract
from selfplay.errors import InputError, JournalError
from selfplay.events import Event, read_events
from selfplay.hiding import is_journal
from selfplay.replay import trace_of
from selfplay_tools.output import MAX_CHARS


def journals_in(place: Path) -> tuple[Path, ...]:
    """The journal at a path, or every journal in a folder and below, sorted. Raises InputError if there is none."""
    paths = (place,) if place.is_file() else tuple(p for p in sorted(place.rglob("*.jsonl")) if is_journal(p))
    if not paths:
        there = "no journal in it" if place.is_dir() else "no such file or folder"
        raise InputError(f"{place}: {there}; `selfplay run` writes one per episode, by default to traces/")
    return paths


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


def key_names_of(journals: Iterable[Path]) -> tuple[KeyName, ...]:
    """Every environment variable that these episodes took a key from, as far as their journals' starts tell."""
    names: dict[KeyName, None] = {}
    for path in journals:
        with suppress(OSError, orjson.JSONDecodeError, AttributeError), path.open("rb") as file:
            names.update(dict.fromkeys(key_names_in(orjson.loads(file.readline()).get("config"))))
    return tuple(names)


def candidate_of(path: Path) -> Candidate:
    """An episode as a candidate for a sample. Raises JournalError."""
    events = list(read_events(path))
    trace = trace_of(events, str(path))
    start = events[0]
    return Candidate(trace, contract_of(start), mark=start["mark"], snapshot=start["snapshot"])


def candidate_or_not(path: Path) -> Candidate | Unreadable:
    """An episode, or why there is none."""
    try:
        return candidate_of(path)
    except JournalError as error:
        return Unreadable(path.stem, str(error))
