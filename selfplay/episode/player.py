"""The player: a conversation in, one message out. It never sees a task's goals."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selfplay.config import SeatConfig
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.models.dialogue import Dialogue
from selfplay.models.protocol import ModelReply, ModelRequest

ModelCall = Callable[[ModelRequest], Awaitable[ModelReply]]
"""A model call with its retries."""


def player_head(config: SeatConfig, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything of the player's requests but the messages."""
    return {"model": config.model_name, **config.sampling, "tools": list(tools), **config.extra_body}


def vary_seed(head: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The head for the `number`-th asking (from 0) of the same: a seed in it is raised by `number`.

    Without a seed in the settings the head stays as it is: the server draws anew by itself.
    """
    seed = head.get("seed")
    return dict(head) if not isinstance(seed, int) else {**head, "seed": seed + number}


@dataclass(frozen=True, slots=True)
class Player:
    """Asks a model for the next step.

    It holds the model and the head of its requests, and is given messages: no task, no goals, no journal.
    """

    ask: ModelCall
    head: Mapping[str, Any]

    def build_request(self, dialogue: Dialogue) -> ModelRequest:
        """The whole conversation so far as a request."""
        return dialogue.build_request(self.head, Origin.PLAYER)

    async def act(self, request: ModelRequest, taken: frozenset[str]) -> ModelReply:
        """The model's next message; its calls have ids that are not in `taken`. Raises ModelError."""
        reply = await self.ask(request)
        message = with_new_ids(reply.message, taken, request.turn)
        return reply if message is reply.message else reply.model_copy(update={"message": message})


def with_new_ids(message: Message, taken: frozenset[str], turn: int) -> Message:
    """The message with an id for each call that no other call of the episode has: servers count anew in each reply."""
    ids = {call.id for call in message.tool_calls}
    if len(ids) == len(message.tool_calls) and "" not in ids and ids.isdisjoint(taken):
        return message
    used = set(taken)
    calls: list[ToolCall] = []
    for i, call in enumerate(message.tool_calls):
        fresh = call.id if call.id and call.id not in used else f"call_{turn}_{i}"
        while fresh in used:
            fresh += "_"
        used.add(fresh)
        calls.append(call if fresh == call.id else call.model_copy(update={"id": fresh}))
    return message.model_copy(update={"tool_calls": tuple(calls)})
