"""The supervisor: judges each step, and proposes hints until one may be sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from selfplay.config import HintConfig, SeatConfig
from selfplay.core.message import Message, Origin
from selfplay.core.task import Task
from selfplay.core.trace import Hint, HintAttempt, HintFinding, HintKind, Judgement, Quality, ToolResult, Verdict
from selfplay.core.usage import Usage
from selfplay.episode.form_client import EpisodeRecorder, FormClient, FormUnansweredError
from selfplay.episode.player import ModelCall
from selfplay.episode.reply_forms import VERDICT_FORM, UnreadableReplyError, read_verdict
from selfplay.gate.text.view import normalise
from selfplay.journal.events import message_event
from selfplay.models.dialogue import Dialogue, message_from_reply
from selfplay.prompts import Prompt, load_prompt

HintGate = Callable[[str], Awaitable[HintAttempt]]
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

HINT_LEVELS = {1: "direction", 2: "concept", 3: "neighbourhood", 4: "kind of thing"}


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step as the supervisor is told of it."""

    number: int
    action: Message
    results: tuple[ToolResult, ...]
    found: tuple[str, ...]
    missing: tuple[str, ...]
    level: int | None
    """The level of the hint that is asked for; None when none is."""
    previous_words: tuple[str, ...] = ()
    """What was said to the player after the step before."""
    stuck_reason: str | None = None
    """Why the player counts as stuck, where it does."""

    def text(self) -> str:
        """The report in words."""
        return load_prompt("report").fill(
            number=str(self.number),
            thought=indent(thoughts_of(self.action)),
            calls=describe_calls(self.action, {r.message.tool_call_id or "": r.message.content for r in self.results}),
            found=", ".join(self.found) or "none",
            missing=", ".join(self.missing) or "none",
            said=indent("\n".join(self.previous_words) or "(nothing)"),
            wanted=self._describe_wanted_hint(),
        )

    def _describe_wanted_hint(self) -> str:
        if self.level is None:
            return "No hint is wanted now: answer with `hint` null."
        why = f" The player is stuck: {self.stuck_reason}." if self.stuck_reason else ""
        return f"A hint at level {self.level} ({HINT_LEVELS[self.level]}) is wanted now.{why}"


def thoughts_of(action: Message) -> str:
    """What the player thought in a turn: its reasoning and its words."""
    return "\n".join(t for t in (action.reasoning, action.content) if t) or "(no words)"


def indent(text: str) -> str:
    """The text with four blanks before each line: as material, told apart from the report's own words."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


def describe_calls(action: Message, results_by_id: Mapping[str, str], placeholder: str = "") -> str:
    """The calls of a turn, each with its result in `results_by_id`, or `placeholder`."""
    if not action.tool_calls:
        return indent("(no call)")
    parts = [indent(f"{c.name} {c.arguments}\n->\n{results_by_id.get(c.id, placeholder)}") for c in action.tool_calls]
    return "\n\n".join(parts)


def opening_messages(
    task: Task, goal_outline: str, player_instructions: str, prompt: Prompt | None = None
) -> tuple[Message, Message]:
    """How the supervisor's conversation begins: its prompt, and the assignment with what the goals are about."""
    patch = task.answer.patch
    assignment = load_prompt("assignment").fill(
        instructions=indent(player_instructions),
        task=indent(task.brief.prompt),
        targets=goal_outline,
        patch=f"\nThe change that the task led to:\n\n{indent(patch)}\n" if patch else "",
    )
    return (
        Message(role="system", content=(prompt or load_prompt("supervisor")).text, origin=Origin.PROMPT),
        Message(role="user", content=assignment, origin=Origin.TASK),
    )


class NoVerdictError(Exception):
    """A verdict could not be had; the message says why."""


