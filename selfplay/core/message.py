"""Messages of a conversation, with where each came from.

`Origin` is set when a message is born and never changes; stripping hints is a filter on it.
"""

import json
from enum import StrEnum
from typing import Any, ClassVar, Literal, cast

import orjson
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

MAX_DEPTH = 100
"""Levels of nesting in a call's arguments, themselves the first: deeper JSON can be read, but not written again."""


class Noun(BaseModel):
    """Base of all data types that are stored: strict, frozen, no unknown keys. Load with `model_validate_json` only."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ExtendedNoun(Noun):
    """A noun that gained fields after files of it were written: they are left out where they have their defaults.

    So what was stored before keeps its bytes, and every id and digest made of them.
    """

    later_fields: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _leave_out_unset(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        unset = {name for name in self.later_fields if getattr(self, name) == fields[name].default}
        return {name: value for name, value in written.items() if name not in unset}


class Origin(StrEnum):
    """Whose words a message carries."""

    PROMPT = "prompt"
    """The system prompt."""
    TASK = "task"
    PLAYER = "player"
    TOOL = "tool"
    HINT = "hint"
    """The supervisor's, let through by the gate."""
    NUDGE = "nudge"
    """The engine's own: "call a tool or finish"."""
    SUPERVISOR = "supervisor"
    """A verdict, in the supervisor's own conversation."""
    REPORT = "report"
    """The engine's report of a step to the supervisor or the judge, in a conversation of their own."""
    JUDGE = "judge"
    """What the gate's judge answered, in a conversation of its own."""


class ToolCall(Noun):
    """One call that a model asked for."""

    id: str
    name: str
    arguments: str
    """Exactly as the model wrote them; a JSON object unless the model erred."""
    is_cut: bool = False
    """True when the reply ended at its length limit: such a call is never carried out."""

    def parse_arguments(self) -> dict[str, Any] | None:
        """The arguments as an object, or None where they are not one, see `parse_object`."""
        return parse_object(self.arguments)


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is. None where it is none, is nested deeper than MAX_DEPTH, or has a key twice.

    Of a key that stands twice only the last value is read: a check of the object would miss the text of the first.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    found = cast("dict[str, Any]", value)
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deeper_than(found, MAX_DEPTH):
        return None
    return None if text.count(":") > _count_keys(found) and _has_repeated_key(text) else found


def _containers_in(value: object) -> list[Any]:
    """The lists and objects directly in a list or object."""
    held = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
    return [each for each in held if isinstance(each, dict | list)]


def _is_deeper_than(value: object, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _containers_in(outer)]
    return bool(level)


def _count_keys(value: object) -> int:
    """Keys of an object and of all inside it; every key of its text has a colon."""
    own = len(cast("dict[str, Any]", value)) if isinstance(value, dict) else 0
    return own + sum(map(_count_keys, _containers_in(cast("object", value))))


def _has_repeated_key(text: str) -> bool:
    is_twice = False

    def note_repeats(pairs: list[tuple[str, Any]]) -> None:
        nonlocal is_twice
        is_twice = is_twice or len(dict(pairs)) < len(pairs)

    json.loads(
        text, object_pairs_hook=note_repeats, parse_int=str, parse_float=str
    )  # str: no limit on a number's digits
    return is_twice


class Message(Noun):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    origin: Origin
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    """The model's reasoning where its server gives it apart from the content."""
    tool_call_id: str | None = None
    """Set on tool messages: the call that this answers."""
    name: str | None = None
    """Set on tool messages: the tool's name."""
