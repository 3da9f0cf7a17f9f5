"""Hold calls against the schemas of the tools that the row offers."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import jsonschema_rs
import orjson

from selfplay.core.message import ToolCall
from selfplay.export.formats.row_models import AssistantTurn, TrainingRow
from selfplay.export.row_problems import RowProblem, RowProblemKind


def find_argument_problems(row: TrainingRow, weights: Sequence[int] | None) -> Iterator[RowProblem]:
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
