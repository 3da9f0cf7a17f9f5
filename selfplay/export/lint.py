"""Read a conversation as a trainer would, and say what is wrong with it.

Knows no format: it takes whatever is made of the models in `selfplay.export.row_models`.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

import jsonschema_rs
import orjson

from selfplay.core.message import ToolCall
from selfplay.export.row_models import (
    AssistantTurn,
    ConversationRow,
    RowProblem,
    RowProblemKind,
    RowTurn,
    ToolTurn,
)
from selfplay.export.supervision_leaks import Supervision, find_supervision


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
    yield from find_supervision(row.messages, supervision)


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
