"""What cleaning may ask of models. It works without any: then less is repaired, and nothing is measured."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from selfplay.clean.echoes import EchoFinding
from selfplay.core.clean_trace import CleanTrace
from selfplay.core.message import Message
from selfplay.core.trace import Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TurnPoint:
    """A place in a clean trace: before its turn of that position."""

    clean: CleanTrace
    turn: int

    @property
    def prefix(self) -> tuple[Message, ...]:
        """The conversation up to the turn."""
        return self.clean.conversation_before(self.turn)


class Assistants(Protocol):
    """Models for one episode. An empty answer means that there is none: it was not asked for, or could not be had."""

    async def sample_turns(self, point: TurnPoint, count: int) -> tuple[Message, ...]:
        """The player's turn at this point, up to `count` times, without any hint."""
        ...

    async def rewrite(self, point: TurnPoint, action: Message, words: str) -> str | None:
        """Other words for an action, from what is visible at the point; `words` is what may stay of the old ones."""
        ...

    async def judge_actions(self, point: TurnPoint, actions: tuple[Message, ...]) -> tuple[Verdict | None, ...]:
        """The supervisor's verdict on each of these actions, all asked for in the same way."""
        ...

    async def find_echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
        """What the echo judge finds in a text; `hint` is what stood before it."""
        ...


class NoAssistants:
    """No models."""

    async def sample_turns(self, point: TurnPoint, count: int) -> tuple[Message, ...]:  # noqa: ARG002  as the protocol says
        """Nothing."""
        return ()

    async def rewrite(self, point: TurnPoint, action: Message, words: str) -> str | None:  # noqa: ARG002  as the protocol says
        """Nothing."""
        return None

    async def judge_actions(self, point: TurnPoint, actions: tuple[Message, ...]) -> tuple[Verdict | None, ...]:  # noqa: ARG002  as the protocol says
        """Nothing."""
        return (None,) * len(actions)

    async def find_echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:  # noqa: ARG002  as the protocol says
        """Nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class EchoJudgeOnly(NoAssistants):
    """Of some assistants only the echo judge: words are repaired without asking the player."""

    assistants: Assistants

    async def find_echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
        """What their judge finds."""
        return await self.assistants.find_echoes(text, hint)


def run_without_waiting(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing. Raises RuntimeError if it does wait."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise RuntimeError("it waits for something: run it in an event loop")
