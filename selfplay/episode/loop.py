"""One episode: player, tools, supervisor and gate, step by step, until there is a reason to stop."""

import traceback
from collections.abc import Sequence
from functools import partial

import anyio

from selfplay.core.errors import ConfigError, ContextTooLong, JournalError, ModelError, RequestRefused
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.task_rows import row_of
from selfplay.core.trace import HintAttempt, HintFinding, Judgement, Step, StopReason, ToolResult, Trace
from selfplay.core.usage import Spending
from selfplay.core.wire import WIRE_VERSION
from selfplay.environments.environment import ToolSession
from selfplay.episode.episode_setup import (
    EpisodeSetup,
    Seats,
    advice_mark,
    player_instructions,
)
from selfplay.episode.judge import Judge
from selfplay.episode.pacing import Pacing, defaults_of
from selfplay.episode.player import Player, player_head
from selfplay.episode.supervisor import StepReport, Supervisor, opening_messages
from selfplay.gate import ShownText, check_hint, check_with_earlier_hints
from selfplay.gate.guesses import findings_from_opinion
from selfplay.journal.events import JOURNAL_VERSION, Event, message_event
from selfplay.journal.journal import Journal
from selfplay.journal.replay import trace_of
from selfplay.models.dialogue import Dialogue
from selfplay.models.prices import spending_of
from selfplay.models.protocol import ON_RETRY, ON_SEND, ModelReply, set_hook
from selfplay_tools import release_version
from selfplay_tools.errors import ToolsError

UNJUDGED = Judgement()
"""Of every step of an episode without a supervisor."""


async def play_episode(episode: str, setup: EpisodeSetup, seats: Seats, journal: Journal) -> Trace:
    """Play an episode to its end, or take it up where the journal stops.

    Raises TransientModelError when a model stays out of reach and FatalModelError when it can't be used at all (the
    episode is not over then: the same call takes it up), and JournalError. A bug or a broken tool ends the episode
    with its traceback on the trace.
    """
    episode_loop = _EpisodeLoop(episode, setup, seats, journal)
    start = episode_loop.start()
    if journal.is_over:
        return trace_of([start, *journal.replay_rest()], str(journal.path))
    episode_loop.send_openings()
    try:
        with set_hook(ON_SEND, journal.restart_clock), set_hook(ON_RETRY, journal.record_retry):
            trace = await episode_loop.play()
    except (ModelError, JournalError):
        raise
    except ToolsError:
        trace = episode_loop.trace.with_stop(StopReason.TOOL_ERROR, traceback.format_exc())
    except Exception:  # noqa: BLE001  one episode's bug ends that episode, with its traceback on the trace
        trace = episode_loop.trace.with_stop(StopReason.BUG, traceback.format_exc())
    assert trace.stop is not None  # noqa: S101  for the type checker: every way here ends the trace
    journal.record({"event": "stop", "stop": trace.stop.model_dump(mode="json")})
    await anyio.to_thread.run_sync(journal.sync)
    return trace


