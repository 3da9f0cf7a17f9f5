"""A run: units are played, so many at a time, until all came to an end or there is a reason to stop.

Each unit is played in a task of its own. What goes wrong in one is that unit's alone: a model out of reach parks it, a
task that does not fit its repository is written down as such, a fault of the program is told and tried again by the
next start. Only what concerns all of them (a wrong key, a full disk, a used-up budget) ends the run, in order.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter, process_time
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from selfplay.batch.collector import calm
from selfplay.batch.desk import Desk
from selfplay.batch.drain import Drain
from selfplay.batch.layout import RunFolder, make_folder
from selfplay.batch.leases import Leases
from selfplay.batch.ledger import EpisodeLine, Ledger, Ledgers, UnitLine
from selfplay.batch.purse import Purse
from selfplay.batch.settings import BatchSettings
from selfplay.batch.tally import Prices, Tally, line_of
from selfplay.batch.units import Queue, Unit, sha256_of
from selfplay.batch.worker import BEAT_S, Pulse
from selfplay.casting import Cast
from selfplay.errors import (
    ConfigError,
    EndpointDown,
    FatalModelError,
    JournalError,
    RepositoryError,
    RequestRefused,
    RunEnding,
    RunError,
    SelfplayError,
    StorageError,
    TaskError,
    TransientModelError,
)
from selfplay.events import Event, now
from selfplay.play import play_task
from selfplay.threads import Threads

POLL_S = 0.5
"""Seconds between two looks at whether a parked unit, or another worker's, can be taken up."""
FIRST_PARK_S = 5.0
LONGEST_PARK_S = 300.0


