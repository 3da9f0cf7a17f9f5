"""What cleaning asks of models, for one episode: turns without hints, other words, the supervisor's verdicts.

Every call goes through the reply cache, so that it is made once and counted in the budget.
"""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import orjson

from selfplay.clean.assistants.echo_judge import EchoJudgeAssistants, EchoJudgeClient, ask_echo_judge, close_seat_model
from selfplay.clean.assistants.protocol import Assistants, NoAssistants, TurnPoint
from selfplay.clean.assistants.reply_cache import BudgetSpentError, ReplyCache
from selfplay.clean.assistants.turn_requests import CandidateTurn, judge_turn, read_supervisor_opening, sample_turn
from selfplay.clean.echoes import EchoFinding
from selfplay.clean.journals import CleaningCandidate
from selfplay.clean.settings import CleanSettings
from selfplay.config import RunConfig
from selfplay.core.errors import ContextTooLong, JournalError, RepositoryError, RequestRefused
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.threads import gather_results, shared_thread_pool
from selfplay.core.trace import Stratum, ToolResult, Verdict
from selfplay.environments.environment import Environment, ToolSession
from selfplay.environments.find_files.toolset import refuse_code_of_others
from selfplay.environments.registry import kind_of
from selfplay.episode.model_kinds import refuse_import_paths
from selfplay.episode.player import ModelCall, player_head
from selfplay.episode.seats import SeatModel, SeatModels, make_seat_model
from selfplay.episode.supervisor import describe_calls
from selfplay.journal.events import Event, read_events
from selfplay.models.dialogue import Dialogue
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.prompts import load_prompt
from selfplay.repos.repositories import Repositories
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import Snapshot


@dataclass(frozen=True, slots=True)
class CleaningResources:
    """What all episodes share while they are cleaned."""

    samples: ReplyCache
    in_flight: anyio.CapacityLimiter
    """Model calls at once."""
    tool_calls: anyio.CapacityLimiter
    """Turns whose tools run at once."""