class _EpisodeLoop:
    """The state of one episode while it is played."""

    def __init__(self, episode: str, setup: EpisodeSetup, seats: Seats, journal: Journal) -> None:
        self._setup, self._seats, self._journal = setup, seats, journal
        self._limits = setup.config.limits
        self._mark = advice_mark(setup)
        self._schemas = setup.environment.schemas()
        self._prompts = setup.prompts
        text = player_instructions(setup, self._mark, is_supervised=seats.supervisor is not None)
        self.trace = Trace(
            episode=episode,
            task=setup.task,
            prompt=Message(role="system", content=text, origin=Origin.PROMPT),
            opening=Message(role="user", content=setup.task.brief.prompt, origin=Origin.TASK),
        )
        self._player = Player(seats.player, player_head(setup.config.player, self._schemas))
        self._dialogue = Dialogue(
            channel=setup.config.hints.channel, mark=self._mark, reasoning=setup.config.player.history_reasoning
        )
        self._supervisor = self._make_supervisor() if seats.supervisor else None
        self._judge = self._make_judge() if seats.supervisor and seats.judge else None
        self._progress = setup.kind.make_progress(setup.task)
        self._pacing = Pacing(setup.config.hints, defaults_of(self._schemas))
        self._shown_text = ShownText()
        self._ids: frozenset[str] = frozenset()
        self._spent = Spending()

    def _make_supervisor(self) -> Supervisor:
        config = self._setup.config
        assert self._seats.supervisor is not None  # noqa: S101  for the type checker: the caller has looked
        return Supervisor(
            ask=self._seats.supervisor,
            config=config.supervisor,
            hints=config.hints,
            tries=config.limits.verdict_tries,
            dialogue=Dialogue(),
            journal=self._journal,
        )

    def _make_judge(self) -> Judge:
        config = self._setup.config.judge
        if config is None or self._seats.judge is None:
            raise ConfigError("a judge without its settings; give the section [judge]")
        return Judge(self._seats.judge, config, self._journal, self._setup.task.brief.prompt)

    async def play(self) -> Trace:
        async with self._setup.environment.open_session(self._setup.threads) as session:
            while self.trace.stop is None:
                self.trace = self._stop_over_limit() or await self._take_step(session)
        return self.trace

    def start(self) -> Event:
        """Begin the journal, or find that it begins like this episode. Raises JournalError."""
        setup = self._setup
        start: Event = {
            "event": "start",
            "journal": JOURNAL_VERSION,
            "wire": WIRE_VERSION,
            "selfplay": release_version(),
            "episode": self.trace.episode,
            "task": row_of(setup.task).model_dump(mode="json", exclude_defaults=True),
            "snapshot": setup.environment.id,
            "supervised": self._supervisor is not None,
            "attempt": setup.attempt,
            "config": setup.config.model_dump(mode="json", exclude_defaults=True),
            "channel": setup.config.hints.channel,
            "mark": self._mark,
            "reasoning": setup.config.player.history_reasoning,
            "production_prompt": setup.production_prompt,
            "prompts": {name: p.sha256 for name, p in self._prompts.items()},
            "tools": self._schemas,
        }
        return self._journal.start(start)

    def send_openings(self) -> None:
        """Say to player and supervisor what they are told at the beginning."""
        player_messages = (self.trace.prompt, self.trace.opening)
        for message in player_messages:
            self._journal.record(message_event("player", message))
        self._dialogue.append(*player_messages)
        if self._supervisor is not None:
            self._shown_text.add(self.trace.opening.content)
            messages = opening_messages(
                self._setup.task,
                self._setup.goal_outline,
                self.trace.prompt.content,
                self._prompts["supervisor"],
            )
            for message in messages:
                self._journal.record(message_event("supervisor", message))
            self._supervisor.dialogue.append(*messages)

    def _stop_over_limit(self) -> Trace | None:
        limits, seconds = self._limits, self._journal.seconds
        tokens, usd = self._spent.usage.total_tokens, self._spent.cost_usd
        if len(self.trace.steps) >= limits.steps:
            return self.trace.with_stop(StopReason.STEPS, f"{limits.steps} steps taken")
        if limits.tokens is not None and tokens >= limits.tokens:
            return self.trace.with_stop(StopReason.TOKENS, f"{tokens} tokens of {limits.tokens} used")
        if limits.time_s is not None and seconds >= limits.time_s:
            return self.trace.with_stop(StopReason.TIME, f"{seconds:.1f} s of {limits.time_s:g} s spent")
        if limits.cost_usd is not None and usd >= limits.cost_usd:
            return self.trace.with_stop(StopReason.COST, f"{usd:.4f} USD of {limits.cost_usd:g} USD spent")
        most = limits.conversation_chars
        if most is not None and (chars := self._dialogue.count_chars()) > most:
            detail = f"the next request would have {chars} characters of {most}"
            return self.trace.with_stop(StopReason.CONVERSATION, detail)
        return None

    async def _take_step(self, session: ToolSession) -> Trace:
        """The trace and one more step, or its end."""
        try:
            reply = await self._ask_player()
        except (ContextTooLong, RequestRefused) as error:
            if isinstance(error, RequestRefused) and not self.trace.steps:
                raise  # the server takes no request of this kind: the set-up is wrong, not the episode
            return self.trace.with_stop(StopReason.MODEL_ERROR, str(error))
        self._spent += spending_of(reply.usage, self._seats.player_price)
        action = reply.message
        self._ids |= {call.id for call in action.tool_calls}
        results = await self._carry_out_calls(action, session)
        step = await self._make_step(action, results, reply)
        self._dialogue.append(action, *(r.message for r in results), *step.messages_after)
        trace = self.trace.with_step(step)
        return self._stop_if_over(trace, step) or trace

    async def _ask_player(self) -> ModelReply:
        request = self._player.build_request(self._dialogue)
        act = partial(self._player.act, taken=self._ids)
        # Refused at its very first request, it is the set-up that is wrong: that is asked again when it is mended.
        return await self._journal.call("player", request, act, keeps=lambda _: request.turn > 0)

    async def _carry_out_calls(self, action: Message, session: ToolSession) -> tuple[ToolResult, ...]:
        environment, number = self._setup.environment, len(self.trace.steps) + 1
        results: list[ToolResult] = []
        for call in action.tool_calls:
            live = partial(self._carry_out_call, call, results, session)
            repeats = environment.replay == "repeated"
            results.append(await self._journal.run_tool(number, call.id, live, repeats=repeats))
        if self._supervisor is not None:
            for result in results:
                environment.note_shown(self._shown_text, action, result)
        return tuple(results)

    async def _carry_out_call(self, call: ToolCall, before: Sequence[ToolResult], session: ToolSession) -> ToolResult:
        if call.is_cut:
            return _refuse_call(
                call,
                "This call was cut off at the length limit of your message and was not carried out. "
                "Write less before the call, and call again.",
            )
        if any(result.answer is not None for result in before):
            return _refuse_call(call, "Not carried out: you have given your answer in this turn.")
        if len(before) >= self._limits.calls_per_turn:
            return _refuse_call(
                call, f"Not carried out: at most {self._limits.calls_per_turn} calls a turn. Call again."
            )
        result = await session.call(call.name, call.arguments)
        message = _tool_message(call, result.text)
        return ToolResult(message=message, ok=result.ok, shown=result.shown, answer=result.answer)

    async def _make_step(self, action: Message, results: tuple[ToolResult, ...], reply: ModelReply) -> Step:
        """The step with what it found, the verdict, the hint, and the engine's own words."""
        found = self._progress.add(action, results)
        judgement, usage = UNJUDGED, reply.usage
        if self._supervisor is None:
            self._pacing.count_turn(action)
        else:
            self._pacing.count_step(action, results, has_found=bool(found))
            judgement = await self._supervise(self._supervisor, self._make_report(action, results))
            usage = sum((*self._supervisor.usages, *(self._judge.usages if self._judge else ())), usage)
        nudge = self._choose_nudge(action, results, has_found=bool(found))
        step = Step(action=action, results=results, found=found, judgement=judgement, nudge=nudge, usage=usage)
        self._journal.record(step_event(len(self.trace.steps) + 1, step))
        return step

    async def _supervise(self, supervisor: Supervisor, report: StepReport) -> Judgement:
        """What supervisor and gate made of a step; its cost is paid and the pacing knows of it."""
        if self._judge is not None:
            self._judge.add_step(report)
        judgement = await supervisor.judge(report, self._review_hint)
        for usage in supervisor.usages:
            self._spent += spending_of(usage, self._seats.supervisor_price)
        for usage in self._judge.usages if self._judge else ():
            self._spent += spending_of(usage, self._seats.judge_price)
        self._pacing.count_verdict(judgement.verdict.quality if judgement.verdict else None)
        if judgement.hint is not None:
            self._pacing.count_hint()
        return judgement

    def _make_report(self, action: Message, results: tuple[ToolResult, ...]) -> StepReport:
        names = tuple(map(str, self._setup.task.answer.all_goals))
        found = self._progress.found
        return StepReport(
            number=len(self.trace.steps) + 1,
            action=action,
            results=results,
            found=tuple(name for i, name in enumerate(names) if i in found),
            missing=tuple(name for i, name in enumerate(names) if i not in found),
            level=None if self._has_reached_all else self._pacing.due_level(),
            stuck_reason=self._pacing.stuck_reason,
            previous_words=tuple(message.content for step in self.trace.steps[-1:] for message in step.messages_after),
        )

    async def _review_hint(self, hint: str) -> HintAttempt:
        """The proposal with what the gate finds in it: its checks, and where they find nothing its judge."""
        found = await self._setup.threads.run(partial(self._run_checks, hint))
        targets = self._setup.kind.list_unfound(self._setup.task, self._progress.found)
        if found or self._judge is None or not targets:
            return HintAttempt(text=hint, findings=found)
        opinion = await self._judge.form_opinion(hint, targets)
        return HintAttempt(text=hint, findings=findings_from_opinion(hint, opinion), opinion=opinion)

    def _run_checks(self, hint: str) -> tuple[HintFinding, ...]:
        """What the checks find in a proposal, by itself or together with the hints before it. Blocking."""
        guard, shown_text = self._setup.guard, self._shown_text
        sent = [step.judgement.hint.text for step in self.trace.steps if step.judgement.hint is not None]
        return check_hint(hint, guard, shown_text) or check_with_earlier_hints(hint, sent, guard, shown_text)

    @property
    def _has_reached_all(self) -> bool:
        return len(self._progress.found) == len(self._setup.task.answer.all_goals)

    def _is_solved(self, results: tuple[ToolResult, ...]) -> bool:
        """True when every goal was reached and the step answers with every one."""
        answers = [result for result in results if result.answer is not None]
        return bool(answers) and self._has_reached_all and self._setup.kind.is_right(self._setup.task, answers)

    def _choose_nudge(self, action: Message, results: tuple[ToolResult, ...], *, has_found: bool) -> str | None:
        """The engine's own words after a step, if it needs any."""
        has_answered = any(r.answer is not None for r in results)
        if self._supervisor is None or self._is_solved(results):
            return None  # in production the first answer is final
        if has_answered:
            return self._prompts["nudge_incomplete" if self._has_reached_all else "nudge_early"].text
        if self._has_reached_all and (has_found or not action.tool_calls):
            return self._prompts["nudge_found"].text
        return None if action.tool_calls else self._prompts["nudge_call"].text

    def _stop_if_over(self, trace: Trace, step: Step) -> Trace | None:
        """The trace at its end, if this step ended it."""
        if self._is_solved(step.results):
            return trace.with_stop(StopReason.FOUND)
        if self._supervisor is None and any(r.answer is not None for r in step.results):
            return trace.with_stop(StopReason.GAVE_UP, "finished without having read and named every target")
        if self._supervisor is None and not step.action.tool_calls:
            return trace.with_stop(StopReason.GAVE_UP, "a turn without a call")
        if self._pacing.idle_turns >= self._limits.idle_turns:
            return trace.with_stop(
                StopReason.GAVE_UP, f"{self._pacing.idle_turns} turns in a row that only answered or called nothing"
            )
        return None


def step_event(number: int, step: Step) -> Event:
    """The journal's event for a step: what its calls and results do not tell."""
    judgement = step.judgement.model_dump(mode="json", exclude_defaults=True)
    return {"event": "step", "step": number, "found": list(step.found), "judgement": judgement, "nudge": step.nudge}


def _tool_message(call: ToolCall, text: str) -> Message:
    return Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id=call.id, name=call.name)


def _refuse_call(call: ToolCall, text: str) -> ToolResult:
    return ToolResult(message=_tool_message(call, text), ok=False)
