"""Read a row as a trainer would, and say what is wrong with it.

Knows nothing of how rows are made: it takes any JSON object, so that files from elsewhere can be checked too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from selfplay.export.call_arguments import find_argument_problems
from selfplay.export.formats.row_models import (
    ROW_MODELS,
    AssistantTurn,
    OpenAIAssistantTurn,
    RowFormat,
    RowTurn,
    ToolTurn,
)
from selfplay.export.row_problems import RowProblem, RowProblemKind, walk_strings
from selfplay.export.supervision_leaks import Supervision, find_supervision

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def lint_row(
    row: Mapping[str, Any],
    format: RowFormat,  # noqa: A002  the word of the command line
    *,
    weights: Sequence[int] | None = None,
    supervision: Supervision | None = None,
) -> tuple[RowProblem, ...]:
    """Everything that is wrong with a row; nothing for a row that can be trained on.

    `weights` are those of the assistant turns where the format has no place for them. Where a turn's weight is not
    known, its calls' names and arguments are not held against the tools' schemas: refused calls stay as context.
    """
    if problems := tuple(_find_unreadable_text(row)):
        return problems
    try:
        parsed = ROW_MODELS[format].model_validate(row)
    except ValidationError as error:
        return tuple(_describe_shape_errors(error))
    known = _weights_in_row(parsed.messages) if weights is None else weights
    return (
        *_check_order(parsed.messages),
        *_check_pairing(parsed.messages),
        *_check_weights(parsed.messages, known),
        *find_argument_problems(parsed, known),
        *find_supervision(parsed.messages, supervision or Supervision()),
    )


def _find_unreadable_text(row: Mapping[str, Any]) -> Iterator[RowProblem]:
    for where, text in walk_strings(row):
        if found := _NO_TEXT.search(text):
            what = "a NUL character" if found[0] == "\0" else "a lone surrogate: there is no UTF-8 for it"
            yield RowProblem(kind=RowProblemKind.TEXT, where=where, text=what)


def _describe_shape_errors(error: ValidationError) -> Iterator[RowProblem]:
    """Pydantic's findings. Their places name a message's role after its number, which is left out."""
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        steps = [s for i, s in enumerate(found["loc"]) if i != 2 or found["loc"][0] != "messages"]  # noqa: PLR2004  see above
        where = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")
        yield RowProblem(kind=RowProblemKind.SHAPE, where=where, text=found["msg"])


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


def _weights_in_row(messages: Sequence[RowTurn]) -> Sequence[int] | None:
    """The weights that stand in the row itself; None for a format without."""
    return [turn.weight for turn in messages if isinstance(turn, OpenAIAssistantTurn)] or None


def _check_weights(messages: Sequence[RowTurn], weights: Sequence[int] | None) -> Iterator[RowProblem]:
    if weights is None:
        return
    turns = sum(message.role == "assistant" for message in messages)
    if len(weights) != turns or not set(weights) <= {0, 1}:
        text = f"weights {list(weights)} for {turns} assistant turns"
        yield RowProblem(kind=RowProblemKind.WEIGHT, where="", text=text)
    elif not any(weights):
        yield RowProblem(kind=RowProblemKind.WEIGHT, where="", text="no turn with weight 1: nothing to learn")
