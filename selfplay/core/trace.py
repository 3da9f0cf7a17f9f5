"""A trace: all that is kept of an episode. Frozen; it grows by appending a step, and is valid at every moment."""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

import orjson
from pydantic import Field

from selfplay.core.message import Message, Noun, Origin
from selfplay.core.task import Task
from selfplay.core.usage import Usage
from selfplay_tools.tools.tool import AnswerFile, ShownRange


class Quality(StrEnum):
    """The supervisor's judgement of one step."""

    PRODUCTIVE = "productive"
    NEUTRAL = "neutral"
    WASTEFUL = "wasteful"
    MISTAKEN = "mistaken"


class Verdict(Noun):
    """The supervisor's words on one step."""

    quality: Quality
    why: str
    hint: str | None = None
    """Its words for the player; the gate decides whether they are sent."""


FindingKind = Literal[
    "path",
    "file_name",
    "stem",
    "module",
    "directory",
    "identifier",
    "literal",
    "line_number",
    "position",
    "disguised",
    "translated",
    "quote",
    "judge",
    "repeated",
]
"""What a hint gives away; `judge`: a model could name a target with it, and not without it; `repeated`: nothing, but
the player has had this hint before."""


class HintFinding(Noun):
    """One way in which a hint would reveal the answer."""

    kind: FindingKind
    text: str
    """The part of the hint that reveals."""
    span: tuple[int, int]
    """Its place in the hint: start and end, in characters, end exclusive."""
    why: str = ""
    """In words for the supervisor: what it gives away, and what to do instead."""


class JudgeGuess(Noun):
    """One sample of the gate's judge."""

    files: tuple[str, ...] = ()
    """Files that it would open, as it named them, best first."""
    note: str | None = None
    """Why there are none, where its answer could not be read or had."""


class JudgeOpinion(Noun):
    """The gate's judge, which does not know the answer, on one proposal."""

    without: tuple[JudgeGuess, ...]
    """Its guesses from what the player has seen; asked for once, and the same for all proposals of a step."""
    given: tuple[JudgeGuess, ...] = ()
    """Its guesses with the hint beside it; none were asked for where it could name every target without it."""
    revealed: tuple[str, ...] = ()
    """Paths of targets that it named with the hint and in no guess without it."""


class HintAttempt(Noun):
    """One hint that the supervisor proposed, and what the gate found in it."""

    text: str
    findings: tuple[HintFinding, ...] = ()
    opinion: JudgeOpinion | None = None
    """The judge's; None without a judge, or where it was not needed."""


class HintKind(StrEnum):
    """Where a delivered hint's words come from."""

    PROPOSED = "proposed"
    """The supervisor's first proposal."""
    REWRITTEN = "rewritten"
    """A later proposal, after the gate refused."""
    FEEDBACK = "feedback"
    """The engine's own sentence, which says only whether the last step helped."""


class Hint(Noun):
    """Text that passed the gate and reached the player."""

    text: str
    kind: HintKind
    level: Annotated[int, Field(ge=1, le=4)]
    """1 direction, 2 concept, 3 neighbourhood, 4 the kind of thing to look for."""


class Judgement(Noun):
    """Everything that the supervisor's side did about one step."""

    verdict: Verdict | None = None
    """None: not asked for (policy `never`), or none that could be read."""
    missing: str | None = None
    """Why there is no verdict, where one was asked for."""
    attempts: tuple[HintAttempt, ...] = ()
    """Each proposed hint with the gate's findings, in order."""
    hint: Hint | None = None


class ToolResult(Noun):
    """One call's result."""

    message: Message
    ok: bool
    shown: tuple[ShownRange, ...] = ()
    answer: tuple[AnswerFile, ...] | None = None


class Step(Noun):
    """One turn of the player, its results, and the judgement on it."""

    action: Message
    results: tuple[ToolResult, ...] = ()
    found: tuple[int, ...] = ()
    """Targets (positions in the answer) that this step's results completed."""
    judgement: Judgement = Judgement()
    nudge: str | None = None
    """The engine's own words after the step, if any."""
    usage: Usage = Usage()
    """Of all calls of the step: player, supervisor and judge."""

    @property
    def messages_after(self) -> tuple[Message, ...]:
        """Messages to the player after the results: the hint, then the nudge."""
        messages: list[Message] = []
        if self.judgement.hint is not None:
            messages.append(Message(role="user", content=self.judgement.hint.text, origin=Origin.HINT))
        if self.nudge is not None:
            messages.append(Message(role="user", content=self.nudge, origin=Origin.NUDGE))
        return tuple(messages)


class StopReason(StrEnum):
    """Why an episode ended."""

    FOUND = "found"
    GAVE_UP = "gave_up"
    STEPS = "steps"
    TOKENS = "tokens"
    TIME = "time"
    COST = "cost"
    CONVERSATION = "conversation"
    MODEL_ERROR = "model_error"
    TOOL_ERROR = "tool_error"
    CANCELLED = "cancelled"
    BUG = "bug"


class Stop(Noun):
    """The end of an episode."""

    reason: StopReason
    detail: str = ""
    """In words; for a bug its traceback."""


class Stratum(StrEnum):
    """Whether an episode was the player's own; the first is preferred."""

    UNHINTED = "unhinted"
    """The player got no hint and no nudge."""
    HINTED = "hinted"


class Trace(Noun):
    """One episode so far."""

    episode: str
    task: Task
    prompt: Message
    """The system prompt that the player was given."""
    opening: Message
    """The task as the player was given it."""
    steps: tuple[Step, ...] = ()
    stop: Stop | None = None

    def with_step(self, step: Step) -> "Trace":
        """This trace and one more step."""
        return self.model_copy(update={"steps": (*self.steps, step)})

    def with_stop(self, reason: StopReason, detail: str = "") -> "Trace":
        """This trace, over."""
        return self.model_copy(update={"stop": Stop(reason=reason, detail=detail)})

    @property
    def conversation(self) -> tuple[Message, ...]:
        """The player's conversation, in order."""
        messages = [self.prompt, self.opening]
        for step in self.steps:
            messages += [step.action, *(r.message for r in step.results), *step.messages_after]
        return tuple(messages)

    @property
    def found_targets(self) -> frozenset[int]:
        """Targets found so far, as positions in the answer."""
        return frozenset(i for step in self.steps for i in step.found)

    @property
    def answer(self) -> tuple[AnswerFile, ...] | None:
        """What the player named in its last `finish`, if it called it."""
        answers = [r.answer for step in self.steps for r in step.results if r.answer is not None]
        return answers[-1] if answers else None

    @property
    def stratum(self) -> Stratum:
        """Whether the player got a hint or a nudge."""
        return Stratum.HINTED if any(step.messages_after for step in self.steps) else Stratum.UNHINTED

    @property
    def usage(self) -> Usage:
        """Tokens of all calls so far."""
        return sum((step.usage for step in self.steps), Usage())

    @property
    def digest(self) -> str:
        """sha256 of all of it. Two episodes of a task that went the same way have the same digest: no time is in it."""
        return hashlib.sha256(orjson.dumps(self.model_dump(mode="json"))).hexdigest()
