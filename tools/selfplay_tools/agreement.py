"""Whether the tools at hand are the ones that a model was trained with, down to the order of keys."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from selfplay_tools.schema import Schema

MAX_DIFFERENCES = 20
WIDTH = 160


def differences(ours: Sequence[Schema], expected: Sequence[Schema]) -> list[str]:
    """Where the schemas `ours` differ from those `expected`, a line each, at most `MAX_DIFFERENCES`; none if equal.

    Equal means the same bytes when they are dumped: a chat template prints a schema as it comes.
    """
    found = list(_differences(ours, expected))
    more = [f"and {len(found) - MAX_DIFFERENCES} more"] if len(found) > MAX_DIFFERENCES else []
    return found[:MAX_DIFFERENCES] + more


def _differences(ours: Sequence[Schema], expected: Sequence[Schema]) -> Iterator[str]:
    here, there = ({_name(schema): schema for schema in schemas} for schemas in (ours, expected))
    yield from (f"{name}: expected, and not among the tools here" for name in there if name not in here)
    yield from (f"{name}: among the tools here, and not expected" for name in here if name not in there)
    shared = [name for name in here if name in there]
    for name in shared:
        yield from _inside(name, here[name], there[name])
    if list(here) != list(there) and here.keys() == there.keys():
        yield f"the order of the tools: {', '.join(here)} here, {', '.join(there)} expected"


def _name(schema: Schema) -> str:
    match schema:
        case {"function": {"name": str(name)}}:
            return name
        case _:
            return f"[no function tool: {_short(schema)}]"


def _inside(where: str, ours: object, expected: object) -> Iterator[str]:
    if _is_object(ours) and _is_object(expected):
        yield from _in_object(where, cast("Mapping[str, Any]", ours), cast("Mapping[str, Any]", expected))
    elif _dumped(ours) != _dumped(expected):
        yield f"{where}: {_short(ours)} here, {_short(expected)} expected"


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _in_object(where: str, ours: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for key in [*ours, *(key for key in expected if key not in ours)]:
        inner = f"{where}.{key}"
        if key not in expected:
            yield f"{inner}: {_short(ours[key])} here, nothing expected"
        elif key not in ours:
            yield f"{inner}: nothing here, {_short(expected[key])} expected"
        else:
            yield from _inside(inner, ours[key], expected[key])
    if list(ours) != list(expected) and ours.keys() == expected.keys():
        yield f"{where}: the keys in another order: {', '.join(ours)} here, {', '.join(expected)} expected"


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: object) -> str:
    text = _dumped(value)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
