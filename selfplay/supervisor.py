"""The supervisor: judges each step, and proposes hints until one may be sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from selfplay.asking import Asking, Record, UnansweredError
from selfplay.config import HintConfig, SeatConfig
from selfplay.dialogue import Dialogue, as_said
from selfplay.events import said
from selfplay.gate.text import normalised
from selfplay.message import Message, Origin
from selfplay.models.protocol import Usage
from selfplay.player import Ask
from selfplay.prompts import prompt
from selfplay.task import Task
from selfplay.trace import Attempt, Finding, Hint, HintKind, Judgement, Quality, ToolResult, Verdict
from selfplay.verdicts import VERDICT, UnreadableVerdictError, read_verdict

Gate = Callable[[str], Awaitable[Attempt]]
"""A proposal with what it would reveal, at this moment of the episode."""

FEEDBACK: Mapping[Quality, tuple[str, ...]] = {
    Quality.PRODUCTIVE: (
        "Your last step helped. Go on like this.",
        "That was a good step.",
        "This step brought you forward.",
        "You are getting on; the last step was of use.",
    ),
    Quality.NEUTRAL: (
        "Your last step did no harm and did not help much. Try another angle.",
        "The last step changed little. Think of something else to try.",
        "That did not bring you forward yet. Come at it from another side.",
        "Nothing was lost with that step, and not much was won.",
    ),
    Quality.WASTEFUL: (
        "Your last step did not help. Try another angle.",
        "That step was of no use. Do something else.",
        "The last step could have been spared. Change your way.",
        "You gained nothing by that. Think before the next step.",
    ),
    Quality.MISTAKEN: (
        "Your last step rests on a mistake. Think it over before you go on.",
        "Something in your last step is wrong. Go through it again.",
        "What you took for granted in the last step does not hold.",
        "The last step went wrong; look again at what you have really seen.",
    ),
}
"""What is said when no proposal passed: only whether the last step helped. Each wording once in an episode."""

LEVELS = {1: "direction", 2: "concept", 3: "neighbourhood", 4: "kind of thing"}


@dataclass(frozen=True, slots=True)
class Report:
    """One step as the supervisor is told of it."""

    number: int
    action: Message
    results: tuple[ToolResult, ...]
    found: tuple[str, ...]
    missing: tuple[str, ...]
    level: int | None
    """The level of the hint that is asked for; None when none is."""
    said: tuple[str, ...] = ()
    """What was said to the player after the step before."""
    stuck_because: str | None = None
    """Why the player counts as stuck, where it does."""

    def text(self) -> str:
        """The report in words."""
        return prompt("report").fill(
            number=str(self.number),
            thought=indented(thought_of(self.action)),
            calls=calls_in_words(self.action, {r.message.tool_call_id or "": r.message.content for r in self.results}),
            found=", ".join(self.found) or "none",
            missing=", ".join(self.missing) or "none",
            said=indented("\n".join(self.said) or "(nothing)"),
            wanted=self._wanted(),
        )

    def _wanted(self) -> str:
        if self.level is None:
            return "No hint is wanted now: answer with `hint` null."
        why = f" The player is stuck: {self.stuck_because}." if self.stuck_because else ""
        return f"A hint at level {self.level} ({LEVELS[self.level]}) is wanted now.{why}"


def thought_of(action: Message) -> str:
    """What the player thought in a turn: its reasoning and its words."""
    return "\n".join(t for t in (action.reasoning, action.content) if t) or "(no words)"


def indented(text: str) -> str:
    """The text with four blanks before each line: as material, told apart from the report's own words."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


def calls_in_words(action: Message, said: Mapping[str, str], without: str = "") -> str:
    """The calls of a turn, each with what `said` holds under its id, or `without`."""
    if not action.tool_calls:
        return indented("(no call)")
    parts = [indented(f"{c.name} {c.arguments}\n->\n{said.get(c.id, without)}") for c in action.tool_calls]
    return "\n\n".join(parts)


def opening(task: Task, about: str, instructions: str) -> tuple[Message, Message]:
    """How the supervisor's conversation begins: its prompt, and the assignment with what the targets are about."""
    patch = task.answer.patch
    assignment = prompt("assignment").fill(
        instructions=indented(instructions),
        task=indented(task.brief.prompt),
        targets=about,
        patch=f"\nThe change that the task led to:\n\n{indented(patch)}\n" if patch else "",
    )
    return (
        Message(role="system", content=prompt("supervisor").text, origin=Origin.PROMPT),
        Message(role="user", content=assignment, origin=Origin.TASK),
    )


class NoVerdictError(Exception):
    """A verdict could not be had; the message says why."""


