"""What cleaning asks of models, for one episode: the player without its hints, other words, the supervisor's verdict.

Every call goes through the file of samples, so that it is made once and counted in the budget.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import orjson
from anyio.abc import TaskGroup

from selfplay.casting import Cast, Role, role
from selfplay.clean.assist import Assistants, Nobody, Point
from selfplay.clean.candidate import Candidate
from selfplay.clean.echoes import EchoFinding
from selfplay.clean.samples import Ask, BudgetSpentError, Samples
from selfplay.clean.settings import CleanSettings
from selfplay.config import RunConfig
from selfplay.dialogue import Dialogue
from selfplay.errors import ContextTooLong, JournalError, RepositoryError, RequestRefused, ScriptError
from selfplay.events import Event, read_events
from selfplay.listening import EchoJudge, Listening, heard_by
from selfplay.message import Message, Origin, ToolCall
from selfplay.models.protocol import Reply, Request
from selfplay.models.retry import complete
from selfplay.player import player_head
from selfplay.progress import Progress
from selfplay.prompts import prompt
from selfplay.repos import Repositories
from selfplay.resample import Candidate as Turn
from selfplay.resample import judge_candidate, sample_turn, told_supervisor
from selfplay.supervisor import calls_in_words
from selfplay.toolset import toolset
from selfplay.trace import Stratum, ToolResult, Verdict
from selfplay_tools.errors import ToolsError
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.toolbox import Toolbox

T = TypeVar("T")


async def gathered(works: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What each work returns, in order, all of them going on at once; the first error ends the others and is raised."""
    results: dict[int, T] = {}
    errors: list[Exception] = []

    async def run(number: int, group: TaskGroup) -> None:
        try:
            results[number] = await works[number]()
        except Exception as error:  # noqa: BLE001  raised below, alone instead of in a group
            errors.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for number in range(len(works)):
            group.start_soon(run, number, group, name=f"work {number}")
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(works))]


@dataclass(frozen=True, slots=True)
class Desk:
    """What all episodes share while they are cleaned."""

    samples: Samples
    in_flight: anyio.CapacityLimiter
    """Model calls at once."""
    threads: anyio.CapacityLimiter
    """Tool calls at once."""


@dataclass(slots=True)
class Sampler:
    """The assistants of one episode. An answer that can't be had for its own sake is missing; other errors pass."""

    desk: Desk
    cast: Cast
    config: RunConfig
    candidate: Candidate
    told: tuple[Message, Message] | None = None
    """How the supervisor's conversation began; None judges nothing."""
    toolbox: Toolbox | None = None
    """Tools over the files that the episode searched; None where they are not to be had."""
    echo_judge: EchoJudge | None = None
    unanswered: int = field(default=0, init=False)
    """Questions that stayed open for want of money."""

    async def again(self, point: Point, count: int) -> tuple[Message, ...]:
        """The player's turn at this point, `count` times; the n-th time is the same whoever asks."""
        samples = await gathered([partial(self._sample, point, number) for number in range(count)])
        return tuple(sample for sample in samples if sample is not None)

    async def _sample(self, point: Point, number: int) -> Message | None:
        seat = self.config.player
        ask = self._asking(self.cast.player, number)
        try:
            reply = await sample_turn(ask, self._head(), point.prefix, number=number, reasoning=seat.history_reasoning)
        except BudgetSpentError:
            self.unanswered += 1
            return None
        except (ContextTooLong, RequestRefused) as error:
            self._pass_on(error)
            return None
        return reply.message

    async def rewrite(self, point: Point, action: Message, words: str) -> str | None:
        """The player's model's words for the step, in its own conversation; None if it called something instead."""
        question = prompt("rewrite").fill(calls=calls_in_words(action, {}), words=words or "(nothing)")
        dialogue = Dialogue(reasoning=self.config.player.history_reasoning)
        dialogue.say(*point.prefix, Message(role="user", content=question, origin=Origin.NUDGE))
        head = {**self._head(), "tool_choice": "none"}
        try:
            reply = await self._asking(self.cast.player, 0)(dialogue.request(head, Origin.PLAYER))
        except BudgetSpentError:
            self.unanswered += 1
            return None
        except (ContextTooLong, RequestRefused) as error:
            self._pass_on(error)
            return None
        return None if reply.message.tool_calls or reply.refusal else reply.message.content

    async def judge(self, point: Point, actions: tuple[Message, ...]) -> tuple[Verdict | None, ...]:
        """The verdict on each action, all with what their calls return, or all without."""
        if self.told is None or self.cast.supervisor is None:
            return (None,) * len(actions)
        found, missing = self._progress(point)
        verdicts: list[Verdict | None] = []
        for action in actions:
            results = await self._carried_out(action)
            turn = Turn(prefix=point.prefix, action=action, found=found, missing=missing, results=results)
            verdicts.append(await self._verdict(self.cast.supervisor, turn))
        return tuple(verdicts)

    async def _verdict(self, supervisor: Role, turn: Turn) -> Verdict | None:
        assert self.told is not None  # noqa: S101  for the type checker: the caller has looked
        ask = self._asking(supervisor, 0)
        try:
            judged = await judge_candidate(
                ask, self.config.supervisor, self.told, turn, tries=self.config.limits.verdict_tries
            )
        except BudgetSpentError:
            self.unanswered += 1
            return None
        return judged.verdict

    async def echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
        """What the echo judge finds."""
        return await heard_by(self.echo_judge, text, hint)

    def _progress(self, point: Point) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Targets found and not found before a point, in words."""
        targets = self.candidate.trace.task.answer.targets
        progress = Progress(targets)
        turns = point.clean.turns[: point.turn]
        progress.add(part for turn in turns for result in turn.results for part in result.shown)
        named = tuple(map(str, targets))
        found = tuple(name for i, name in enumerate(named) if i in progress.found)
        return found, tuple(name for i, name in enumerate(named) if i not in progress.found)

    async def _carried_out(self, action: Message) -> tuple[ToolResult, ...]:
        if self.toolbox is None:
            return ()
        limit = self.config.limits.calls_per_turn
        return tuple([await self._run(self.toolbox, call) for call in action.tool_calls[:limit]])

    async def _run(self, toolbox: Toolbox, call: ToolCall) -> ToolResult:
        work = partial(toolbox.run, call.name, call.arguments)
        result = await anyio.to_thread.run_sync(work, limiter=self.desk.threads)
        message = Message(role="tool", content=result.text, origin=Origin.TOOL, tool_call_id=call.id, name=call.name)
        return ToolResult(message=message, ok=result.ok, shown=result.shown, answer=result.answer)

    def _head(self) -> Mapping[str, Any]:
        return player_head(self.config.player, self.candidate.contract.tools)

    def _asking(self, role: Role, number: int) -> Ask:
        async def live(request: Request) -> Reply:
            async with self.desk.in_flight:
                return await complete(role.model, request, role.policy)

        return self.desk.samples.asking(role.seat, number, live, role.price)

    def _pass_on(self, error: ContextTooLong | RequestRefused) -> None:
        """Raise what speaks of the set-up; a conversation that does not fit is an answer that can't be had."""
        if isinstance(error, RequestRefused) and not self.desk.samples.has_answered("player"):
            raise error


