"""One episode: player, tools, supervisor and gate, step by step, until there is a reason to stop."""

import traceback
from collections.abc import Sequence
from functools import cache, partial
from importlib.metadata import version

import anyio

from selfplay.dialogue import Dialogue
from selfplay.errors import ConfigError, ContextTooLong, JournalError, ModelError, RequestRefused
from selfplay.events import JOURNAL_VERSION, Event, said
from selfplay.gate import Seen, findings, findings_together
from selfplay.gate.judge import findings_of
from selfplay.journal import Journal
from selfplay.judge import Judge
from selfplay.message import Message, Origin, ToolCall
from selfplay.models.prices import Price, cost_usd
from selfplay.models.protocol import Reply, Usage
from selfplay.pacing import Pacing, defaults_of
from selfplay.player import Player, player_head
from selfplay.progress import Progress
from selfplay.prompts import prompt, shipped
from selfplay.replay import trace_of
from selfplay.stage import Seats, Stage, advice_mark, instructions
from selfplay.supervisor import Report, Supervisor, opening
from selfplay.tasks import row_of
from selfplay.trace import Attempt, Finding, Judgement, Step, StopReason, ToolResult, Trace
from selfplay.wire import WIRE_VERSION
from selfplay_tools.errors import ToolsError

UNJUDGED = Judgement()
"""Of every step of an episode without a supervisor."""


async def play(episode: str, stage: Stage, seats: Seats, journal: Journal) -> Trace:
    """Play an episode to its end, or take it up where the journal stops.

    Raises TransientModelError when a model stays out of reach and FatalModelError when it can't be used at all (the
    episode is not over then: the same call takes it up), and JournalError. A bug or a broken tool ends the episode
    with its traceback on the trace.
    """
    game = _Episode(episode, stage, seats, journal)
    start = game.start()
    if journal.is_over:
        return trace_of([start, *journal.rest()], str(journal.path))
    game.open()
    try:
        trace = await game.play()
    except (ModelError, JournalError):
        raise
    except ToolsError:
        trace = game.trace.ended(StopReason.TOOL_ERROR, traceback.format_exc())
    except Exception:  # noqa: BLE001  one episode's bug ends that episode, with its traceback on the trace
        trace = game.trace.ended(StopReason.BUG, traceback.format_exc())
    assert trace.stop is not None  # noqa: S101  for the type checker: every way here ends the trace
    journal.record({"event": "stop", "stop": trace.stop.model_dump(mode="json")})
    await anyio.to_thread.run_sync(journal.sync)
    return trace


@cache
def _release() -> str:
    return version("selfplay")


def note_shown(seen: Seen, result: ToolResult) -> None:
    """Tell the gate what the player has been shown of files by a result.

    Only that: not the player's own words, nor a result's first line, which repeats what the player asked for. A guess
    must not become free for the supervisor to confirm.
    """
    if result.shown:
        seen.add(result.message.content, has_head=True)
    for part in result.shown:
        if part.how == "read":
            seen.open(part.path)


