"""Messages as they go over the wire (chat completions), each encoded once.

A conversation only grows at its end, so a request body is the request's head, then the messages that were encoded
before, then the new ones. The same messages always give the same bytes: a journal rebuilds every body from them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson

from selfplay.core.message import Message, Origin

Channel = Literal["user", "tool"]
"""How hints and nudges are sent: as a user message, or as the marked last part of the last tool result."""

ReasoningKey = Literal["reasoning_content", "reasoning", "none"]
"""The name under which a model's earlier reasoning goes back to it, or `none` to leave it out."""

WIRE_VERSION = 1
"""Raised when the bytes for the same messages change; a journal carries the version it was written with."""


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One message of a request, as the JSON that is sent."""

    raw: bytes

    @property
    def value(self) -> dict[str, Any]:
        """The message as an object, parsed at each use: only models without a server need it."""
        return orjson.loads(self.raw)


def request_body(head: Mapping[str, Any], messages: Sequence[WireMessage]) -> bytes:
    """The bytes of a request: `head`'s keys in their order, then `messages`."""
    return _join_body(_encode_head(head), messages)


def _join_body(start: bytes, messages: Sequence[WireMessage]) -> bytes:
    return b"".join((start, b",".join([m.raw for m in messages]), _END))


_END = b"]}"
HeadKeys = tuple[str, ...] | None
"""Keys of a head; None for all."""


def _encode_head(head: Mapping[str, Any]) -> bytes:
    """A body up to its first message."""
    return b"".join((orjson.dumps(head)[:-1], b"," if head else b"", b'"messages":['))


class ConversationDigests:
    """The growing bodies of one conversation and their sha256: no message is hashed twice.

    A head must not be changed after its first use: its bytes are kept for later uses of the same object.
    """

    def __init__(self) -> None:
        self._running: dict[bytes, _RunningDigest] = {}
        self._starts: dict[HeadKeys, tuple[Mapping[str, Any], bytes]] = {}

    def body(self, head: Mapping[str, Any], messages: Sequence[WireMessage]) -> bytes:
        """As `request_body(head, messages)`."""
        return _join_body(self._head_bytes(head), messages)

    def sha256(self, head: Mapping[str, Any], messages: Sequence[WireMessage], keys: HeadKeys = None) -> str:
        """That of `body(head, messages)`, or of the body with only these keys of the head.

        `messages` begin with those of the calls before, or are fewer of them.
        """
        start = self._head_bytes(head, keys)
        running = self._running.get(start)
        if running is None or running.count > len(messages):
            running = self._running[start] = _RunningDigest(start)
        return running.sha256(messages)

    def _head_bytes(self, head: Mapping[str, Any], keys: HeadKeys = None) -> bytes:
        known = self._starts.get(keys)
        if known is None or known[0] is not head:
            part = head if keys is None else {key: head[key] for key in keys if key in head}
            known = self._starts[keys] = head, _intern_bytes(_encode_head(part))
        return known[1]


class _RunningDigest:
    """The sha256 of one beginning and the messages so far."""

    def __init__(self, start: bytes) -> None:
        self.count = 0
        self._hashed = hashlib.sha256(start)

    def sha256(self, messages: Sequence[WireMessage]) -> str:
        for i in range(self.count, len(messages)):
            self._hashed.update(b"," + messages[i].raw if i else messages[i].raw)
        self.count = len(messages)
        whole = self._hashed.copy()
        whole.update(_END)
        return whole.hexdigest()


@lru_cache(maxsize=256)
def _intern_bytes(start: bytes) -> bytes:
    """The same bytes as one object: episodes with the same settings begin their bodies alike."""
    return start


def encode_messages(
    batch: Iterable[Message], *, channel: Channel = "user", mark: str = "", reasoning: ReasoningKey = "none"
) -> list[WireMessage]:
    """Encode the messages that are added between two calls.

    Neighbouring user messages of a batch become one (chat templates refuse two in a row), separated by a blank line.
    In the `tool` channel hints and nudges stand after `mark`, as the last part of the batch's last tool result, or as a
    user message where the batch has no tool result.
    """
    values: list[dict[str, Any]] = []
    for message in batch:
        is_marked = channel == "tool" and message.origin in {Origin.HINT, Origin.NUDGE}
        text = f"{mark} {message.content}" if is_marked else message.content
        last_role = values[-1]["role"] if values else ""
        if message.role == "user" and (last_role == "user" or (is_marked and last_role == "tool")):
            values[-1]["content"] += f"\n\n{text}"
        else:
            values.append({**_message_value(message, reasoning), "content": text})
    return [WireMessage(_shrink_to_fit(orjson.dumps(value))) for value in values]


def _shrink_to_fit(raw: bytes) -> bytes:
    """The same bytes in as little memory as they need: orjson keeps its write buffer, 8 kB for 500 bytes."""
    return bytes(memoryview(raw))


def _message_value(message: Message, reasoning: ReasoningKey) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning is not None and reasoning != "none":
        value[reasoning] = message.reasoning
    if message.tool_calls:
        value["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": sendable_name(call.name), "arguments": sendable_arguments(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        value["tool_call_id"] = message.tool_call_id
    return value


def sendable_arguments(arguments: str) -> str:
    """Arguments as they may stand in a history: servers answer 500 to a history whose arguments are no JSON object.

    What the model really wrote stays on the trace, and the tool's result says what was wrong with it.
    """
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return "{}"
    return arguments if isinstance(value, dict) else "{}"


MAX_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


def sendable_name(name: str) -> str:
    """A tool's name as it may stand in a history: servers refuse one that is empty, long, or has other characters."""
    return _NOT_IN_NAMES.sub("_", name)[:MAX_NAME] or "unnamed"
