"""Read a conversation as a trainer would, and say what is wrong with it.

Knows no format: it takes whatever is made of the models in `selfplay.export.row_models`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

import jsonschema_rs
import orjson

from selfplay.core.message import ToolCall
from selfplay.core.trace import Trace
from selfplay.export.row_models import (
    AssistantTurn,
    ConversationRow,
    RowProblem,
    RowProblemKind,
    RowTurn,
    ToolTurn,
    UserTurn,
    walk_strings,
)

MIN_TEXT_CHARS = 20
"""Characters from which on a hint or nudge is looked for by its text; shorter ones are words that anyone uses."""
MIN_SENTENCE_WORDS = 5
"""Words from which on one sentence of several is looked for; signs of scripts without blanks are words."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_END_SIGNS = " .!?:;,\u2026\u3002\uff01\uff1f\"')]*`"


@dataclass(frozen=True, slots=True)
class Supervision:
    """What must not be in a row."""

    texts: Sequence[str] = ()
    """Every hint and nudge of the trace."""
    mark: str = ""
    """What hints were marked with inside tool results, if they were."""


def supervision_of(trace: Trace, mark: str = "") -> Supervision:
    """Every hint and nudge that the player of a trace was sent."""
    return Supervision(texts=tuple(m.content for step in trace.steps for m in step.messages_after), mark=mark)


def check_conversation(
    row: ConversationRow, weights: Sequence[int] | None, supervision: Supervision
) -> Iterator[RowProblem]:
    """Everything that is wrong with a conversation whose shape is right.

    `weights` are those of the model's turns. Where they are not known, the names and arguments of calls are not held
    against the tools' schemas.
    """
    yield from _check_order(row.messages)
    yield from _check_pairing(row.messages)
    yield from _check_weights(row.messages, weights)
    yield from _check_arguments(row, weights)
    yield from _find_supervision(row.messages, supervision)


# Order, results, weights


def _check_order(messages: Sequence[RowTurn]) -> Iterator[RowProblem]:
    for i, role in enumerate(("system", "user")):
        if len(messages) <= i or messages[i].role != role:
            yield RowProblem(kind=RowProblemKind.ORDER, where=f"messages[{i}]", text=f"must be the {role} turn")
    for i, message in enumerate(messages):
        if i > 0 and message.role == "system":
            yield RowProblem(
                kind=RowProblemKind.ORDER, where=f"messages[{i}]", text="a system turn that is not the first"
            )
    for i, (one, other) in enumerate(pairwise(messages), 1):
        if one.role == other.role == "assistant":
            yield RowProblem(kind=RowProblemKind.ORDER, where=f"messages[{i}]", text="two assistant turns in a row")
    if not messages or messages[-1].role != "assistant":
        yield RowProblem(kind=RowProblemKind.ENDING, where="messages", text="must end on an assistant turn")


def _check_pairing(messages: Sequence[RowTurn]) -> Iterator[RowProblem]:
    used: set[str] = set()
    waiting: list[str] = []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        if isinstance(message, ToolTurn):
            if not waiting or message.tool_call_id != waiting.pop(0):
                text = f"the result of {message.tool_call_id!r}, which is not the next call without one"
                yield RowProblem(kind=RowProblemKind.PAIRING, where=where, text=text)
            continue
        if waiting:
            yield RowProblem(kind=RowProblemKind.PAIRING, where=where, text=f"comes before the results of {waiting}")
        waiting = [call.id for call in message.tool_calls] if isinstance(message, AssistantTurn) else []
        for k, name in enumerate(waiting):
            if name in used:
                text = f"the id {name!r} is an earlier call's"
                yield RowProblem(kind=RowProblemKind.PAIRING, where=f"{where}.tool_calls[{k}]", text=text)
            used.add(name)


def _check_weights(messages: Sequence[RowTurn], weights: Sequence[int] | None) -> Iterator[RowProblem]:
    if weights is None:
        return
    turns = sum(message.role == "assistant" for message in messages)
    if len(weights) != turns or not set(weights) <= {0, 1}:
        text = f"weights {list(weights)} for {turns} assistant turns"
        yield RowProblem(kind=RowProblemKind.WEIGHT, where="", text=text)
    elif not any(weights):
        yield RowProblem(kind=RowProblemKind.WEIGHT, where="", text="no turn with weight 1: nothing to learn")


# Calls


def _check_arguments(row: ConversationRow, weights: Sequence[int] | None) -> Iterator[RowProblem]:
    """Calls whose arguments are no object, and, in turns with weight 1, calls that the tools would not take.

    `weights` are those of the assistant turns; None where they are not known, and then no turn counts as learned.
    """
    schemas = {tool.function.name: orjson.dumps(tool.function.parameters) for tool in row.tools}
    turns = [(i, turn) for i, turn in enumerate(row.messages) if isinstance(turn, AssistantTurn)]
    for (i, turn), weight in zip(turns, weights or [0] * len(turns), strict=False):
        for k, call in enumerate(turn.tool_calls):
            where = f"messages[{i}].tool_calls[{k}]"
            name, values = call.function.name, call.values
            if values is None:
                yield RowProblem(kind=RowProblemKind.ARGUMENTS, where=where, text="arguments are no JSON object")
            elif weight and name not in schemas:
                text = f"is to be learned, and calls {name!r}, which is not among the row's tools"
                yield RowProblem(kind=RowProblemKind.ARGUMENTS, where=where, text=text)
            elif weight:
                yield from _check_against_schema(schemas[name], values, f"{where}.arguments")


