"""Keeps a run's actors at work: starts them, puts others in the place of those that die, sums up, brings them home.

Actors share the run's folder, so a unit is safe with any of them: the driver hands out nothing. An actor that dies
leaves a lease behind, and another one takes its units over, from where their journals stand. Where they share none,
each place has its part of the tasks, and who takes a place finds what was done there in the sink. Ray could restart an
actor itself; it would do so without a pause, on a node whose disk is broken as well, and nobody would tell it to play.

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

from selfplay.batch.drain import Drain
from selfplay.batch.purse import BUDGET, Purse
from selfplay.batch.ray_actor import Actor, ActorLost, Progress, token_path
from selfplay.batch.ray_sink import SYNC_S
from selfplay.batch.run import BatchWatch, Session, why_unplayable
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import Opening, Order
from selfplay.batch.worker import DEAD_AFTER_S
from selfplay.errors import RunError, SelfplayError, StorageError
from selfplay.events import now

LOOK_S = 1.0
"""Seconds between two looks at the actors and the ledgers."""
ANSWER_S = 5.0
"""Seconds that an actor has to answer; one that is slower is asked again."""
SEEN_AFTER_S = 30.0
"""How long a file of another machine may take to be seen."""
LOSSES = 8
"""So many actors may die one after the other in one place without a unit coming to its end anywhere."""
LONGEST_PAUSE_S = 60.0
LONG_S = 20.0
"""An actor that is not there after so many seconds is told of: the cluster may have no room."""

Start = Callable[[int, BatchSettings], Actor]
"""Starts an actor in a place (from 1) with its share of the settings; it may take long until it is there."""


@dataclass(slots=True)
class _Place:
    """Where an actor belongs, and the one that is there now."""

    number: int
    settings: BatchSettings
    actor: Actor | None = None
    host: str = ""
    """Empty until the actor is there."""
    heard_at: float = 0.0
    """When it last answered; until it does, when it was started."""
    is_awaited: bool = False
    """It was told that the actor takes long to be there."""
    progress: Progress = field(default_factory=Progress)
    spent: Progress = field(default_factory=Progress)
    """By those that were here before."""
    is_told: bool = False
    """To come to an end."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The driver's side of a run."""

    order: Order
    opening: Opening
    start: Start
    before: Purse
    """What was spent before this session."""
    drain: Drain
    watch: BatchWatch
    say: Callable[[str], None]
    fetch: Callable[[], object] | None = None
    """Brings ledgers here where actors share no folder with the driver; each place then has tasks of its own."""
    fetch_s: float = SYNC_S
    look_s: float = LOOK_S
    pause_s: float = 1.0
    """Before another actor takes the place of one that was lost; doubled as long as nothing gets on."""
    session: Session = field(default_factory=Session)
    _places: list[_Place] = field(default_factory=list[_Place])
    _reasons: list[str] = field(default_factory=list[str])

    async def play(self, shares: Sequence[BatchSettings]) -> Session:
        """Keep an actor at work for each share until nothing is left to play. Cancelled, it kills all actors."""
        self._places.extend(_Place(number, share) for number, share in enumerate(shares, 1))
        self.watch.opened(self.state)
        async with anyio.create_task_group() as group:
            group.start_soon(self._look_again_and_again)
            group.start_soon(self._fetch_again_and_again)
            async with anyio.create_task_group() as places:
                for place in self._places:
                    places.start_soon(self._hold, place)
            group.cancel_scope.cancel()
        try:
            if self.fetch is not None:
                await anyio.to_thread.run_sync(self.fetch)
        except StorageError as error:
            self._end(error)
        await self._refresh()
        return self._summed_up()

    def state(self) -> dict[str, Any]:
        """How the run is doing, of all actors together; the same keys as a worker's sign of life."""
        states = [place.progress.state for place in self._places]
        purse = self._purse()
        running, parked = sum(s.get("running", 0) for s in states), _merged(states, "parked")
        return {
            "at": now(),
            "actors": sum(bool(place.host) for place in self._places),
            "units": len(self.opening.units),
            "beyond": len(self.opening.ledgers.units.keys() - {unit.id for unit in self.opening.units}),
            "running": running,
            "waiting": max(0, self.opening.left - running - len(parked)),
            "parked": parked,
            "elsewhere": 0,
            "failed": _merged(states, "failed"),
            "reason": self.drain.reason,
            "calls": sum(s.get("calls", 0) for s in states),
            "in_flight": sum(s.get("in_flight", 0) for s in states),
            "cost_usd": purse.cost_usd,
            "usage": purse.usage.model_dump(),
        }

    async def _hold(self, place: _Place) -> None:
        """Keep an actor in its place until one leaves by itself, or it is of no use any more."""
        losses, ended = 0, -1
        while not (self.drain.has_begun or self._is_over):
            try:
                session = await self._play_one(place)
            except ActorLost as error:
                self._forget(place)
                losses = losses + 1 if len(self.opening.ledgers.units) == ended else 1
                ended = len(self.opening.ledgers.units)
                if self.drain.has_begun or self._is_over:
                    return
                if losses >= LOSSES:
                    self._end(RunError(f"actor {place.number} died {losses} times without getting on: {error}"))
                    return
                self.say(f"actor {place.number} was lost ({error}); another one takes its place")
                await self.drain.wait(min(LONGEST_PAUSE_S, self.pause_s * 2.0 ** (losses - 1)))
            else:
                self._take(place, session)
                return

    async def _play_one(self, place: _Place) -> Session:
        place.heard_at, place.is_awaited = time.monotonic(), False
        place.actor = actor = self.start(place.number, place.settings)
        token = token_hex(8)
        try:
            hello = await actor.hello(token)
            if problem := hello.problem or (self.fetch is None and await self._strangeness(token)):
                error = RunError(
                    f"{hello.host}: {self.order.folder.root}: {problem}; "
                    "--out must lie on a filesystem that all nodes share, at the same path"
                )
                return Session(reason=str(error), error=error)
            place.heard_at, place.host, place.is_told = time.monotonic(), hello.host, False
            if self.drain.has_begun:
                return Session(reason=self.drain.reason)
            self.say(f"actor {place.number} plays on {hello.host}, process {hello.pid}")
            session = await actor.play()
            place.progress = await actor.progress()
        finally:
            place.actor = None
            actor.kill()
        if isinstance(session.error, RunError) and place.progress.state:
            raise ActorLost(str(session.error))  # it was halted for too long, and left its units to others
        return session

    async def _strangeness(self, token: str) -> str:
        """Why the actor's folder is not the driver's; empty where it is."""
        path = token_path(self.order.folder, token)
        with anyio.move_on_after(SEEN_AFTER_S):
            while not await anyio.to_thread.run_sync(_took_away, path):  # noqa: ASYNC110  no event tells of a file
                await anyio.sleep(self.look_s / 5)
            return ""
        return "it is another folder there than here"

    def _take(self, place: _Place, session: Session) -> None:
        """What an actor said when it left."""
        self.session.failed.update(session.failed)
        if session.error is not None:
            if place.host:
                session.error.args = (f"{place.host}: {session.error}",)
            self._end(session.error)
        elif session.reason.startswith(BUDGET):
            self.drain.begin(session.reason)
        self._reasons.append(session.reason)

    @property
    def _is_over(self) -> bool:
        """True once an actor found nothing left to play, for itself and all others."""
        return self.fetch is None and "" in self._reasons

    def _end(self, error: SelfplayError) -> None:
        self.session.error = self.session.error or error
        self.drain.begin(str(error))

    def _forget(self, place: _Place) -> None:
        place.spent = _added(place.spent, place.progress)
        place.progress, place.host = Progress(), ""

    async def _look_again_and_again(self) -> None:
        while True:
            await (anyio.sleep(self.look_s) if self.drain.has_begun else self.drain.wait(self.look_s))
            async with anyio.create_task_group() as group:
                group.start_soon(self._refresh)
                for place in self._places:
                    if place.actor is not None:
                        group.start_soon(self._look_at, place, place.actor)
            if lacking := self._purse().lacking():
                self.drain.begin(lacking)

    async def _look_at(self, place: _Place, actor: Actor) -> None:
        """Ask an actor how it is doing, and pass on that the run is to end."""
        if not place.host:
            if self.drain.has_begun or self._is_over:
                actor.kill()  # there is no room for it, or not yet
            elif not place.is_awaited and time.monotonic() - place.heard_at > LONG_S:
                place.is_awaited = True
                self.say(f"actor {place.number} waits for a node with a CPU to spare")
            return
        try:
            with anyio.move_on_after(ANSWER_S):
                if self.drain.has_begun and not place.is_told:
                    await actor.end(self.drain.reason)
                    place.is_told = True
                place.progress = await actor.progress()
                place.heard_at = time.monotonic()
        except ActorLost:
            return  # `_hold` hears of it too
        if time.monotonic() - place.heard_at > DEAD_AFTER_S:
            actor.kill()  # its machine or its event loop stands still: others take over

    async def _fetch_again_and_again(self) -> None:
        while self.fetch is not None:
            await anyio.sleep(self.fetch_s)
            with suppress(StorageError):  # it may work the next time; the last time is told of
                await anyio.to_thread.run_sync(self.fetch)

    async def _refresh(self) -> None:
        for line in await anyio.to_thread.run_sync(self.opening.ledgers.refresh):
            self.watch.ended(line)

    def _purse(self) -> Purse:
        """What was spent in all sessions, by all actors."""
        purse = replace(self.before)
        for place in self._places:
            for spent in (place.spent, place.progress):
                purse.cost_usd += spent.cost_usd
                purse.usage += spent.usage
        return purse

    def _summed_up(self) -> Session:
        session, ended = self.session, self.opening.ledgers.units
        session.failed = {unit: why for unit, why in session.failed.items() if unit not in ended}
        session.left = self.opening.left
        session.unplayable = why_unplayable((unit.id for unit in self.opening.units), ended)
        session.reason = self.drain.reason or next(filter(None, self._reasons if session.left else ()), "")
        return session


def _took_away(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _added(one: Progress, other: Progress) -> Progress:
    return Progress({}, one.cost_usd + other.cost_usd, one.usage + other.usage)


def _merged(states: Sequence[dict[str, Any]], key: str) -> dict[str, str]:
    return {unit: why for state in states for unit, why in state.get(key, {}).items()}
