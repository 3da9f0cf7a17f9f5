"""A tool's OpenAI function schema, derived from its arguments model, and where schemas differ from those of a training.

Small and plain, because the player pays for it in every conversation and because servers turn it into grammars: no
titles, no `$ref`, no union with null; an optional argument has a default instead. Key order is fixed, so that equal
tools give equal bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast

from selfplay_tools.tools.tool import AnyTool

KEPT = (
    "type",
    "description",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "default",
    "properties",
    "required",
    "additionalProperties",
)
"""The keywords that a schema may have, in the order in which they are written."""
DROPPED = frozenset({"title", "$defs"})

Schema = dict[str, Any]

MAX_DIFFERENCES = 20
WIDTH = 160
"""Characters of a value that a difference quotes."""


@cache
def function_schema(tool: AnyTool) -> Schema:
    """`{"type": "function", "function": {...}}`, made once for a tool; not to be changed.

    Raises TypeError for an arguments model that needs more than plain types, lists and nested models: that is a
    mistake in the tool, not in a call of it.
    """
    whole = tool.arguments.model_json_schema()
    parameters = _simplify(whole, whole.get("$defs", {}), of=tool.name)
    parameters.pop("description", None)  # the model's docstring, written for the reader of the code
    parameters.setdefault("properties", {})
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def _simplify(schema: Schema, definitions: Mapping[str, Schema], *, of: str) -> Schema:
    """The schema with references resolved, every keyword known, keys in the order of `KEPT`."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        schema = {**{key: value for key, value in target.items() if key != "description"}, **schema}
        del schema["$ref"]
    unknown = schema.keys() - DROPPED - set(KEPT)
    if unknown:
        raise TypeError(
            f"tool {of!r}: {sorted(unknown)} can't stand in a tool's schema; give the argument a plain type"
        )
    return {key: _simplify_keyword(key, schema[key], definitions, of) for key in KEPT if key in schema}


def _simplify_keyword(key: str, value: object, definitions: Mapping[str, Schema], of: str) -> object:
    if key == "properties":
        return {name: _simplify(inner, definitions, of=of) for name, inner in cast("dict[str, Schema]", value).items()}
    return _simplify(cast("Schema", value), definitions, of=of) if key == "items" else value


def find_differences(ours: Sequence[Schema], expected: Sequence[Schema]) -> list[str]:
    """Where the schemas `ours` differ from those `expected`, a line each, at most `MAX_DIFFERENCES`; none if equal.

    Equal means the same bytes when they are dumped: a chat template prints a schema as it comes.
    """
    found = list(_list_differences(ours, expected))
    more = [f"and {len(found) - MAX_DIFFERENCES} more"] if len(found) > MAX_DIFFERENCES else []
    return found[:MAX_DIFFERENCES] + more


def _list_differences(ours: Sequence[Schema], expected: Sequence[Schema]) -> Iterator[str]:
    here, there = ({_function_name(schema): schema for schema in schemas} for schemas in (ours, expected))
    yield from (f"{name}: expected, and not among the tools here" for name in there if name not in here)
    yield from (f"{name}: among the tools here, and not expected" for name in here if name not in there)
    shared = [name for name in here if name in there]
    for name in shared:
        yield from _compare_values(name, here[name], there[name])
    if list(here) != list(there) and here.keys() == there.keys():
        yield f"the order of the tools: {', '.join(here)} here, {', '.join(there)} expected"


def _function_name(schema: Schema) -> str:
    match schema:
        case {"function": {"name": str(name)}}:
            return name
        case _:
            return f"[no function tool: {_shorten_value(schema)}]"


def _compare_values(where: str, ours: object, expected: object) -> Iterator[str]:
    if _is_object(ours) and _is_object(expected):
        yield from _compare_objects(where, cast("Mapping[str, Any]", ours), cast("Mapping[str, Any]", expected))
    elif _dump(ours) != _dump(expected):
        yield f"{where}: {_shorten_value(ours)} here, {_shorten_value(expected)} expected"


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _compare_objects(where: str, ours: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for key in [*ours, *(key for key in expected if key not in ours)]:
        inner = f"{where}.{key}"
        if key not in expected:
            yield f"{inner}: {_shorten_value(ours[key])} here, nothing expected"
        elif key not in ours:
            yield f"{inner}: nothing here, {_shorten_value(expected[key])} expected"
        else:
            yield from _compare_values(inner, ours[key], expected[key])
    if list(ours) != list(expected) and ours.keys() == expected.keys():
        yield f"{where}: the keys in another order: {', '.join(ours)} here, {', '.join(expected)} expected"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shorten_value(value: object) -> str:
    text = _dump(value)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
