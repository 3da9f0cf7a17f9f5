"""The traces that an audit reads, from files of this project and of others, in one form."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import orjson
from pydantic import ValidationError

from selfplay.clean.across import Conversation, conversation_of
from selfplay.clean.importing import ImportedTrace, UnreadDocument, read_document
from selfplay.clean.importing.reader import read_json_documents
from selfplay.clean.journals import read_candidate
from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.core.errors import InputError, JournalError
from selfplay.core.json_rows import escape_undecodable, explain_errors
from selfplay.core.message import Message
from selfplay.repos.hidden_files import is_journal


@dataclass(frozen=True, slots=True)
class AuditInput:
    """A trace to audit."""

    where: str
    format: str
    conversation: Conversation
    places: tuple[str, ...]
    """Where each message stands in its document."""
    weights: tuple[int | None, ...]
    """For each message: 1 if it is learned, 0 if not, None where that is not known."""
    is_ours: bool
    """Made by this program: a user message after the task is the supervisor's or the engine's."""
    mark: str = ""
    """What hints are marked with inside results, where that is known."""
    refused: frozenset[int] = frozenset()
    """Messages with a call that the tools could not carry out, where that is known."""
    notes: tuple[str, ...] = ()

    def weight_of(self, message: int) -> int | None:
        """Whether a message is learned."""
        return self.weights[message]


def read_file(path: Path) -> Iterator[AuditInput | UnreadDocument]:
    """Every trace in a file, in order, or why there is none in its place. Raises InputError for an unusable file."""
    if is_journal(path):
        yield _read_journal(path)
        return
    beside = _read_weights_beside(path)
    for number, (where, value) in enumerate(read_json_documents(path)):
        if isinstance(value, UnreadDocument):
            yield value
            continue
        for trace in _read_document(value, where):
            if isinstance(trace, AuditInput) and trace.is_ours and number < len(beside):
                yield _add_weights(trace, beside[number])
            else:
                yield trace


def _read_journal(path: Path) -> AuditInput | UnreadDocument:
    try:
        candidate = read_candidate(path)
    except JournalError as error:
        return UnreadDocument(where=escape_undecodable(path), reason=escape_undecodable(str(error)))
    trace = candidate.trace
    brief = trace.task.brief
    messages = trace.conversation
    subject = Conversation(
        id=trace.episode,
        messages=messages,
        tools=candidate.contract.tools,
        repo=brief.repo,
        commit=brief.commit,
        snapshot=candidate.snapshot,
    )
    unknown = (None,) * len(messages)
    return AuditInput(
        escape_undecodable(path),
        "journal",
        subject,
        _message_places(messages),
        unknown,
        is_ours=True,
        mark=candidate.mark,
    )


def _read_document(value: object, where: str) -> Iterator[AuditInput | UnreadDocument]:
    row: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    try:
        if {"episode", "contract", "turns"} <= row.keys():
            yield _from_clean_trace(CleanTrace.model_validate_json(orjson.dumps(row)), where)
            return
        if {"episode", "contract", "prefix"} <= row.keys():
            yield from _from_pair(PreferencePair.model_validate_json(orjson.dumps(row)), where)
            return
    except ValidationError as error:
        yield UnreadDocument(where=where, reason=explain_errors(error, {}))
        return
    except orjson.JSONEncodeError as error:
        yield UnreadDocument(where=where, reason=f"can't be read as a trace: {error}")
        return
    for found in read_document(cast("object", value), where):
        yield _from_import(found) if isinstance(found, ImportedTrace) else found


def _from_clean_trace(trace: CleanTrace, where: str) -> AuditInput:
    messages = trace.conversation
    actions = [n for n, m in enumerate(messages) if m.role == "assistant"]
    weights: list[int | None] = [None] * len(messages)
    for number, weight in zip(actions, trace.weights, strict=True):
        weights[number] = weight
    refused = (n for n, turn in zip(actions, trace.turns, strict=True) if not all(r.ok for r in turn.results))
    return AuditInput(
        where,
        "clean",
        conversation_of(trace),
        _message_places(messages),
        tuple(weights),
        is_ours=True,
        refused=frozenset(refused),
    )


def _from_pair(pair: PreferencePair, where: str) -> Iterator[AuditInput]:
    """Both sides; only the chosen one is learned."""
    for side, action, weight in (("chosen", pair.chosen, 1), ("rejected", pair.rejected, 0)):
        messages = (*pair.prefix, action)
        weights = [0 if m.role == "assistant" else None for m in pair.prefix]
        subject = Conversation(
            id=f"{pair.episode}#{pair.step}.{side}", messages=messages, tools=pair.contract.tools, is_compared=False
        )
        yield AuditInput(
            f"{where}#{side}", "preference", subject, _message_places(messages), (*weights, weight), is_ours=True
        )


def _from_import(trace: ImportedTrace) -> AuditInput:
    return AuditInput(
        trace.where,
        trace.format,
        Conversation(id=trace.id, messages=trace.messages, tools=trace.tools, is_compared=trace.format != "preference"),
        trace.places,
        trace.weights,
        is_ours=trace.format in {"chat", "preference"} and _has_our_finish(trace),
        notes=trace.notes,
    )


def _has_our_finish(trace: ImportedTrace) -> bool:
    """Whether the row's tools have our `finish`, which takes the relevant files with a reason each."""
    for tool in trace.tools:
        match tool:
            case {"function": {"name": "finish", "parameters": {"properties": {"files": {"items": _}}}}}:
                return True
            case _:
                pass
    return False


def _read_weights_beside(path: Path) -> list[list[int]]:
    """The weights in the notes that an export puts beside its rows; empty where there are none."""
    for notes in (path.with_suffix(".rows.jsonl"), path.with_name("rows.jsonl")):
        if notes != path and notes.is_file():
            try:
                rows = [orjson.loads(line) for line in notes.read_bytes().splitlines() if line.strip()]
                return [list(row["weights"]) for row in rows]
            except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
                continue
    return []


def _add_weights(trace: AuditInput, weights: list[int]) -> AuditInput:
    """The trace with weights for its turns, if it says nothing itself and they fit."""
    actions = [n for n, m in enumerate(trace.conversation.messages) if m.role == "assistant"]
    if any(w is not None for w in trace.weights) or len(weights) != len(actions):
        return trace
    known = dict(zip(actions, weights, strict=True))
    every = tuple(known.get(n) for n in range(len(trace.places)))
    return AuditInput(
        trace.where, trace.format, trace.conversation, trace.places, every, is_ours=True, notes=trace.notes
    )


def _message_places(messages: tuple[Message, ...]) -> tuple[str, ...]:
    return tuple(f"messages[{n}]" for n in range(len(messages)))


def read_files(paths: tuple[Path, ...]) -> Iterator[AuditInput | UnreadDocument]:
    """The traces of all files, in order. Raises InputError before the first where a file can't be read."""
    for path in paths:
        _require_file(path)
    return chain.from_iterable(map(read_file, paths))


def _require_file(path: Path) -> None:
    if path.is_dir():
        inside = "episodes/*/*.jsonl" if (path / "episodes").is_dir() else "*.jsonl"
        raise InputError(f"{path}: a folder; name the files in it, as in {path}/{inside}")
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
