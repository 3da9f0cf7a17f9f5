"""Keeps a run's actors at work: starts them, replaces those that die, adds up what they spent, ends them.

Actors share the run's folder, so a unit is safe with any of them: the driver hands out nothing. An actor that dies
leaves a lease behind, and another one takes its units over, from where their journals stand. Where they share none,
each place has its part of the tasks, and who takes a place finds what was done there in the sink. Ray could restart an
actor itself; it would do so without a pause, even on a node whose disk is broken, and it would not call `play` again.

The budget is one for all actors: once a second the driver adds up what each spent, and ends the run at the limit. So
it may be exceeded by a second's calls and those in flight.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import anyio

from selfplay.batch.budget import BudgetLedger
from selfplay.batch.graceful_stop import BUDGET_REASON, GracefulStop
from selfplay.batch.heartbeat import DEAD_AFTER_S
from selfplay.batch.ray.actor import ActorClient, ActorLost, ActorProgress, token_path
from selfplay.batch.ray.sink import SYNC_S
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import OpenedRun, RunOrder
from selfplay.batch.watch import RunSession, RunWatch, find_unplayable_reason
from selfplay.core.errors import RunError, SelfplayError, StorageError
from selfplay.journal.events import iso_now

CHECK_S = 1.0
"""Seconds between two looks at the actors and the ledgers."""
ANSWER_S = 5.0
"""Seconds that an actor has to answer; one that is slower is asked again."""
SEEN_AFTER_S = 30.0
"""How long a file of another machine may take to be seen."""
MAX_LOSSES = 8
"""So many actors may die one after the other in one place without a unit coming to its end anywhere."""
LONGEST_PAUSE_S = 60.0
SLOW_START_S = 20.0
"""An actor that is not there after so many seconds is reported: the cluster may have no room."""

StartActor = Callable[[int, BatchSettings], ActorClient]
"""Starts an actor in a place (from 1) with its share of the settings; it may take long until it is there."""


@dataclass(slots=True)
class _ActorPlace:
    """Where an actor belongs, and the one that is there now."""

    number: int
    settings: BatchSettings
    actor: ActorClient | None = None
    host: str = ""
    """Empty until the actor is there."""
    answered_at: float = 0.0
    """When it last answered; until it does, when it was started."""
    is_wait_reported: bool = False
    """It was reported that the actor takes long to be there."""
    progress: ActorProgress = field(default_factory=ActorProgress)
    earlier: ActorProgress = field(default_factory=ActorProgress)
    """By those that were here before."""
    was_asked_to_end: bool = False
    """The actor that is there now was asked to end."""


@dataclass(frozen=True, slots=True)
class ActorFleet:
    """The driver's side of a run."""

    order: RunOrder
    opening: OpenedRun
    start: StartActor
    earlier_spending: BudgetLedger
    """What was spent before this session."""
    graceful_stop: GracefulStop
    watch: RunWatch
    notify: Callable[[str], None]
    fetch: Callable[[], object] | None = None
    """Brings ledgers here where actors share no folder with the driver; each place then has tasks of its own."""
    fetch_s: float = SYNC_S
    check_s: float = CHECK_S
    pause_s: float = 1.0
    """Before another actor takes the place of one that was lost; doubled as long as nothing gets on."""
    session: RunSession = field(default_factory=RunSession)
    _places: list[_ActorPlace] = field(default_factory=list[_ActorPlace])
    _reasons: list[str] = field(default_factory=list[str])

    async def play(self, shares: Sequence[BatchSettings]) -> RunSession:
        """Keep an actor at work for each share until nothing is left to play. Cancelled, it kills all actors."""
        self._places.extend(_ActorPlace(number, share) for number, share in enumerate(shares, 1))
        self.watch.on_run_opened(self.state)
        async with anyio.create_task_group() as group:
            group.start_soon(self._check_repeatedly)
            group.start_soon(self._fetch_repeatedly)
            async with anyio.create_task_group() as places:
                for place in self._places:
                    places.start_soon(self._keep_actor, place)
            group.cancel_scope.cancel()
        try:
            if self.fetch is not None:
                await anyio.to_thread.run_sync(self.fetch)
        except StorageError as error:
            self._end_run(error)
        await self._read_ledgers()
        return self._sum_up()

    def state(self) -> dict[str, Any]:
        """How the run is doing, of all actors together; the same keys as a worker's heartbeat."""
        states = [place.progress.state for place in self._places]
        budget_ledger = self._add_up_budget()
        running, parked = sum(s.get("running", 0) for s in states), _merge_reasons(states, "parked")
        return {
            "at": iso_now(),
            "actors": sum(bool(place.host) for place in self._places),
            "units": len(self.opening.units),
            "beyond": len(self.opening.ledgers.units.keys() - {unit.id for unit in self.opening.units}),
            "running": running,
            "waiting": max(0, self.opening.unfinished_count - running - len(parked)),
            "parked": parked,
            "elsewhere": 0,
            "failed": _merge_reasons(states, "failed"),
            "reason": self.graceful_stop.reason,
            "calls": sum(s.get("calls", 0) for s in states),
            "in_flight": sum(s.get("in_flight", 0) for s in states),
            "cost_usd": budget_ledger.spent.cost_usd,
            "usage": budget_ledger.spent.usage.model_dump(),
        }

    async def _keep_actor(self, place: _ActorPlace) -> None:
        """Keep an actor in its place until one leaves by itself, or no actor is needed there any more."""
        losses, ended = 0, -1
        while not (self.graceful_stop.has_begun or self._is_over):
            try:
                session = await self._play_one(place)
            except ActorLost as error:
                self._reset_place(place)
                losses = losses + 1 if len(self.opening.ledgers.units) == ended else 1
                ended = len(self.opening.ledgers.units)
                if self.graceful_stop.has_begun or self._is_over:
                    return
                if losses >= MAX_LOSSES:
                    self._end_run(RunError(f"actor {place.number} died {losses} times without getting on: {error}"))
                    return
                self.notify(f"actor {place.number} was lost ({error}); another one takes its place")
                await self.graceful_stop.wait_at_most(min(LONGEST_PAUSE_S, self.pause_s * 2.0 ** (losses - 1)))
            else:
                self._record_session(place, session)
                return

    async def _play_one(self, place: _ActorPlace) -> RunSession:
        place.answered_at, place.is_wait_reported = time.monotonic(), False
        place.actor = actor = self.start(place.number, place.settings)
        token = token_hex(8)
        try:
            hello = await actor.hello(token)
            if problem := hello.problem or (self.fetch is None and await self._find_folder_problem(token)):
                error = RunError(
                    f"{hello.host}: {self.order.folder.root}: {problem}; "
                    "--out must lie on a filesystem that all nodes share, at the same path"
                )
                return RunSession(reason=str(error), error=error)
            place.answered_at, place.host, place.was_asked_to_end = time.monotonic(), hello.host, False
            if self.graceful_stop.has_begun:
                return RunSession(reason=self.graceful_stop.reason)
            self.notify(f"actor {place.number} plays on {hello.host}, process {hello.pid}")
            session = await actor.play()
            place.progress = await actor.progress()
        finally:
            place.actor = None
            actor.kill()
        if isinstance(session.error, RunError) and place.progress.state:
            raise ActorLost(str(session.error))  # it was halted for too long, and left its units to others
        return session

    async def _find_folder_problem(self, token: str) -> str:
        """Why the actor's folder is not the driver's; empty where it is."""
        path = token_path(self.order.folder, token)
        with anyio.move_on_after(SEEN_AFTER_S):
            while not await anyio.to_thread.run_sync(_try_unlink, path):  # noqa: ASYNC110  no event tells of a file
                await anyio.sleep(self.check_s / 5)
            return ""
        return "it is another folder there than here"

    def _record_session(self, place: _ActorPlace, session: RunSession) -> None:
        """What an actor's session came to."""
        self.session.failed.update(session.failed)
        if session.error is not None:
            if place.host:
                session.error.args = (f"{place.host}: {session.error}",)
            self._end_run(session.error)
        elif session.reason.startswith(BUDGET_REASON):
            self.graceful_stop.begin(session.reason)
        self._reasons.append(session.reason)

    @property
    def _is_over(self) -> bool:
        """True once an actor found nothing left to play, for itself and all others."""
        return self.fetch is None and "" in self._reasons

    def _end_run(self, error: SelfplayError) -> None:
        self.session.error = self.session.error or error
        self.graceful_stop.begin(str(error))

    def _reset_place(self, place: _ActorPlace) -> None:
        place.earlier = _add_progress(place.earlier, place.progress)
        place.progress, place.host = ActorProgress(), ""

    async def _check_repeatedly(self) -> None:
        while True:
            await (
                anyio.sleep(self.check_s)
                if self.graceful_stop.has_begun
                else self.graceful_stop.wait_at_most(self.check_s)
            )
            async with anyio.create_task_group() as group:
                group.start_soon(self._read_ledgers)
                for place in self._places:
                    if place.actor is not None:
                        group.start_soon(self._check_actor, place, place.actor)
            if lacking := self._add_up_budget().explain_shortage():
                self.graceful_stop.begin(lacking)

    async def _check_actor(self, place: _ActorPlace, actor: ActorClient) -> None:
        """Ask an actor how it is doing, and pass on that the run is to end."""
        if not place.host:
            if self.graceful_stop.has_begun or self._is_over:
                actor.kill()  # there is no room for it, or not yet
            elif not place.is_wait_reported and time.monotonic() - place.answered_at > SLOW_START_S:
                place.is_wait_reported = True
                self.notify(f"actor {place.number} waits for a node with a CPU to spare")
            return
        try:
            with anyio.move_on_after(ANSWER_S):
                if self.graceful_stop.has_begun and not place.was_asked_to_end:
                    await actor.end(self.graceful_stop.reason)
                    place.was_asked_to_end = True
                place.progress = await actor.progress()
                place.answered_at = time.monotonic()
        except ActorLost:
            return  # `_keep_actor` gets the same error, and deals with it
        if time.monotonic() - place.answered_at > DEAD_AFTER_S:
            actor.kill()  # its machine or its event loop stands still: others take over

    async def _fetch_repeatedly(self) -> None:
        while self.fetch is not None:
            await anyio.sleep(self.fetch_s)
            with suppress(StorageError):  # it may work the next time; a failure of the last fetch is raised
                await anyio.to_thread.run_sync(self.fetch)

    async def _read_ledgers(self) -> None:
        for line in await anyio.to_thread.run_sync(self.opening.ledgers.refresh):
            self.watch.on_unit_ended(line)

    def _add_up_budget(self) -> BudgetLedger:
        """What was spent in all sessions, by all actors."""
        budget_ledger = replace(self.earlier_spending)
        for place in self._places:
            budget_ledger.spent += place.earlier.spent + place.progress.spent
        return budget_ledger

    def _sum_up(self) -> RunSession:
        session, ended = self.session, self.opening.ledgers.units
        session.failed = {unit: why for unit, why in session.failed.items() if unit not in ended}
        session.unfinished_count = self.opening.unfinished_count
        session.unplayable = find_unplayable_reason((unit.id for unit in self.opening.units), ended)
        session.reason = self.graceful_stop.reason or next(
            filter(None, self._reasons if session.unfinished_count else ()), ""
        )
        return session


def _try_unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _add_progress(one: ActorProgress, other: ActorProgress) -> ActorProgress:
    return ActorProgress(spent=one.spent + other.spent)


def _merge_reasons(states: Sequence[dict[str, Any]], key: str) -> dict[str, str]:
    return {unit: why for state in states for unit, why in state.get(key, {}).items()}
