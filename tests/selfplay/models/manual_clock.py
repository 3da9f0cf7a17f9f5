"""A clock that a test moves, and a server that answers when a test says so."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from selfplay.core.message import Message, Origin
from selfplay.core.usage import Usage
from selfplay.core.wire import encode_messages
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.models.retry import Clock

USAGE = Usage(input_tokens=100, output_tokens=10)
ROUNDS = 12
"""Turns of the event loop after which no task here can go on: a wake-up takes three or four."""


@dataclass
class ManualClock:
    """Time stands still until it is moved."""

    now_s: float = 0.0
    _sleepers: list[tuple[float, anyio.Event]] = field(default_factory=list[tuple[float, anyio.Event]])

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        sleeper = (self.now_s + seconds, anyio.Event())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now_s, sleep=self.sleep)

    async def settle(self) -> None:
        """Let every task run as far as it can at this time."""
        for _ in range(ROUNDS):
            await anyio.lowlevel.checkpoint()

    async def advance(self, seconds: float) -> None:
        """Move time on; sleepers wake at their own times."""
        until = self.now_s + seconds
        await self.settle()
        while (first := min(self._sleepers, key=lambda s: s[0], default=None)) is not None and first[0] <= until:
            self.now_s = first[0]
            first[1].set()
            await self.settle()
        self.now_s = until


@dataclass
class _HeldCall:
    request: ModelRequest
    done: anyio.Event = field(default_factory=anyio.Event)
    error: Exception | None = None


@dataclass
class HeldModel:
    """A model whose calls come back when a test lets them, in any order."""

    usage: Usage = USAGE
    calls: list[_HeldCall] = field(default_factory=list[_HeldCall])
    """Those in flight, in the order in which they came."""
    seen: list[str] = field(default_factory=list[str])
    """What every call asked."""
    name: str = "held"

    async def complete(self, request: ModelRequest) -> ModelReply:
        call = _HeldCall(request)
        self.calls.append(call)
        self.seen.append(text_of_request(request))
        try:
            await call.done.wait()
        finally:
            self.calls.remove(call)
        if call.error is not None:
            raise call.error
        return ModelReply(message=Message(role="assistant", content="", origin=Origin.PLAYER), usage=self.usage)

    def answer(self, count: int = 1, error: Exception | None = None) -> None:
        """Let the oldest calls come back."""
        for call in [call for call in self.calls if not call.done.is_set()][:count]:
            call.error = error
            call.done.set()

    async def aclose(self) -> None:
        pass


def request_of(*words: str) -> ModelRequest:
    """A conversation with these messages of the user."""
    messages = [Message(role="user", content=word, origin=Origin.TASK) for word in words]
    return ModelRequest({}, tuple(wire for message in messages for wire in encode_messages([message])), turn=len(words))


def text_of_request(request: ModelRequest) -> str:
    return " ".join(str(message.value["content"]) for message in request.messages)


def call_names(numbers: Sequence[int]) -> list[str]:
    return [f"c{number}" for number in numbers]