class BatchWatch(Protocol):
    """Is told what happens, within the event loop, and must not take long."""

    def opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """The run begins; `state` tells at any time how this worker is doing."""

    def started(self, unit: Unit) -> None:
        """A unit is begun or taken up."""

    def heard(self, unit: Unit, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  as `selfplay.journal.Watch`
        """An event of one of the unit's journals."""

    def parked(self, unit: Unit, error: Exception, wait_s: float) -> None:
        """A unit waits for a model that is out of reach."""

    def failed(self, unit: Unit, error: Exception) -> None:
        """A unit can't be played in this session."""

    def ended(self, line: UnitLine) -> None:
        """A unit came to an end, here or in another worker."""


class Unwatched:
    """Nobody looks."""

    def opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """Ignore it."""

    def started(self, unit: Unit) -> None:
        """Ignore it."""

    def heard(self, unit: Unit, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  see BatchWatch
        """Ignore it."""

    def parked(self, unit: Unit, error: Exception, wait_s: float) -> None:
        """Ignore it."""

    def failed(self, unit: Unit, error: Exception) -> None:
        """Ignore it."""

    def ended(self, line: UnitLine) -> None:
        """Ignore it."""


@dataclass(slots=True)
class _Parked:
    unit: Unit
    due_at: float
    error: str


@dataclass(slots=True)
class Session:
    """How one start of the command went."""

    reason: str = ""
    """Why it ended before all units did; empty if all did, or failed."""
    error: SelfplayError | None = None
    """What concerned all units, if something did."""
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """Units that could not be played in this session, and why. The next start tries them again."""
    left: int = 0
    """Units that did not come to an end."""
    unplayable: str = ""
    """Why none of the units can be played: the task of each does not fit its repository. Empty if one was played."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What a run is carried out with."""

    folder: RunFolder
    settings: BatchSettings
    prices: Prices
    cast: Cast
    desk: Desk
    pulse: Pulse
    purse: Purse
    drain: Drain
    watch: BatchWatch = field(default_factory=Unwatched)
    about: Callable[[], dict[str, Any]] = dict
    """What the worker says of itself beside what the run knows: servers, rates."""


def why_unplayable(units: Iterable[str], ended: Mapping[str, UnitLine]) -> str:
    """What is wrong with the first of these units' tasks if all turned out to be unusable; empty if one did not."""
    lines = [ended.get(unit) for unit in units]
    unusable = [line.detail for line in lines if line is not None and line.outcome == "unusable"]
    return unusable[0] if unusable and len(unusable) == len(lines) else ""


class Run:
    """The units of one worker."""

    def __init__(self, shop: Shop, units: list[Unit], ledgers: Ledgers, ledger: Ledger) -> None:
        self._shop, self._ledgers, self._ledger = shop, ledgers, ledger
        self._units = {unit.id: unit for unit in units}
        self._beyond = sum(unit not in self._units for unit in ledgers.units)
        """Units that ended and are not to be played by this worker."""
        self._queue = Queue(unit for unit in units if unit.id not in ledgers.units)
        self._leases = Leases(shop.folder, shop.pulse.worker, shop.pulse.is_alive, shop.pulse.age_s)
        self._running: set[str] = set()
        self._parked: list[_Parked] = []
        self._parkings: dict[str, int] = {}
        self._last_said = ""
        """Why the last unit was parked."""
        self._elsewhere: list[Unit] = []
        self._turn = anyio.Lock()
        self._idling = anyio.CancelScope()
        self._leasing = Threads(1)  # one unit is taken at a time
        self._beating = anyio.CapacityLimiter(1)  # a sign of life must not wait for threads that others hold up
        self._in_reach_at = anyio.current_time()
        self._has_reached = False
        self._resumed: set[str] = set()
        """Units that were begun earlier, of which no clock tells how long they take."""
        self._processor_at = process_time()
        self.session = Session()

    async def play(self) -> Session:
        """Play until there is nothing left to play, or a reason to stop. Raises nothing that concerns one unit only."""
        self._shop.watch.opened(self.state)
        with calm():
            await self._play_all()
        self.session.reason = self._shop.drain.reason
        self.session.unplayable = why_unplayable(self._units, self._ledgers.units)
        return self.session

    async def _play_all(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._live, group)
            async with anyio.create_task_group() as slots:
                for _ in range(min(self._shop.settings.at_once, max(1, len(self._queue)))):
                    slots.start_soon(self._slot)
            group.cancel_scope.cancel()

    def state(self) -> dict[str, Any]:
        """How the worker is doing, for others to see."""
        return {
            "at": now(),
            "units": len(self._units),
            "beyond": self._beyond,
            "running": len(self._running - {p.unit.id for p in self._parked}),  # one that is parked may keep its place
            "waiting": len(self._queue),
            "parked": {p.unit.id: p.error for p in self._parked},
            "elsewhere": len(self._elsewhere),
            "failed": self.session.failed,
            "reason": self._shop.drain.reason,
            "calls": self._shop.purse.calls,
            "in_flight": self._shop.purse.in_flight,
            "cost_usd": self._shop.purse.cost_usd + self._shop.purse.others.cost_usd,
            "usage": self._shop.purse.usage.model_dump(),
            **self._shop.about(),
        }

    async def _live(self, group: TaskGroup) -> None:
        """Give signs of life; leave at once when others may take this worker for dead, or the disk fails."""
        while True:
            if self._shop.pulse.is_lost:
                self._end(RunError("this process was halted for too long, others may have taken over; start it again"))
                group.cancel_scope.cancel()
            try:
                await anyio.to_thread.run_sync(self._shop.pulse.beat, self.state(), limiter=self._beating)
            except StorageError as error:
                self._end(error)
            await anyio.sleep(BEAT_S)

    async def _slot(self) -> None:
        while (unit := await self._next()) is not None:
            self._running.add(unit.id)
            try:
                await self._play(unit)
            finally:
                self._running.discard(unit.id)
                if not self._running:
                    self._idling.cancel()

    async def _next(self) -> Unit | None:
        """The next unit that nobody plays and that has not come to an end; None when there is nothing left to do."""
        async with self._turn:
            while not self._shop.drain.has_begun:
                self._wake()
                unit = self._queue.take()
                if unit is None:
                    if not (self._running or self._parked or self._elsewhere):
                        return None
                    await self._idle()
                elif unit.id not in self._ledgers.units and await self._is_ours(unit):
                    return unit
            return None

    async def _is_ours(self, unit: Unit) -> bool:
        try:
            owners = await self._leasing.run(partial(self._leases.take, unit))
            if not owners:
                self._elsewhere.append(unit)
                return False
            if owners > 1:  # whoever had it may have brought it to an end before it left
                await self._refresh()
        except StorageError as error:
            self._end(error)
            return False
        return unit.id not in self._ledgers.units

    async def _idle(self) -> None:
        """Wait a moment; look at what other workers have done; give up on servers that stay out of reach."""
        with anyio.CancelScope() as self._idling:  # left at once when the last unit came to its end
            await self._shop.drain.wait(POLL_S)
        if self._elsewhere:
            await self._refresh()
            for unit in self._elsewhere:
                self._queue.put(unit)
            self._elsewhere.clear()
            await self._shop.drain.wait(POLL_S)

    async def _refresh(self) -> None:
        for line in await anyio.to_thread.run_sync(self._ledgers.refresh):
            self._beyond += line.unit not in self._units
            self._shop.watch.ended(line)

    def _wake(self) -> None:
        """Put what has been parked for long enough back into the queue; stop when patience is over."""
        time = anyio.current_time()
        due = [parked for parked in self._parked if parked.due_at <= time]
        self._parked = [parked for parked in self._parked if parked.due_at > time]
        for parked in due:
            self._queue.put(parked.unit)
        patience_s = self._shop.settings.patience_s
        if self._parkings and time - self._in_reach_at > patience_s:
            self._shop.drain.begin(f"no server answered for {patience_s:g} s: {self._last_said}")

    async def _play(self, unit: Unit) -> None:
        """Play a unit; whatever happens is dealt with here."""
        try:
            await self._bring_to_an_end(unit)
        except RunEnding:
            pass  # it goes on when the run does
        except TransientModelError as error:
            await self._park(unit, error)
        except TaskError as error:
            await self._write(self._line(unit, outcome="unusable", detail=str(error)))
        except (StorageError, ConfigError) as error:
            self._end(error)
        except (JournalError, RepositoryError) as error:
            await self._fail(unit, error)
        except FatalModelError as error:
            if isinstance(error, RequestRefused) and self._has_reached:
                await self._fail(unit, error)
            else:
                self._end(error)
        except SelfplayError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001  one unit's bug is that unit's
            await self._fail(unit, error)

    async def _bring_to_an_end(self, unit: Unit) -> None:
        shop = self._shop
        shop.watch.started(unit)
        lines: list[EpisodeLine] = []
        self._resumed.discard(unit.id)
        async with shop.desk.stage(unit) as stage:
            began = perf_counter()  # a clone is waited for once, and tells nothing of other units
            tallies: list[Tally] = []
            watch = partial(self._hear, unit, tallies)
            journals = shop.folder.journals_of(unit.task.brief.id)
            make_folder(journals)
            played = await play_task(stage, shop.cast, journals, watch, unit.sample)
        for each, tally in zip(played, tallies, strict=True):
            lines.append(line_of(each.trace, tally, each.path, shop.folder.root))
        wall_s = None if unit.id in self._resumed else round(perf_counter() - began, 6)
        await self._write(self._line(unit, outcome="played", episodes=tuple(lines), wall_s=wall_s))
        self._parkings.pop(unit.id, None)

    def _hear(self, unit: Unit, tallies: list[Tally], event: Event, is_recorded: bool) -> None:  # noqa: FBT001  a Watch
        if event["event"] == "start":
            tallies.append(Tally(self._shop.prices))
            if is_recorded:
                self._resumed.add(unit.id)
        tallies[-1].hear(event)
        if event["event"] == "call" and not is_recorded:
            self._in_reach_at = anyio.current_time()
            self._has_reached = True
        self._shop.watch.heard(unit, event, is_recorded)

    def _line(self, unit: Unit, **more: Any) -> UnitLine:  # noqa: ANN401  fields of the line
        before, self._processor_at = self._processor_at, process_time()
        return UnitLine(
            unit=unit.id,
            task=unit.task.brief.id,
            task_sha256=sha256_of(unit.task),
            sample=unit.sample,
            repo=unit.task.brief.repo,
            grade=str(unit.task.meta.get("leak", "")),
            processor_s=round(self._processor_at - before, 6),
            worker=self._shop.pulse.worker,
            at=now(),
            **more,
        )

    async def _write(self, line: UnitLine) -> None:
        await anyio.to_thread.run_sync(self._ledger.add, line)
        if line.unit not in self._ledgers.units:
            self._ledgers.units[line.unit] = line
            self._shop.watch.ended(line)

    async def _park(self, unit: Unit, error: TransientModelError) -> None:
        """Let others go first; where no server is in reach none can, and this one's place stays empty for a while."""
        count = self._parkings[unit.id] = self._parkings.get(unit.id, 0) + 1
        is_down = isinstance(error, EndpointDown)
        wait_s = FIRST_PARK_S if is_down else FIRST_PARK_S * 2.0 ** min(count - 1, 16)
        wait_s = min(LONGEST_PARK_S, wait_s if error.retry_after_s is None else error.retry_after_s)
        self._last_said = str(error)
        self._parked.append(_Parked(unit, anyio.current_time() + wait_s, str(error)))
        self._shop.watch.parked(unit, error, wait_s)
        if is_down:  # but not beyond the run's patience, which `_wake` looks after
            patience_s = self._in_reach_at + self._shop.settings.patience_s - anyio.current_time()
            await self._shop.drain.wait(min(wait_s, max(0.0, patience_s)))

    async def _fail(self, unit: Unit, error: Exception) -> None:
        """Tell it, and leave the unit to other workers: perhaps they have what is missing here."""
        is_bug = not isinstance(error, SelfplayError)
        self.session.failed[unit.id] = "".join(traceback.format_exception(error)) if is_bug else str(error)
        self._shop.watch.failed(unit, error)
        try:
            await anyio.to_thread.run_sync(self._leases.give_up, unit)
        except StorageError as storage:
            self._end(storage)

    def _end(self, error: SelfplayError) -> None:
        self.session.error = self.session.error or error
        self._shop.drain.begin(str(error))