@dataclass(frozen=True, slots=True)
class Casting:
    """Makes the assistants of each episode: the models that played it, or those that are given instead."""

    desk: Desk
    stack: AsyncExitStack
    """Closes the models."""
    repositories: Repositories
    settings: CleanSettings
    given: RunConfig | None = None
    """Stands for the configuration that an episode was played with."""
    max_usd: float | None = None
    echo_judge: EchoJudge | None = None
    casts: dict[bytes, Cast] = field(default_factory=dict[bytes, Cast])

    @asynccontextmanager
    async def assisting(self, journal: Path, candidate: Candidate) -> AsyncGenerator[Assistants]:
        """The assistants of an episode; nobody for one that no hint was given in. Raises ConfigError."""
        if candidate.trace.stratum is Stratum.UNHINTED or candidate.trace.stop is None:
            yield Nobody()
            return
        if not asks_player(self.settings):
            yield Nobody() if self.echo_judge is None else Listening(self.echo_judge)
            return
        events = list(read_events(journal))
        config = self._config(events[0])
        sampler = Sampler(self.desk, self._cast(config), config, candidate, echo_judge=self.echo_judge)
        if not (self.settings.samples and self.settings.pairs):
            yield sampler
            return
        sampler.told = _told(events)
        snapshot = await anyio.to_thread.run_sync(self._snapshot, candidate, limiter=self.desk.threads)
        try:
            sampler.toolbox = None if snapshot is None else Toolbox(snapshot, toolset(config.tools))
            yield sampler
        finally:
            if snapshot is not None:
                snapshot.close()

    def _config(self, start: Event) -> RunConfig:
        config = self.given or RunConfig.model_validate(start["config"])
        limits = config.limits.model_copy(update={"cost_usd": self.max_usd})
        return config.model_copy(update={"limits": limits})

    def _cast(self, config: RunConfig) -> Cast:
        seats = orjson.dumps([config.player.model_dump(), config.supervisor.model_dump()])
        if seats not in self.casts:
            cast = Cast(role("player", config.player, config), role("supervisor", config.supervisor, config))
            self.stack.push_async_callback(_close, cast)
            self.casts[seats] = cast
        return self.casts[seats]

    def _snapshot(self, candidate: Candidate) -> Snapshot | None:
        """The files that the episode searched, if they are still to be had as they were."""
        brief = candidate.trace.task.brief
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


async def _close(cast: Cast) -> None:
    """Close the models. Lines of a script that nobody asked for are no fault here."""
    for each in (cast.player, cast.supervisor):
        if each is not None:
            with suppress(ScriptError):
                await each.model.aclose()


def _told(events: list[Event]) -> tuple[Message, Message] | None:
    try:
        return told_supervisor(events)
    except JournalError:
        return None