@dataclass(slots=True)
class EpisodeAssistants:
    """The assistants of one episode. An answer that can't be had is missing; errors of the set-up are raised."""

    resources: CleaningResources
    seats: SeatModels
    config: RunConfig
    candidate: CleaningCandidate
    supervisor_opening: tuple[Message, Message] | None = None
    """How the supervisor's conversation began; None judges nothing."""
    environment: Environment | None = None
    """What the episode was played in; None where it is not to be had as it was, or where a call would change it."""
    echo_judge: EchoJudgeClient | None = None
    unanswered: int = field(default=0, init=False)
    """Questions that were not asked because the budget was spent."""

    async def sample_turns(self, point: TurnPoint, count: int) -> tuple[Message, ...]:
        """The player's turn at this point, `count` times; the n-th is the same whenever it is asked for."""
        samples = await gather_results([partial(self._sample_turn, point, number) for number in range(count)])
        return tuple(sample for sample in samples if sample is not None)

    async def _sample_turn(self, point: TurnPoint, number: int) -> Message | None:
        seat = self.config.player
        ask = self._make_ask(self.seats.player, number)
        reply = await self._reply_or_none(
            sample_turn(ask, self._request_head(), point.prefix, number=number, reasoning=seat.history_reasoning)
        )
        return None if reply is None else reply.message

    async def rewrite(self, point: TurnPoint, action: Message, words: str) -> str | None:
        """The player's model's words for the step, in its own conversation; None if it called something instead."""
        question = load_prompt("rewrite").fill(calls=describe_calls(action, {}), words=words or "(nothing)")
        dialogue = Dialogue(reasoning=self.config.player.history_reasoning)
        dialogue.append(*point.prefix, Message(role="user", content=question, origin=Origin.NUDGE))
        head = {**self._request_head(), "tool_choice": "none"}
        ask = self._make_ask(self.seats.player, 0)
        reply = await self._reply_or_none(ask(dialogue.build_request(head, Origin.PLAYER)))
        if reply is None or reply.message.tool_calls or reply.refusal:
            return None
        return reply.message.content

    async def _reply_or_none(self, reply: Awaitable[ModelReply]) -> ModelReply | None:
        """The player's reply; None once the budget is spent, or where the conversation does not fit or is refused.

        Raises RequestRefused where the player's server never took a request: then it is the set-up that is wrong.
        """
        try:
            return await reply
        except BudgetSpentError:
            self.unanswered += 1
        except ContextTooLong:
            pass
        except RequestRefused:
            if not self.resources.samples.has_answered("player"):
                raise
        return None

    async def judge_actions(self, point: TurnPoint, actions: tuple[Message, ...]) -> tuple[Verdict | None, ...]:
        """The verdict on each action, all with what their calls return, or all without."""
        if self.supervisor_opening is None or self.seats.supervisor is None:
            return (None,) * len(actions)
        found, missing = self._split_targets(point)
        verdicts: list[Verdict | None] = []
        for action in actions:
            results = await self._run_calls(action)
            turn = CandidateTurn(prefix=point.prefix, action=action, found=found, missing=missing, results=results)
            verdicts.append(await self._ask_for_verdict(self.seats.supervisor, turn))
        return tuple(verdicts)

    async def _ask_for_verdict(self, supervisor: SeatModel, turn: CandidateTurn) -> Verdict | None:
        assert self.supervisor_opening is not None  # noqa: S101  for the type checker: the caller has looked
        ask = self._make_ask(supervisor, 0)
        try:
            judged = await judge_turn(
                ask, self.config.supervisor, self.supervisor_opening, turn, tries=self.config.limits.verdict_tries
            )
        except BudgetSpentError:
            self.unanswered += 1
            return None
        return judged.verdict

    async def find_echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
        """What the echo judge finds."""
        return await ask_echo_judge(self.echo_judge, text, hint)

    def _split_targets(self, point: TurnPoint) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Targets found and not found before a point, in words."""
        task = self.candidate.trace.task
        progress = kind_of(task).make_progress(task)
        for turn in point.clean.turns[: point.turn]:
            progress.add(turn.action, turn.results)
        named = tuple(map(str, task.answer.all_goals))
        found = tuple(name for i, name in enumerate(named) if i in progress.found)
        return found, tuple(name for i, name in enumerate(named) if i not in progress.found)

    async def _run_calls(self, action: Message) -> tuple[ToolResult, ...]:
        if self.environment is None:
            return ()
        calls = action.tool_calls[: self.config.limits.calls_per_turn]
        async with self.resources.tool_calls, self.environment.open_session(shared_thread_pool()) as session:
            return tuple([await self._run_call(session, call) for call in calls])

    async def _run_call(self, session: ToolSession, call: ToolCall) -> ToolResult:
        result = await session.call(call.name, call.arguments)
        message = Message(role="tool", content=result.text, origin=Origin.TOOL, tool_call_id=call.id, name=call.name)
        return ToolResult(message=message, ok=result.ok, shown=result.shown, answer=result.answer)

    def _request_head(self) -> Mapping[str, Any]:
        return player_head(self.config.player, self.candidate.contract.tools)

    def _make_ask(self, seat: SeatModel, number: int) -> ModelCall:
        async def live(request: ModelRequest) -> ModelReply:
            async with self.resources.in_flight:
                return await seat.ask(request)

        return self.resources.samples.make_cached_ask(seat.seat, number, live, seat.price)


@dataclass(frozen=True, slots=True)
class AssistantsFactory:
    """Makes the assistants of each episode: the models that played it, or those that are given instead."""

    resources: CleaningResources
    stack: AsyncExitStack
    """Closes the models."""
    repositories: Repositories
    settings: CleanSettings
    given_config: RunConfig | None = None
    """Stands for the configuration that an episode was played with."""
    max_usd: float | None = None
    echo_judge: EchoJudgeClient | None = None
    open_seats: dict[bytes, SeatModels] = field(default_factory=dict[bytes, SeatModels])

    @asynccontextmanager
    async def open_assistants(self, journal: Path, candidate: CleaningCandidate) -> AsyncGenerator[Assistants]:
        """The assistants of an episode; none for one in which no hint was given. Raises ConfigError."""
        if candidate.trace.stratum is Stratum.UNHINTED or candidate.trace.stop is None:
            yield NoAssistants()
            return
        if not asks_player(self.settings):
            yield NoAssistants() if self.echo_judge is None else EchoJudgeAssistants(self.echo_judge)
            return
        events = list(read_events(journal))
        config = self._choose_config(events[0], journal)
        sampler = EpisodeAssistants(
            self.resources, self._open_seats(config), config, candidate, echo_judge=self.echo_judge
        )
        if not (self.settings.samples and self.settings.pairs):
            yield sampler
            return
        sampler.supervisor_opening = _find_supervisor_opening(events)
        snapshot = await anyio.to_thread.run_sync(self._open_snapshot, candidate, limiter=self.resources.tool_calls)
        try:
            sampler.environment = (
                None if snapshot is None else await self._make_environment(candidate, config, snapshot)
            )
            yield sampler
        finally:
            if snapshot is not None:
                snapshot.close()

    def _choose_config(self, start: Event, journal: Path) -> RunConfig:
        config = self.given_config
        if config is None:
            config = RunConfig.model_validate(start["config"])
            refuse_import_paths(config, journal)
        limits = config.limits.model_copy(update={"cost_usd": self.max_usd})
        return config.model_copy(update={"limits": limits})

    def _open_seats(self, config: RunConfig) -> SeatModels:
        seats = orjson.dumps([config.player.model_dump(), config.supervisor.model_dump()])
        if seats not in self.open_seats:
            models = SeatModels(
                make_seat_model("player", config.player, config),
                make_seat_model("supervisor", config.supervisor, config),
            )
            for seat in (models.supervisor, models.player):
                if seat is not None:
                    self.stack.push_async_callback(close_seat_model, seat)
            self.open_seats[seats] = models
        return self.open_seats[seats]

    async def _make_environment(
        self, candidate: CleaningCandidate, config: RunConfig, snapshot: Snapshot
    ) -> Environment | None:
        if self.given_config is None:
            refuse_code_of_others(config.tools)
        task = candidate.trace.task
        make = partial(kind_of(task).make, task, config, snapshot)
        environment = await anyio.to_thread.run_sync(make, limiter=self.resources.tool_calls)
        return environment if environment.replay == "recorded" else None

    def _open_snapshot(self, candidate: CleaningCandidate) -> Snapshot | None:
        """The files that the episode searched, if they are still to be had as they were."""
        task, brief = candidate.trace.task, candidate.trace.task.brief
        if not kind_of(task).uses_repository:
            return None
        try:
            snapshot = self.repositories.open(brief.repo, brief.commit)
        except (RepositoryError, ToolsError):
            return None
        if snapshot.identity == candidate.snapshot:
            return snapshot
        snapshot.close()
        return None


def asks_player(settings: CleanSettings) -> bool:
    """Whether these settings need the player's model."""
    return bool(settings.samples) or settings.repair == "models"


def _find_supervisor_opening(events: list[Event]) -> tuple[Message, Message] | None:
    try:
        return read_supervisor_opening(events)
    except JournalError:
        return None
