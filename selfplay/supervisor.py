"""The supervisor: judges each step, and proposes hints until the gate lets one through."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from selfplay.config import HintConfig, SeatConfig, VerdictMode
from selfplay.dialogue import Dialogue, as_said
from selfplay.errors import ContextTooLong, FatalModelError, RequestRefused
from selfplay.journal import Event, Seat, said
from selfplay.message import Message, Origin
from selfplay.models.protocol import Reply, Request, Usage
from selfplay.player import Ask
from selfplay.prompts import prompt
from selfplay.task import Task
from selfplay.trace import Attempt, Finding, Hint, HintKind, Judgement, Quality, ToolResult, Verdict
from selfplay.verdicts import NEXT_MODE, UnreadableVerdictError, read_verdict, verdict_head

Gate = Callable[[str], Awaitable[Sequence[Finding]]]
"""What a hint would reveal, at this moment of the episode."""

FEEDBACK = {
    Quality.PRODUCTIVE: "Your last step helped. Go on like this.",
    Quality.NEUTRAL: "Your last step did no harm and did not help much. Try another angle.",
    Quality.WASTEFUL: "Your last step did not help. Try another angle.",
    Quality.MISTAKEN: "Your last step rests on a mistake. Think it over before you go on.",
}
"""What is said when no proposal passed: only whether the last step helped."""


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

    def text(self) -> str:
        """The report in words."""
        wanted = "No hint is wanted now: answer with `hint` null."
        if self.level is not None:
            wanted = f"A hint at level {self.level} is wanted now."
        return prompt("report").fill(
            number=str(self.number),
            thought=indented(thought_of(self.action)),
            calls=calls_in_words(self.action, {r.message.tool_call_id or "": r.message.content for r in self.results}),
            found=", ".join(self.found) or "none",
            missing=", ".join(self.missing) or "none",
            said=indented("\n".join(self.said) or "(nothing)"),
            wanted=wanted,
        )


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


class Record(Protocol):
    """Where calls and what is said are kept: a journal, or nowhere."""

    def record(self, event: Event) -> None:
        """Keep an event."""
        ...

    async def call(self, seat: Seat, request: Request, live: Ask, *, keeps: Callable[[FatalModelError], bool]) -> Reply:
        """The reply to a request, as `selfplay.journal.Journal.call` gives it."""
        ...


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
    mode: VerdictMode = field(init=False)
    usages: list[Usage] = field(init=False, default_factory=list[Usage])
    """Of each of its calls since the last `judge` began."""
    has_answered: bool = field(init=False, default=False)
    """True once its server took a request: it takes this way of asking."""
    full: str | None = field(init=False, default=None)
    """Set once its conversation no longer fits its model: from then on there are no verdicts."""

    def __post_init__(self) -> None:
        """Start with the best way of asking."""
        self.mode = "json_schema" if self.config.verdict_mode == "auto" else self.config.verdict_mode

    async def judge(self, report: Report, gate: Gate) -> Judgement:
        """The verdict on a step, and the hint that passed the gate if one was asked for. Raises ModelError.

        A verdict that can't be had is recorded as missing: the episode goes on without a hint.
        """
        self.usages = []
        try:
            verdict = await self.verdict_on(report.text())
        except NoVerdictError as error:
            return Judgement(missing=str(error))
        if report.level is None or verdict.hint is None:
            return Judgement(verdict=verdict)
        return await self._with_hint(verdict, verdict.hint, report.level, gate)

    async def _with_hint(self, verdict: Verdict, proposal: str, level: int, gate: Gate) -> Judgement:
        """Ask for other words until the gate finds nothing, up to `hints.attempts` proposals."""
        attempts = [Attempt(text=proposal, findings=tuple(await gate(proposal)))]
        missing: str | None = None
        while attempts[-1].findings and len(attempts) < self.hints.attempts:
            try:
                proposal = (await self.verdict_on(_refusal(attempts[-1], level))).hint or ""
            except NoVerdictError as error:
                missing = str(error)
                break
            if not proposal:
                break
            attempts.append(Attempt(text=proposal, findings=tuple(await gate(proposal))))
        hint = _admitted(attempts, level)
        if hint is None and self.hints.fallback == "feedback":
            hint = Hint(text=FEEDBACK[verdict.quality], kind=HintKind.FEEDBACK, level=level)
        return Judgement(verdict=verdict, missing=missing, attempts=tuple(attempts), hint=hint)

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
            reply = await self._reply()
            self.usages.append(reply.usage)
            self.dialogue.say(as_said(reply))
            try:
                return read_verdict(reply)
            except UnreadableVerdictError as error:
                problem = str(error)
        raise NoVerdictError(f"no readable verdict in {self.tries} tries; the last one: {problem}")

    async def _reply(self) -> Reply:
        """One reply, asked for in the best way that the server takes."""
        while True:
            request = self.dialogue.request(self._head(), Origin.SUPERVISOR)
            try:
                reply = await self.journal.call("supervisor", request, self.ask, keeps=self._keeps)
            except ContextTooLong as error:
                self.full = f"the supervisor's conversation no longer fits its model: {error}"
                raise NoVerdictError(self.full) from error
            except RequestRefused as error:
                if self._falls_back(error):
                    self.mode = NEXT_MODE[self.mode]
                elif self.has_answered:
                    raise NoVerdictError(f"the supervisor's server refused the request: {error}") from error
                else:
                    raise  # it never took one: the set-up is wrong, not this step
            else:
                self.has_answered = True
                return reply

    def _falls_back(self, error: FatalModelError) -> bool:
        """True where another way of asking may help: it took none yet, and did not name a cause that lies elsewhere."""
        about_the_way = error.param is None or error.param.split(".")[0] in {"response_format", "tools", "tool_choice"}
        return self.config.verdict_mode == "auto" and self.mode in NEXT_MODE and about_the_way and not self.has_answered

    def _keeps(self, error: FatalModelError) -> bool:
        return isinstance(error, ContextTooLong) or self.has_answered or self._falls_back(error)

    def _head(self) -> Mapping[str, Any]:
        config = self.config
        return {"model": config.model_name, **config.sampling, **verdict_head(self.mode), **config.extra_body}


def _admitted(attempts: Sequence[Attempt], level: int) -> Hint | None:
    last = attempts[-1]
    if last.findings:
        return None
    kind = HintKind.PROPOSED if len(attempts) == 1 else HintKind.REWRITTEN
    return Hint(text=last.text, kind=kind, level=level)


def _refusal(attempt: Attempt, level: int) -> str:
    findings = "\n".join(f"- {f.text!r} ({f.kind}): {f.why}" for f in attempt.findings)
    return prompt("refused").fill(findings=findings, level=str(level))