def is_valid_call(tools: Sequence[Mapping[str, Any]], call: ToolCall) -> bool:
    """Whether the tools would take a call: it names one, and its arguments fit; any fit a schema that is none."""
    functions = (cast("Mapping[str, Any]", tool["function"]) for tool in tools)
    schema = next((f.get("parameters", {}) for f in functions if f["name"] == call.name), None)
    values = call.parse_arguments()
    if schema is None or values is None:
        return False
    return not any(p.kind is RowProblemKind.ARGUMENTS for p in _check_against_schema(orjson.dumps(schema), values, ""))


def _check_against_schema(schema: bytes, values: dict[str, Any], where: str) -> Iterator[RowProblem]:
    validator = _validator_for(schema)
    if isinstance(validator, str):
        yield RowProblem(kind=RowProblemKind.SHAPE, where="tools", text=f"no JSON schema: {validator}")
        return
    for error in validator.iter_errors(values):
        path = "".join(f".{step}" for step in error.instance_path)
        yield RowProblem(kind=RowProblemKind.ARGUMENTS, where=where + path, text=error.message)


@lru_cache(maxsize=256)
def _validator_for(schema: bytes) -> jsonschema_rs.Draft202012Validator | str:
    """A validator for the schema, or what is wrong with it. Never fetches what the schema refers to."""
    try:
        return jsonschema_rs.Draft202012Validator(orjson.loads(schema), retriever=_refuse_to_fetch)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return str(getattr(error, "message", error))


def _refuse_to_fetch(uri: str) -> dict[str, Any]:
    raise ValueError(f"it refers to {uri}, outside of itself")


# Words of the supervisor


def _find_supervision(messages: Sequence[RowTurn], supervision: Supervision) -> Iterator[RowProblem]:
    """Places in a row that show a supervisor."""
    for i, message in enumerate(messages):
        if i > 1 and isinstance(message, UserTurn):
            yield _problem_at(i, "a user turn after the task: only hints and nudges stand there")
        if supervision.mark and any(supervision.mark in text for _, text in walk_strings(message.model_dump())):
            yield _problem_at(i, "the mark of a hint inside a tool result")
    yield from _find_hint_texts(messages, supervision.texts)


def _problem_at(number: int, text: str) -> RowProblem:
    return RowProblem(kind=RowProblemKind.SUPERVISION, where=f"messages[{number}]", text=text)


def _texts_to_find(messages: Sequence[RowTurn], texts: Sequence[str]) -> list[str]:
    """The hints and nudges to look for: long enough, and not words of the task itself."""
    return _leave_out_task_words(messages, map(_normalize, texts))


def _sentences_to_find(messages: Sequence[RowTurn], texts: Sequence[str]) -> list[str]:
    """The same of their sentences, without the signs at their ends: the model may have put others there."""
    every = (_normalize(part).strip(_END_SIGNS) for text in texts for part in _SENTENCE_END.split(text))
    return _leave_out_task_words(
        messages, (words for words in every if len(_WORD.findall(words)) >= MIN_SENTENCE_WORDS)
    )


def _leave_out_task_words(messages: Sequence[RowTurn], texts: Iterable[str]) -> list[str]:
    task = next((_normalize(m.content) for m in messages if isinstance(m, UserTurn)), "")
    return [words for words in dict.fromkeys(texts) if len(words) >= MIN_TEXT_CHARS and words not in task]


def _find_hint_texts(messages: Sequence[RowTurn], texts: Sequence[str]) -> Iterator[RowProblem]:
    """Turns of the model that hold the words, or a sentence of them, and results that end with them.

    Elsewhere in a result they are no problem: the player may have read a file that holds them. Nor is a sentence in a
    turn of the model once a result has shown it.
    """
    wholes, sentences = _texts_to_find(messages, texts), _sentences_to_find(messages, texts)
    for i, message in enumerate(messages if wholes or sentences else ()):
        if isinstance(message, AssistantTurn):
            written = " ".join(_normalize(text) for _, text in walk_strings(_texts_of_turn(message)))
            matches = [words for words in wholes if words in written]
            matches += [
                words for words in sentences if words in written and not any(words in whole for whole in matches)
            ]
        elif isinstance(message, ToolTurn):
            content = _normalize(message.content)
            matches = [words for words in wholes if content.endswith(words)]
            sentences = [words for words in sentences if words not in content]
        else:
            continue
        yield from (_problem_at(i, f"words of a hint or nudge: {words[:80]!r}") for words in matches)


def _texts_of_turn(turn: AssistantTurn[Any, Any]) -> list[object]:
    """Everything that the model wrote in a turn."""
    return [turn.content, getattr(turn, "reasoning_content", ""), *(call.values for call in turn.tool_calls)]


def _normalize(text: str) -> str:
    return " ".join(text.split()).casefold()
