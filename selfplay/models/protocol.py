"""What a language model is asked, what comes back, and the hooks around a call.

An implementation makes exactly one attempt per `complete`. `selfplay.models.retry` tries again, so that a failure of
the infrastructure is classified in one place and never mistaken for a failure of the player.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from pydantic import Field, JsonValue

from selfplay.core.message import Message, Noun, Origin
from selfplay.core.usage import Usage
from selfplay.core.wire import ConversationDigests, WireMessage

FinishReason = Literal["stop", "tool_calls", "length", "content_filter", "other"]


class ModelReply(Noun):
    """What a model answered, with everything that its server reported about it."""

    message: Message
    """Role assistant. Ids of its tool calls are unique within the reply; arguments are as the model wrote them."""
    finish_reason: FinishReason = "stop"
    refusal: str | None = None
    usage: Usage = Usage()
    model: str = ""
    """The model's name as the server gave it."""
    response_id: str = ""
    faults: tuple[str, ...] = ()
    """What the model or its server got wrong and was accepted, in words: arguments sent as an object, ..."""
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields beyond the protocol (token ids, timings, a provider's cost), as they came."""


REPLY_FORM_KEYS = ("tools", "tool_choice", "response_format")
"""Keys of a request's head that say what the reply may look like."""


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
    """Those of the conversation, shared by its requests: each adds to what was digested for the one before."""

    def body(self) -> bytes:
        """The exact bytes that are sent."""
        return self.digests.body(self.head, self.messages)

    @property
    def size(self) -> int:
        """How many bytes `body` gives; it is not made for that."""
        commas = max(0, len(self.messages) - 1)
        return len(self.digests.body(self.head, ())) + sum(len(message.raw) for message in self.messages) + commas

    @property
    def sha256(self) -> str:
        """That of the body, in hex."""
        return self.digests.sha256(self.head, self.messages)

    @property
    def key(self) -> str:
        """sha256 of the messages and of what the reply may look like (tools, response format), not of who answers.

        The same question has the same key whichever model answers it, and so finds a recorded reply.
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
        """Close connections. A scripted model raises ScriptError here if lines are left over."""
        ...


# Hooks that are called while a model call is made, past the layers in between: set within an async task, for the calls
# that it makes. None of it is part of a reply.

T = TypeVar("T")
RATE_LIMIT_MARK = "ratelimit"
"""Part of the names of all headers about rate limits."""


def _do_nothing() -> None:
    return None


ON_SEND: ContextVar[Callable[[], None]] = ContextVar("ON_SEND", default=_do_nothing)
"""Called by a model that made a call wait, once the call is let through: the wait is over."""

ON_HEADERS: ContextVar[Callable[[Mapping[str, str]], None] | None] = ContextVar("ON_HEADERS", default=None)
"""Called with the headers of a response that are about rate limits, names in lower case."""


class RetryHook(Protocol):
    """Called after each failed attempt that will be followed by another."""

    def __call__(self, seat: str, attempt: int, error: str, wait_s: float) -> None:
        """`attempt` counts from 1; `wait_s` is how long the next one is waited for."""
        ...


ON_RETRY: ContextVar[RetryHook | None] = ContextVar("ON_RETRY", default=None)


@contextmanager
def set_hook(variable: ContextVar[T], value: T) -> Generator[None]:
    """Have `value` called inside of the block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
