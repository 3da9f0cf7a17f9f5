"""Journals as the source of training rows: which files are journals, and what is read from one."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict

from selfplay.config import EpisodeLimits, KeyName, key_names_in
from selfplay.core.contract import ContextPolicy, Contract, ToolSchema
from selfplay.core.errors import InputError, JournalError
from selfplay.core.json_rows import escape_undecodable
from selfplay.core.trace import Trace
from selfplay.core.wire import ReasoningKey
from selfplay.journal.events import Event, read_events
from selfplay.journal.replay import raise_as_journal_error, trace_of
from selfplay.repos.hidden_files import is_journal
from selfplay_tools.output import MAX_CHARS


@dataclass(frozen=True, slots=True)
class CleaningCandidate:
    """A trace that may become a row."""

    trace: Trace
    contract: Contract
    mark: str = ""
    """What hints were marked with inside tool results, if they were."""
    snapshot: str = ""
    """Identity of the files that were searched, if it is known: `git:<40 hex>` or `tree:<40 hex>`."""


@dataclass(frozen=True, slots=True)
class UnreadableJournal:
    """A file that should hold a trace and can't be read as one."""

    name: str
    detail: str


def journals_in(place: Path) -> tuple[Path, ...]:
    """The journal at a path, or every journal in a folder and below, sorted. Raises InputError if there is none."""
    paths = (place,) if place.is_file() else tuple(p for p in sorted(place.rglob("*.jsonl")) if is_journal(p))
    if not paths:
        there = "no journal in it" if place.is_dir() else "no such file or folder"
        raise InputError(f"{place}: {there}; `selfplay run` writes one per episode, by default to traces/")
    return paths


class _JournalPart(BaseModel):
    """What rows take from a part of a journal's start; all else in it is passed over."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _PlayedTools(_JournalPart):
    max_result_chars: int = MAX_CHARS
    max_lines: int | None = None
    max_rows: int | None = None


class _PlayedLimits(_JournalPart):
    steps: int = EpisodeLimits().steps
    calls_per_turn: int | None = None
    conversation_chars: int | None = None
    announce: bool = False


class _PlayedConfig(_JournalPart):
    """Settings that shape what the player gets to see, where they differ from the defaults."""

    tools: _PlayedTools = _PlayedTools()
    limits: _PlayedLimits = _PlayedLimits()

    def context_policy(self, earlier_reasoning: Literal["sent_back", "left_out"]) -> ContextPolicy:
        """What the contract says of them. The number of turns is part of it only where the prompt announced it."""
        tools, limits = self.tools, self.limits
        calls = limits.calls_per_turn or (EpisodeLimits().calls_per_turn if limits.announce else None)
        return ContextPolicy(
            earlier_reasoning=earlier_reasoning,
            max_result_chars=tools.max_result_chars,
            max_lines=tools.max_lines,
            max_rows=tools.max_rows,
            max_turns=limits.steps if limits.announce else None,
            max_calls_per_turn=calls,
            conversation_chars=limits.conversation_chars,
        )


class _JournalStart(_JournalPart):
    """What rows take from a journal's start, beside the episode and its task."""

    selfplay: str
    production_prompt: str
    tools: list[ToolSchema]
    reasoning: ReasoningKey
    mark: str
    snapshot: str
    config: _PlayedConfig = _PlayedConfig()


def _read_start(start: Event, where: str) -> tuple[_JournalStart, Contract]:
    with raise_as_journal_error(where, 1):
        played = _JournalStart.model_validate(start)
        reasoning = "left_out" if played.reasoning == "none" else "sent_back"
        contract = Contract(
            tools_version=played.selfplay,
            prompt=played.production_prompt,
            tools=tuple(played.tools),
            context=played.config.context_policy(reasoning),
        )
        return played, contract


def contract_of(start: Event, where: str = "journal") -> Contract:
    """What a model trained on this episode has to be used with. Raises JournalError."""
    return _read_start(start, where)[1]


def key_names_of(journals: Iterable[Path]) -> tuple[KeyName, ...]:
    """Every environment variable that these episodes took a key from, as far as their journals' starts say."""
    names: dict[KeyName, None] = {}
    for path in journals:
        with suppress(OSError, orjson.JSONDecodeError, AttributeError), path.open("rb") as file:
            names.update(dict.fromkeys(key_names_in(orjson.loads(file.readline()).get("config"))))
    return tuple(names)


def read_candidate(path: Path) -> CleaningCandidate:
    """An episode as a candidate for a sample. Raises JournalError."""
    events = list(read_events(path))
    trace = trace_of(events, str(path))
    start, contract = _read_start(events[0], str(path))
    return CleaningCandidate(trace, contract, mark=start.mark, snapshot=start.snapshot)


def read_candidate_or_reason(path: Path) -> CleaningCandidate | UnreadableJournal:
    """An episode, or why there is none."""
    try:
        return read_candidate(path)
    except JournalError as error:
        return UnreadableJournal(escape_undecodable(path.stem), escape_undecodable(str(error)))
