"""One more turn, outside of an episode: the player's on a prefix without hints, the supervisor's verdict on such a one.

Nothing is recorded here; the caller stores the replies. Both count what they cost in the usage that they return.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selfplay.config import HintConfig, SeatConfig
from selfplay.core.errors import FatalModelError, JournalError
from selfplay.core.message import Message, Noun, Origin
from selfplay.core.trace import ToolResult, Verdict
from selfplay.core.usage import Usage
from selfplay.core.wire import ReasoningKey
from selfplay.episode.player import ModelCall, vary_seed, with_new_ids
from selfplay.episode.supervisor import NoVerdictError, Supervisor, describe_calls, indent, thoughts_of
from selfplay.journal.events import Event, Seat
from selfplay.models.dialogue import Dialogue
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.prompts import load_prompt

SUPERVISED_ORIGINS = frozenset({Origin.HINT, Origin.NUDGE, Origin.SUPERVISOR, Origin.REPORT, Origin.JUDGE})
"""Origins that have no place in a prefix of a clean conversation."""


async def sample_turn(
    ask: ModelCall,
    head: Mapping[str, Any],
    messages: Sequence[Message],
    *,
    number: int = 0,
    reasoning: ReasoningKey = "reasoning_content",
) -> ModelReply:
    """The player's next turn on a clean prefix, as it would be asked in production.

    `head` is `player_head` of the seat and the contract's tools. `messages` are system prompt, task, turns and results,
    ending with something to answer. `number` counts the samples of one prefix from 0: a seed in `head` is raised by it.
    `reasoning` is how earlier reasoning goes back (`player.history_reasoning`). Its calls have ids that no call of the
    prefix has. Raises ModelError, and ValueError for a prefix that holds a message of the supervisor's or the engine's,
    or that ends with a turn.
    """
    if unfit := sorted({m.origin for m in messages} & SUPERVISED_ORIGINS):
        raise ValueError(f"a clean prefix holds no message with the origin {unfit[0]}")
    if not messages or messages[-1].role == "assistant":
        raise ValueError("nothing to answer: the prefix is empty or ends with a turn of the player")
    dialogue = Dialogue(reasoning=reasoning)
    dialogue.append(*messages)
    reply = await ask(dialogue.build_request(vary_seed(head, number), Origin.PLAYER))
    taken = frozenset(call.id for message in messages for call in message.tool_calls)
    turn = sum(m.role == "assistant" for m in messages)
    return reply.model_copy(update={"message": with_new_ids(reply.message, taken, turn)})


class TurnJudgement(Noun):
    """The supervisor's verdict on a candidate turn."""

    verdict: Verdict | None
    missing: str | None = None
    """Why there is no verdict: it could not be read, or the conversation does not fit."""
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class CandidateTurn:
    """A turn that might follow a clean prefix, and what the supervisor is given beside it."""

    prefix: tuple[Message, ...]
    """The clean conversation before it; its system prompt and task are left to the assignment."""
    action: Message
    found: tuple[str, ...]
    """Targets found in the prefix, as `str(target)`."""
    missing: tuple[str, ...]
    results: tuple[ToolResult, ...] = ()
    """What its calls returned; empty where they were not carried out. Turns that are to be compared are judged alike:
    all with their results, or all without."""

    def to_report(self) -> str:
        """The report on it, in words."""
        return load_prompt("candidate").fill(
            search=_describe_search(self.prefix) or "    (nothing yet)",
            found=", ".join(self.found) or "none",
            missing=", ".join(self.missing) or "none",
            thought=indent(thoughts_of(self.action)),
            calls=describe_calls(self.action, _texts_by_call(r.message for r in self.results), "(not carried out)"),
        )


async def judge_turn(
    ask: ModelCall, config: SeatConfig, supervisor_opening: Sequence[Message], turn: CandidateTurn, *, tries: int = 3
) -> TurnJudgement:
    """The supervisor's verdict on a candidate turn, in a conversation of its own; no hint is asked for.

    `supervisor_opening` is how the supervisor's conversation begins: `read_supervisor_opening(events)` of a journal, or
    `opening_messages` of the episode. Raises ModelError where its server can't be reached or takes no way of
    asking.
    """
    dialogue = Dialogue()
    dialogue.append(*supervisor_opening)
    supervisor = Supervisor(
        ask=ask, config=config, hints=HintConfig(), tries=tries, dialogue=dialogue, journal=UnrecordedCalls()
    )
    verdict, missing = None, None
    try:
        verdict = await supervisor.request_verdict(turn.to_report())
    except NoVerdictError as error:
        missing = str(error)
    return TurnJudgement(verdict=verdict, missing=missing, usage=sum(supervisor.usages, Usage()))


def read_supervisor_opening(events: Iterable[Event]) -> tuple[Message, Message]:
    """How the supervisor's conversation in a recorded episode began: its prompt and the assignment.

    Raises JournalError for an episode that had no supervisor: make it with `opening_messages`.
    """
    opening: list[Message] = []
    for event in events:
        if event["event"] == "message" and event["seat"] == "supervisor":
            opening.append(Message.model_validate(event["message"], strict=False))
        if len(opening) == 2:  # noqa: PLR2004  prompt and assignment
            return opening[0], opening[1]
    raise JournalError("the episode had no supervisor: nothing tells what the targets are about")


@dataclass(frozen=True, slots=True)
class UnrecordedCalls:
    """A journal that records nothing: each call is made live."""

    def record(self, event: Event) -> None:
        """Record nothing."""

    async def call(
        self,
        seat: Seat,  # noqa: ARG002  as a journal takes it
        request: ModelRequest,
        live: Callable[[ModelRequest], Awaitable[ModelReply]],
        *,
        keeps: Callable[[FatalModelError], bool],  # noqa: ARG002  as a journal takes it
    ) -> ModelReply:
        """The live reply. Raises ModelError."""
        return await live(request)


def _describe_search(prefix: Sequence[Message]) -> str:
    results = _texts_by_call(m for m in prefix if m.role == "tool")
    turns = [m for m in prefix if m.role == "assistant"]
    return "\n\n".join(
        f"Step {number}.\n{indent(thoughts_of(turn))}\n{describe_calls(turn, results)}"
        for number, turn in enumerate(turns, 1)
    )


def _texts_by_call(results: Iterable[Message]) -> dict[str, str]:
    return {m.tool_call_id or "": m.content for m in results}
