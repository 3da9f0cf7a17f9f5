"""A clean trace: what of an episode is worth training on. Samples of every format are functions of it."""

from collections import Counter
from enum import StrEnum

from selfplay.contract import Contract
from selfplay.message import Message, Noun, ToolCall
from selfplay.trace import ToolResult
from selfplay_tools.tool import Relevant


class Mask(StrEnum):
    """Why a turn stays in the conversation and is not learned."""

    WASTEFUL = "wasteful"
    """The supervisor's verdict."""
    MISTAKEN = "mistaken"
    """The supervisor's verdict."""
    UNPARSABLE = "unparsable"
    """The arguments of a call are no JSON object."""
    CUT = "cut"
    """The reply ended at its length limit, in the middle of a call."""
    REFUSED = "refused"
    """The tools could not carry out a call: no such path, no such tool, bad arguments."""
    EDITED = "edited"
    """The turn is not what the model wrote: a call was taken out."""


class DropReason(StrEnum):
    """Why a turn is not in the clean trace at all."""

    NO_CALL = "no_call"
    """It called nothing, and was answered by a hint or a nudge, or by nobody."""
    EARLY_FINISH = "early_finish"
    """It only called `finish`, and the episode went on: in production the conversation would be over."""
    UNPAIRED = "unpaired"
    """Its results are not those of its calls, because the episode was broken off there."""
    AFTER_ANSWER = "after_answer"
    """The answer had been given."""


class Dropped(Noun):
    """A turn that was left out."""

    step: int
    """Position in the trace's steps, from 0."""
    reason: DropReason


class CleanTurn(Noun):
    """A turn that was kept."""

    step: int
    """Position in the trace's steps, from 0."""
    action: Message
    results: tuple[ToolResult, ...] = ()
    """One for each call of `action`, in order; fewer only in the last turn."""
    masks: tuple[Mask, ...] = ()
    """Every reason not to learn it."""
    removed: tuple[ToolCall, ...] = ()
    """Calls that were taken out of it: a `finish` after which the episode went on."""

    @property
    def weight(self) -> int:
        """1 if the turn is learned, 0 if it is only context."""
        return 0 if self.masks else 1


class CleanTrace(Noun):
    """A conversation without supervisor, and what is to be learned of it."""

    episode: str
    task: str
    """The task's id."""
    contract: Contract
    prompt: Message
    """The contract's system prompt."""
    opening: Message
    """The task as the player was given it."""
    turns: tuple[CleanTurn, ...]
    dropped: tuple[Dropped, ...] = ()

    @property
    def conversation(self) -> tuple[Message, ...]:
        """System prompt, task, then turns and results, up to the last turn: its results answer nobody."""
        messages = [self.prompt, self.opening]
        for turn in self.turns:
            messages += [turn.action, *(r.message for r in turn.results)]
        unread = len(self.turns[-1].results) if self.turns else 0
        return tuple(messages[: len(messages) - unread])

    @property
    def weights(self) -> tuple[int, ...]:
        """0 or 1 for each turn, in order."""
        return tuple(turn.weight for turn in self.turns)

    @property
    def answer(self) -> tuple[Relevant, ...] | None:
        """What the last turn named with `finish`; None if it does not end with an answer."""
        answers = [r.answer for turn in self.turns[-1:] for r in turn.results if r.answer is not None]
        return answers[-1] if answers else None

    @property
    def drop_counts(self) -> Counter[DropReason]:
        """How many turns were left out, by reason."""
        return Counter(d.reason for d in self.dropped)

    @property
    def mask_counts(self) -> Counter[Mask]:
        """How many turns are only context, by reason; a turn counts once for each of its reasons."""
        return Counter(mask for turn in self.turns for mask in turn.masks)
