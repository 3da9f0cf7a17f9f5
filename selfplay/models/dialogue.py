"""One model's conversation as it goes over the wire: it only grows at its end."""

from collections.abc import Mapping
from typing import Any

from selfplay.core.message import Message, Origin
from selfplay.core.wire import Channel, ConversationDigests, ReasoningKey, WireMessage, encode_messages
from selfplay.models.protocol import ModelReply, ModelRequest


class Dialogue:
    """A model's conversation so far.

    Messages that are added between two requests are encoded together (`selfplay.core.wire.encode_messages`), each once.
    """

    def __init__(self, *, channel: Channel = "user", mark: str = "", reasoning: ReasoningKey = "none") -> None:
        self._channel: Channel = channel
        self._mark = mark
        self._reasoning: ReasoningKey = reasoning
        self._encoded: list[WireMessage] = []
        self._unencoded: list[Message] = []
        self._turn = 0
        self._digests = ConversationDigests()

    def append(self, *messages: Message) -> None:
        """Add messages at the end."""
        self._unencoded += messages
        self._turn += sum(m.role == "assistant" for m in messages)

    def count_chars(self) -> int:
        """Characters of the messages of the next request, as they are sent, if nothing is added before it."""
        self._encode()
        return sum(len(message.raw.decode()) for message in self._encoded)

    def build_request(self, head: Mapping[str, Any], origin: Origin) -> ModelRequest:
        """All of it as a request."""
        self._encode()
        return ModelRequest(head, tuple(self._encoded), self._turn, origin, self._digests)

    def _encode(self) -> None:
        self._encoded += encode_messages(
            self._unencoded, channel=self._channel, mark=self._mark, reasoning=self._reasoning
        )
        self._unencoded.clear()


def message_from_reply(reply: ModelReply) -> Message:
    """What a reply becomes in its own conversation.

    A supervisor's verdict is plain text there, also where it came as a tool call: a call without a result is no
    valid history, and a result would say nothing.
    """
    message = reply.message
    if message.origin is not Origin.SUPERVISOR:
        return message
    content = "".join(call.arguments for call in message.tool_calls[:1]) or message.content or "(nothing)"
    return Message(role="assistant", content=content, origin=Origin.SUPERVISOR)
