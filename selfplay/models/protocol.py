"""What a language model is asked, and what comes back.

An implementation makes exactly one attempt per `complete`: trying again is `selfplay.models.retry`'s, so that a
failure of the infrastructure is classified in one place and never mistaken for a failure of the player.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import Field, JsonValue

from selfplay.core.message import Message, Noun, Origin
from selfplay.core.usage import Usage
from selfplay.core.wire import ConversationDigests, WireMessage

FinishReason = Literal["stop", "tool_calls", "length", "content_filter", "other"]


class ModelReply(Noun):
    """What a model answered, everything that its server said about it included."""

    message: Message
    """Role assistant. Ids of its tool calls are unique within the reply; arguments are as the model wrote them."""
    finish_reason: FinishReason = "stop"
    refusal: str | None = None
    usage: Usage = Usage()
    model: str = ""
    """The model's name as the server gave it."""
    response_id: str = ""
    faults: tuple[str, ...] = ()
    """What the model or its server got wrong and was put up with, in words: arguments sent as an object, ..."""
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields beyond the protocol (token ids, timings, a provider's cost), as they came."""


REPLY_FORM_KEYS = ("tools", "tool_choice", "response_format")
"""What of a request's head says what the reply may look like."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked."""

    head: Mapping[str, Any]
    """Everything but the messages, in sending order: model, sampling, tools, response_format, extras."""
    messages: tuple[WireMessage, ...]
    turn: int
    """How many replies of this model the conversation already holds: 0 at the first call of an episode."""
    origin: Origin = Origin.PLAYER
    """What the reply's message is born with: PLAYER or SUPERVISOR."""
    digests: ConversationDigests = field(default_factory=ConversationDigests, repr=False, compare=False)
    """Those of the conversation, where the request is one of many that it grows by."""

    def body(self) -> bytes:
        """The exact bytes that are sent."""
        return self.digests.body(self.head, self.messages)

    @property
    def size(self) -> int:
        """How many bytes `body` gives, told without making them."""
        commas = max(0, len(self.messages) - 1)
        return len(self.digests.body(self.head, ())) + sum(len(message.raw) for message in self.messages) + commas

    @property
    def sha256(self) -> str:
        """That of the body, in hex."""
        return self.digests.sha256(self.head, self.messages)

    @property
    def key(self) -> str:
        """sha256 of the messages and of what the reply may look like (tools, response format), not of who answers.

        What one model was asked and another one is asked again has the same key: it finds a recorded reply.
        """
        return self.digests.sha256(self.head, self.messages, REPLY_FORM_KEYS)


class Model(Protocol):
    """A language model, or something that answers in its place."""

    @property
    def name(self) -> str:
        """As on the command line: `openai:Qwen3-32B`, `heuristic`, `scripted:FILE`."""
        ...

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer once. Raises ModelError and its children, nothing else on purpose."""
        ...

    async def aclose(self) -> None:
        """Give connections back. A scripted model raises ScriptError here if lines are left over."""
        ...
