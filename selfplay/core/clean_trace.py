"""A clean trace: the part of an episode that is worth training on. Rows of every format are made of it."""

from collections import Counter
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from selfplay.core.contract import Contract
from selfplay.core.message import Message, Noun, ToolCall
from selfplay.core.trace import Stratum, ToolResult, Verdict
from selfplay_tools.tools.tool import AnswerFile


class Mask(StrEnum):
    """Why a turn stays in the conversation and is not learned."""

    WASTEFUL = "wasteful"
    """The supervisor's verdict."""
    MISTAKEN = "mistaken"
    """The supervisor's verdict."""
    UNPARSABLE = "unparsable"
    """The arguments of a call can't be read as one JSON object, see `selfplay.core.message.parse_object`."""
    CUT = "cut"
    """The reply ended at its length limit, in the middle of a call."""
    REFUSED = "refused"
    """The tools could not carry out a call: no such path, no such tool, bad arguments."""
    EDITED = "edited"
    """The turn is not what the model wrote: a call was taken out."""
    LEAP = "leap"
    """An argument of a call that only a hint, or nothing, explains."""
    ECHO = "echo"
    """Its words answer a hint, and could not be repaired."""
    UNSEEN = "unseen"
    """Its words name something that only a hint gave, and could not be repaired."""
    WORDLESS = "wordless"
    """All its words answered a hint, and none are left: the hint was its reason for the call."""
    NOT_LEARNED = "not_learned"
    """The file that it was imported from says so."""
    IMPRECISE = "imprecise"
    """The answer names files that are no targets."""


class DropReason(StrEnum):
    """Why a turn is not in the clean trace at all."""

    NO_CALL = "no_call"
    """It called nothing, and was answered by a hint or a nudge, or not at all."""
    EARLY_FINISH = "early_finish"
    """It only called `finish`, and the episode went on: in production the conversation would be over."""
    UNPAIRED = "unpaired"
    """Its results are not those of its calls, because the episode was broken off there."""
    AFTER_ANSWER = "after_answer"
    """The answer had been given."""
    DEAD_END = "dead_end"
    """No later turn and no target depends on it; left out only where the settings ask for that."""


class Repair(StrEnum):
    """How the words of a turn were repaired. Its calls and their results are always the ones that were made."""

    ASKED_AGAIN = "asked_again"
    """The player was asked for the turn once more, without the hint, and made the same calls: its new words stand."""
    REWRITTEN = "rewritten"
    """A model wrote the words anew, from what was visible at that point and for the calls that were made."""
    EXCISED = "excised"
    """The sentences that answer a hint, or name what only a hint gave, were taken out."""


class Reliance(Noun):
    """How much a hinted turn needed its hint: what the player does at the same point without it."""

    samples: Annotated[int, Field(ge=1)]
    """Turns that were sampled on the clean prefix."""
    same: Annotated[int, Field(ge=0)]
    """Those with the same calls as the hinted turn."""

    @property
    def share(self) -> float:
        """The share of samples that take the same action without the hint: 1 needs no hint, 0 depends on it."""
        return self.same / self.samples


class DroppedTurn(Noun):
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
    repair: Repair | None = None
    """How the words of `action` were made, where they are not the original ones."""
    original: Message | None = None
    """What the model first wrote; set exactly where `repair` is."""
    reliance: Reliance | None = None
    """Measured at hinted turns only, and only if samples were asked for."""

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
    dropped: tuple[DroppedTurn, ...] = ()
    repo: str = ""
    """As the task names it."""
    commit: str = ""
    """As the task names it."""
    snapshot: str = ""
    """What was searched: `git:<40 hex>` for a commit, `tree:<40 hex>` for a directory; empty where it is not known."""
    stratum: Stratum | None = None
    """None before it was determined."""

    @property
    def conversation(self) -> tuple[Message, ...]:
        """System prompt, task, then turns and results, up to the last turn, without its results: no turn reads them."""
        messages = [self.prompt, self.opening]
        for turn in self.turns:
            messages += [turn.action, *(r.message for r in turn.results)]
        unread = len(self.turns[-1].results) if self.turns else 0
        return tuple(messages[: len(messages) - unread])

    def conversation_before(self, turn: int) -> tuple[Message, ...]:
        """The conversation that the turn at that position answers."""
        messages = [self.prompt, self.opening]
        for each in self.turns[:turn]:
            messages += [each.action, *(r.message for r in each.results)]
        return tuple(messages)

    def with_turn(self, number: int, turn: CleanTurn) -> "CleanTrace":
        """This trace with another turn at that position."""
        return self.model_copy(update={"turns": (*self.turns[:number], turn, *self.turns[number + 1 :])})

    @property
    def weights(self) -> tuple[int, ...]:
        """0 or 1 for each turn, in order."""
        return tuple(turn.weight for turn in self.turns)

    @property
    def reliance(self) -> Reliance | None:
        """All samples of its hinted turns together; None where none were taken."""
        measured = [turn.reliance for turn in self.turns if turn.reliance is not None]
        if not measured:
            return None
        return Reliance(samples=sum(r.samples for r in measured), same=sum(r.same for r in measured))

    @property
    def answer_result(self) -> ToolResult | None:
        """The result by which the last turn answered; None if it does not end with an answer."""
        answers = [r for turn in self.turns[-1:] for r in turn.results if r.answer is not None]
        return answers[-1] if answers else None

    @property
    def answer(self) -> tuple[AnswerFile, ...] | None:
        """What the last turn named with `finish`; None if it does not end with an answer."""
        return None if self.answer_result is None else self.answer_result.answer

    @property
    def has_parallel_calls(self) -> bool:
        """Whether any turn has two calls or more.

        Servers word the prompt by such a flag, so a row says true only where it shows what the flag allows.
        """
        return any(len(turn.action.tool_calls) > 1 for turn in self.turns)

    @property
    def drop_counts(self) -> Counter[DropReason]:
        """How many turns were left out, by reason."""
        return Counter(d.reason for d in self.dropped)

    @property
    def mask_counts(self) -> Counter[Mask]:
        """How many turns are only context, by reason; a turn counts once for each of its reasons."""
        return Counter(mask for turn in self.turns for mask in turn.masks)


class PreferencePair(Noun):
    """Two actions at the same point of a search, of which one is better."""

    episode: str
    task: str
    """The task's id."""
    step: int
    """The chosen action's position in the raw trace's steps, from 0."""
    contract: Contract
    prefix: tuple[Message, ...]
    """The clean conversation before both."""
    chosen: Message
    """The hinted action, as the clean trace has it."""
    rejected: Message
    """What the player did there without the hint."""
    chosen_verdict: Verdict
    rejected_verdict: Verdict
    """Of lower quality. Both sides were judged alike."""

    def side_as_trace(self, action: Message) -> CleanTrace:
        """One side of the pair as a clean trace that ends with the action."""
        prompt, opening, *rest = self.prefix
        turns: list[CleanTurn] = []
        for message in rest:
            if message.role == "assistant":
                turns.append(CleanTurn(step=len(turns), action=message))
            else:
                results = (*turns[-1].results, ToolResult(message=message, ok=True))
                turns[-1] = turns[-1].model_copy(update={"results": results})
        turns.append(CleanTurn(step=len(turns), action=action))
        return CleanTrace(
            episode=self.episode,
            task=self.task,
            contract=self.contract,
            prompt=prompt,
            opening=opening,
            turns=tuple(turns),
        )