class _Episode:
    """The state of one episode while it is played."""

    def __init__(self, episode: str, stage: Stage, seats: Seats, journal: Journal) -> None:
        self._stage, self._seats, self._journal = stage, seats, journal
        self._limits = stage.config.limits
        self._mark = advice_mark(stage)
        self._schemas = stage.toolbox.schemas()
        text = instructions(stage.config, self._mark, is_supervised=seats.supervisor is not None)
        self.trace = Trace(
            episode=episode,
            task=stage.task,
            prompt=Message(role="system", content=text, origin=Origin.PROMPT),
            opening=Message(role="user", content=stage.task.brief.prompt, origin=Origin.TASK),
        )
        self._player = Player(seats.player, player_head(stage.config.player, self._schemas))
        self._dialogue = Dialogue(
            channel=stage.config.hints.channel, mark=self._mark, reasoning=stage.config.player.history_reasoning
        )
        self._supervisor = self._supervised() if seats.supervisor else None
        self._judge = self._judging() if seats.supervisor and seats.judge else None
        self._progress = Progress(stage.task.answer.targets)
        self._pacing = Pacing(stage.config.hints, defaults_of(self._schemas))
        self._seen = Seen()
        self._ids: frozenset[str] = frozenset()
        self._tokens = 0
        self._cost = 0.0

    def _supervised(self) -> Supervisor:
        config = self._stage.config
        assert self._seats.supervisor is not None  # noqa: S101  for the type checker: the caller has looked
        return Supervisor(
            ask=self._seats.supervisor,
            config=config.supervisor,
            hints=config.hints,
            tries=config.limits.verdict_tries,
            dialogue=Dialogue(),
            journal=self._journal,
        )

    def _judging(self) -> Judge:
        config = self._stage.config.judge
        if config is None or self._seats.judge is None:
            raise ConfigError("a judge without its settings; give the section [judge]")
        return Judge(self._seats.judge, config, self._journal, self._stage.task.brief.prompt)

    async def play(self) -> Trace:
        while self.trace.stop is None:
            self.trace = self._over_a_limit() or await self._next()
        return self.trace

    def start(self) -> Event:
        """Begin the journal, or find that it begins like this episode. Raises JournalError."""
        stage = self._stage
        start: Event = {
            "event": "start",
            "journal": JOURNAL_VERSION,
            "wire": WIRE_VERSION,
            "selfplay": _release(),
            "episode": self.trace.episode,
            "task": row_of(stage.task).model_dump(mode="json", exclude_defaults=True),
            "snapshot": stage.snapshot_id,
            "supervised": self._supervisor is not None,
            "attempt": stage.attempt,
            "config": stage.config.model_dump(mode="json", exclude_defaults=True),
            "channel": stage.config.hints.channel,
            "mark": self._mark,
            "reasoning": stage.config.player.history_reasoning,
            "production_prompt": prompt("player").text,
            "prompts": {name: p.sha256 for name, p in shipped().items()},
            "tools": self._schemas,
        }
        return self._journal.start(start)

    def open(self) -> None:
        """Say to player and supervisor what they are told at the beginning."""
        opening_words = (self.trace.prompt, self.trace.opening)
        for message in opening_words:
            self._journal.record(said("player", message))
        self._dialogue.say(*opening_words)
        if self._supervisor is not None:
            self._seen.add(self.trace.opening.content)
            words = opening(self._stage.task, self._stage.about, self.trace.prompt.content)
            for message in words:
                self._journal.record(said("supervisor", message))
            self._supervisor.dialogue.say(*words)

    def _over_a_limit(self) -> Trace | None:
        limits, usage, spent = self._limits, self._tokens, self._journal.seconds
        if len(self.trace.steps) >= limits.steps:
            return self.trace.ended(StopReason.STEPS, f"{limits.steps} steps taken")
        if limits.tokens is not None and usage >= limits.tokens:
            return self.trace.ended(StopReason.TOKENS, f"{usage} tokens of {limits.tokens} used")
        if limits.time_s is not None and spent >= limits.time_s:
            return self.trace.ended(StopReason.TIME, f"{spent:.1f} s of {limits.time_s:g} s spent")
        if limits.cost_usd is not None and self._cost >= limits.cost_usd:
            return self.trace.ended(StopReason.COST, f"{self._cost:.4f} USD of {limits.cost_usd:g} USD spent")
        return None

    async def _next(self) -> Trace:
        """The trace and one more step, or its end."""
        try:
            reply = await self._player.act(self._dialogue, self._journal, self._ids)
        except (ContextTooLong, RequestRefused) as error:
            if isinstance(error, RequestRefused) and not self.trace.steps:
                raise  # the server takes no request of this kind: the set-up is wrong, not the episode
            return self.trace.ended(StopReason.MODEL_ERROR, str(error))
        self._pay(reply.usage, self._seats.player_price)
        action = reply.message
        self._ids |= {call.id for call in action.tool_calls}
        results = await self._carry_out(action)
        step = await self._judged(action, results, reply)
        self._dialogue.say(action, *(r.message for r in results), *step.after)
        trace = self.trace.then(step)
        return self._outcome(trace, step) or trace

    async def _carry_out(self, action: Message) -> tuple[ToolResult, ...]:
        number = len(self.trace.steps) + 1
        results: list[ToolResult] = []
        for call in action.tool_calls:
            results.append(await self._journal.result(number, call.id, partial(self._carry_out_one, call, results)))
        if self._supervisor is not None:
            for result in results:
                note_shown(self._seen, result)
        return tuple(results)

    async def _carry_out_one(self, call: ToolCall, before: Sequence[ToolResult]) -> ToolResult:
        if call.is_cut:
            return _refused(
                call,
                "This call was cut off at the length limit of your message and was not carried out. "
                "Write less before the call, and call again.",
            )
        if any(result.answer is not None for result in before):
            return _refused(call, "Not carried out: you have given your answer in this turn.")
        if len(before) >= self._limits.calls_per_turn:
            return _refused(call, f"Not carried out: at most {self._limits.calls_per_turn} calls a turn. Call again.")
        run = partial(self._stage.toolbox.run, call.name, call.arguments)
        result = await self._stage.threads.run(run)
        message = _tool_message(call, result.text)
        return ToolResult(message=message, ok=result.ok, shown=result.shown, answer=result.answer)

    async def _judged(self, action: Message, results: tuple[ToolResult, ...], reply: Reply) -> Step:
        """The step with what it found, the verdict, the hint, and the engine's own words."""
        found = self._progress.add(part for r in results for part in r.shown)
        judgement, usage = UNJUDGED, reply.usage
        if self._supervisor is None:
            self._pacing.turned(action)
        else:
            self._pacing.took(action, results, has_found=bool(found))
            judgement = await self._supervised_step(self._supervisor, self._report(action, results))
            usage = sum((*self._supervisor.usages, *(self._judge.usages if self._judge else ())), usage)
        nudge = self._nudge(action, results, has_found=bool(found))
        step = Step(action=action, results=results, found=found, judgement=judgement, nudge=nudge, usage=usage)
        self._journal.record(step_event(len(self.trace.steps) + 1, step))
        return step

    async def _supervised_step(self, supervisor: Supervisor, report: Report) -> Judgement:
        """What supervisor and gate made of a step; its cost is paid and the pacing knows of it."""
        if self._judge is not None:
            self._judge.saw(report)
        judgement = await supervisor.judge(report, self._tried)
        for usage in supervisor.usages:
            self._pay(usage, self._seats.supervisor_price)
        for usage in self._judge.usages if self._judge else ():
            self._pay(usage, self._seats.judge_price)
        self._pacing.judged(judgement.verdict.quality if judgement.verdict else None)
        if judgement.hint is not None:
            self._pacing.hinted()
        return judgement

    def _report(self, action: Message, results: tuple[ToolResult, ...]) -> Report:
        names = tuple(map(str, self._stage.task.answer.targets))
        found = self._progress.found
        return Report(
            number=len(self.trace.steps) + 1,
            action=action,
            results=results,
            found=tuple(name for i, name in enumerate(names) if i in found),
            missing=tuple(name for i, name in enumerate(names) if i not in found),
            level=None if self._progress.is_complete else self._pacing.due(),
            stuck_because=self._pacing.stuck_because,
            said=tuple(message.content for step in self.trace.steps[-1:] for message in step.after),
        )

    async def _tried(self, hint: str) -> Attempt:
        """The proposal with what the gate finds in it: its checks, and where they find nothing its judge."""
        found = await self._stage.threads.run(partial(self._checked, hint))
        targets = self._unread_targets()
        if found or self._judge is None or not targets:
            return Attempt(text=hint, findings=found)
        opinion = await self._judge.opinion(hint, targets)
        return Attempt(text=hint, findings=findings_of(hint, opinion), opinion=opinion)

    def _checked(self, hint: str) -> tuple[Finding, ...]:
        """What the checks find in a proposal, by itself or together with the hints before it. Blocking."""
        secret, seen = self._stage.secret, self._seen
        sent = [step.judgement.hint.text for step in self.trace.steps if step.judgement.hint is not None]
        return findings(hint, secret, seen) or findings_together(hint, sent, secret, seen)

    def _unread_targets(self) -> tuple[str, ...]:
        """Paths of files of which no target was found yet."""
        targets = self._stage.task.answer.targets
        known = {targets[i].path for i in self._progress.found}
        return tuple(dict.fromkeys(t.path for t in targets if t.path not in known))

    def _pay(self, usage: Usage, price: Price | None) -> None:
        self._tokens += usage.total_tokens
        if price is not None:
            self._cost += cost_usd(usage, price)

    def _is_right(self, results: tuple[ToolResult, ...]) -> bool:
        """True when `finish` names every target's file, and every target was shown."""
        named = {file.path for r in results for file in r.answer or ()}
        return self._progress.is_complete and named.issuperset(self._stage.task.answer.paths)

    def _nudge(self, action: Message, results: tuple[ToolResult, ...], *, has_found: bool) -> str | None:
        """The engine's own words after a step, if it needs any."""
        has_answered = any(r.answer is not None for r in results)
        if self._supervisor is None or self._is_right(results):
            return None  # in production nobody asks twice
        if has_answered:
            return prompt("nudge_incomplete" if self._progress.is_complete else "nudge_early").text
        if self._progress.is_complete and (has_found or not action.tool_calls):
            return prompt("nudge_found").text
        return None if action.tool_calls else prompt("nudge_call").text

    def _outcome(self, trace: Trace, step: Step) -> Trace | None:
        """The trace at its end, if this step ended it."""
        if self._is_right(step.results):
            return trace.ended(StopReason.FOUND)
        if self._supervisor is None and any(r.answer is not None for r in step.results):
            return trace.ended(StopReason.GAVE_UP, "finished without having read and named every target")
        if self._supervisor is None and not step.action.tool_calls:
            return trace.ended(StopReason.GAVE_UP, "a turn without a call")
        if self._pacing.idle_turns >= self._limits.idle_turns:
            return trace.ended(
                StopReason.GAVE_UP, f"{self._pacing.idle_turns} turns in a row that only answered or called nothing"
            )
        return None


def step_event(number: int, step: Step) -> Event:
    """The journal's event for a step: what its calls and results do not tell."""
    judgement = step.judgement.model_dump(mode="json", exclude_defaults=True)
    return {"event": "step", "step": number, "found": list(step.found), "judgement": judgement, "nudge": step.nudge}


def _tool_message(call: ToolCall, text: str) -> Message:
    return Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id=call.id, name=call.name)


def _refused(call: ToolCall, text: str) -> ToolResult:
    return ToolResult(message=_tool_message(call, text), ok=False)
