"""Whether the tools at hand are the ones that a model was trained with, down to the order of keys."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from selfplay_tools.tools.schema import Schema

MAX_DIFFERENCES = 20
WIDTH = 160


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
            return f"[no function tool: {_shorten(schema)}]"


def _compare_values(where: str, ours: object, expected: object) -> Iterator[str]:
    if _is_object(ours) and _is_object(expected):
        yield from _compare_objects(where, cast("Mapping[str, Any]", ours), cast("Mapping[str, Any]", expected))
    elif _dump(ours) != _dump(expected):
        yield f"{where}: {_shorten(ours)} here, {_shorten(expected)} expected"


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _compare_objects(where: str, ours: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for key in [*ours, *(key for key in expected if key not in ours)]:
        inner = f"{where}.{key}"
        if key not in expected:
            yield f"{inner}: {_shorten(ours[key])} here, nothing expected"
        elif key not in ours:
            yield f"{inner}: nothing here, {_shorten(expected[key])} expected"
        else:
            yield from _compare_values(inner, ours[key], expected[key])
    if list(ours) != list(expected) and ours.keys() == expected.keys():
        yield f"{where}: the keys in another order: {', '.join(ours)} here, {', '.join(expected)} expected"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shorten(value: object) -> str:
    text = _dump(value)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