@dataclass(slots=True)
class Supervisor:
    """One episode's supervisor. Its conversation is append-only."""

    ask: ModelCall
    config: SeatConfig
    hints: HintConfig
    tries: int
    """Attempts at a verdict that can be read."""
    dialogue: Dialogue
    journal: EpisodeRecorder
    form_client: FormClient = field(init=False)
    usages: list[Usage] = field(init=False, default_factory=list[Usage])
    """Of each of its calls since the last `judge` began."""
    overflow_reason: str | None = field(init=False, default=None)
    """Set once its conversation no longer fits its model: from then on there are no verdicts."""
    sent_hints: set[str] = field(init=False, default_factory=set[str])
    """Every hint of the episode, in the form in which they are compared."""

    def __post_init__(self) -> None:
        """Find the way of asking anew in each episode."""
        self.form_client = FormClient("supervisor", self.ask, self.config, VERDICT_FORM, self.journal)

    async def judge(self, report: StepReport, gate: HintGate) -> Judgement:
        """The verdict on a step, and the hint that may be sent if one was asked for. Raises ModelError.

        A verdict that can't be had is recorded as missing: the episode goes on without a hint.
        """
        self.usages = []
        try:
            verdict = await self.request_verdict(report.text())
        except NoVerdictError as error:
            return Judgement(missing=str(error))
        if report.level is None or verdict.hint is None:
            return Judgement(verdict=verdict)
        judgement = await self._try_proposals(verdict, verdict.hint, report.level, gate)
        if judgement.hint is not None:
            self.sent_hints.add(comparison_key(judgement.hint.text))
        return judgement

    async def _try_proposals(self, verdict: Verdict, proposal: str, level: int, gate: HintGate) -> Judgement:
        """Ask for other words until nothing speaks against them, up to `hints.attempts` proposals."""
        attempts = [await self._check_proposal(proposal, gate)]
        missing: str | None = None
        while attempts[-1].findings and len(attempts) < self.hints.attempts:
            try:
                proposal = (await self.request_verdict(_refusal_text(attempts[-1], level))).hint or ""
            except NoVerdictError as error:
                missing = str(error)
                break
            if not proposal:
                break
            attempts.append(await self._check_proposal(proposal, gate))
        hint = _hint_from_attempts(attempts, level)
        if hint is None and self.hints.fallback == "feedback":
            hint = self._choose_feedback(verdict.quality, level)
        return Judgement(verdict=verdict, missing=missing, attempts=tuple(attempts), hint=hint)

    async def _check_proposal(self, proposal: str, gate: HintGate) -> HintAttempt:
        """A proposal with what speaks against it: that it was said before, or what the gate finds."""
        if comparison_key(proposal) in self.sent_hints:
            return HintAttempt(text=proposal, findings=(repetition_finding(proposal),))
        return await gate(proposal)

    def _choose_feedback(self, quality: Quality, level: int) -> Hint | None:
        """The first wording that was not used yet; None when all were."""
        fresh = (text for text in FEEDBACK[quality] if comparison_key(text) not in self.sent_hints)
        text = next(fresh, None)
        return None if text is None else Hint(text=text, kind=HintKind.FEEDBACK, level=level)

    async def request_verdict(self, text: str) -> Verdict:
        """The verdict on what `text` reports. Raises NoVerdictError, ModelError."""
        self._append_report(text)
        return await self._read_next_verdict()

    def _append_report(self, text: str) -> None:
        if self.overflow_reason is not None:
            raise NoVerdictError(self.overflow_reason)
        message = Message(role="user", content=text, origin=Origin.REPORT)
        self.journal.record(message_event("supervisor", message))
        self.dialogue.append(message)

    async def _read_next_verdict(self) -> Verdict:
        problem = ""
        for i in range(self.tries):
            if i:
                self._append_report(load_prompt("unreadable").fill(problem=problem))
            try:
                reply = await self.form_client.request_reply(
                    lambda head: self.dialogue.build_request(head, Origin.SUPERVISOR)
                )
            except FormUnansweredError as error:
                self.overflow_reason = str(error) if error.is_full else None
                raise NoVerdictError(str(error)) from error
            self.usages.append(reply.usage)
            self.dialogue.append(message_from_reply(reply))
            try:
                return read_verdict(reply)
            except UnreadableReplyError as error:
                problem = str(error)
        raise NoVerdictError(f"no readable verdict in {self.tries} tries; the last one: {problem}")


def comparison_key(hint: str) -> str:
    """A hint in the form in which two are the same: its words, without case, signs, markup and white space."""
    return " ".join(token.text for token in normalise(hint).tokens) or hint.strip()


def repetition_finding(hint: str) -> HintFinding:
    """What is said to the supervisor of a hint that it gave before."""
    why = "the player has had this hint already; a second time it tells nothing new. Say another thing"
    return HintFinding(kind="repeated", text=hint, span=(0, len(hint)), why=why)


def _hint_from_attempts(attempts: Sequence[HintAttempt], level: int) -> Hint | None:
    last = attempts[-1]
    if last.findings:
        return None
    kind = HintKind.PROPOSED if len(attempts) == 1 else HintKind.REWRITTEN
    return Hint(text=last.text, kind=kind, level=level)


def _refusal_text(attempt: HintAttempt, level: int) -> str:
    findings = "\n".join(f"- {f.text!r} ({f.kind}): {f.why}" for f in attempt.findings)
    return load_prompt("refused").fill(findings=findings, level=f"{level} ({HINT_LEVELS[level]})")