@dataclass(slots=True)
class Supervisor:
    """One episode's supervisor. Its conversation is append-only."""

    ask: Ask
    config: SeatConfig
    hints: HintConfig
    tries: int
    """Attempts at a verdict that can be read."""
    dialogue: Dialogue
    journal: Record
    asking: Asking = field(init=False)
    usages: list[Usage] = field(init=False, default_factory=list[Usage])
    """Of each of its calls since the last `judge` began."""
    full: str | None = field(init=False, default=None)
    """Set once its conversation no longer fits its model: from then on there are no verdicts."""
    sent: set[str] = field(init=False, default_factory=set[str])
    """Every hint of the episode, in the form in which they are compared."""

    def __post_init__(self) -> None:
        """Find the way of asking anew in each episode."""
        self.asking = Asking("supervisor", self.ask, self.config, VERDICT, self.journal)

    async def judge(self, report: Report, gate: Gate) -> Judgement:
        """The verdict on a step, and the hint that may be sent if one was asked for. Raises ModelError.

        A verdict that can't be had is recorded as missing: the episode goes on without a hint.
        """
        self.usages = []
        try:
            verdict = await self.verdict_on(report.text())
        except NoVerdictError as error:
            return Judgement(missing=str(error))
        if report.level is None or verdict.hint is None:
            return Judgement(verdict=verdict)
        judgement = await self._with_hint(verdict, verdict.hint, report.level, gate)
        if judgement.hint is not None:
            self.sent.add(compared(judgement.hint.text))
        return judgement

    async def _with_hint(self, verdict: Verdict, proposal: str, level: int, gate: Gate) -> Judgement:
        """Ask for other words until nothing speaks against them, up to `hints.attempts` proposals."""
        attempts = [await self._tried(proposal, gate)]
        missing: str | None = None
        while attempts[-1].findings and len(attempts) < self.hints.attempts:
            try:
                proposal = (await self.verdict_on(_refusal(attempts[-1], level))).hint or ""
            except NoVerdictError as error:
                missing = str(error)
                break
            if not proposal:
                break
            attempts.append(await self._tried(proposal, gate))
        hint = _admitted(attempts, level)
        if hint is None and self.hints.fallback == "feedback":
            hint = self._feedback(verdict.quality, level)
        return Judgement(verdict=verdict, missing=missing, attempts=tuple(attempts), hint=hint)

    async def _tried(self, proposal: str, gate: Gate) -> Attempt:
        """A proposal with what speaks against it: that it was said before, or what the gate finds."""
        if compared(proposal) in self.sent:
            return Attempt(text=proposal, findings=(repeated(proposal),))
        return await gate(proposal)

    def _feedback(self, quality: Quality, level: int) -> Hint | None:
        """The first wording that was not used yet; None when all were."""
        fresh = (text for text in FEEDBACK[quality] if compared(text) not in self.sent)
        text = next(fresh, None)
        return None if text is None else Hint(text=text, kind=HintKind.FEEDBACK, level=level)

    async def verdict_on(self, text: str) -> Verdict:
        """The verdict on what `text` reports. Raises NoVerdictError, ModelError."""
        self._tell(text)
        return await self._verdict()

    def _tell(self, text: str) -> None:
        if self.full is not None:
            raise NoVerdictError(self.full)
        message = Message(role="user", content=text, origin=Origin.REPORT)
        self.journal.record(said("supervisor", message))
        self.dialogue.say(message)

    async def _verdict(self) -> Verdict:
        problem = ""
        for i in range(self.tries):
            if i:
                self._tell(prompt("unreadable").fill(problem=problem))
            try:
                reply = await self.asking.reply(lambda head: self.dialogue.request(head, Origin.SUPERVISOR))
            except UnansweredError as error:
                self.full = str(error) if error.is_full else None
                raise NoVerdictError(str(error)) from error
            self.usages.append(reply.usage)
            self.dialogue.say(as_said(reply))
            try:
                return read_verdict(reply)
            except UnreadableVerdictError as error:
                problem = str(error)
        raise NoVerdictError(f"no readable verdict in {self.tries} tries; the last one: {problem}")


def compared(hint: str) -> str:
    """A hint in the form in which two are the same: its words, without case, signs, markup and white space."""
    return " ".join(token.text for token in normalised(hint).tokens) or hint.strip()


def repeated(hint: str) -> Finding:
    """What is said to the supervisor of a hint that it gave before."""
    why = "the player has had this hint already; a second time it tells nothing new. Say another thing"
    return Finding(kind="repeated", text=hint, span=(0, len(hint)), why=why)


def _admitted(attempts: Sequence[Attempt], level: int) -> Hint | None:
    last = attempts[-1]
    if last.findings:
        return None
    kind = HintKind.PROPOSED if len(attempts) == 1 else HintKind.REWRITTEN
    return Hint(text=last.text, kind=kind, level=level)


def _refusal(attempt: Attempt, level: int) -> str:
    findings = "\n".join(f"- {f.text!r} ({f.kind}): {f.why}" for f in attempt.findings)
    return prompt("refused").fill(findings=findings, level=f"{level} ({LEVELS[level]})")
