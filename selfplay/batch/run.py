"""A run: units are played, so many at a time, until all came to an end or there is a reason to stop.

Each unit is played in a task of its own. What goes wrong in one is that unit's alone: a model out of reach parks it, a
task that does not fit its repository is written down as such, a fault of the program is reported and tried again by the
next start. Only what concerns all of them (a wrong key, a full disk, a used-up budget) ends the run, in order.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter, process_time
from typing import Any

import anyio
from anyio.abc import TaskGroup

from selfplay.batch.budget import BudgetLedger
from selfplay.batch.episode_tally import EpisodeTally, Prices, make_episode_line
from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.heartbeat import BEAT_S, Heartbeat
from selfplay.batch.ledger import EpisodeLine, UnitLedger, UnitLedgers, UnitLine
from selfplay.batch.process import collect_cycles_less_often
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings
from selfplay.batch.snapshot_pool import SnapshotPool
from selfplay.batch.units import UnitLeases, UnitQueue, WorkUnit, task_sha256_of
from selfplay.batch.watch import NullWatch, RunSession, RunWatch, find_unplayable_reason
from selfplay.core.errors import (
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
from selfplay.core.files import make_folder
from selfplay.core.threads import ThreadPool
from selfplay.episode.play import play_task
from selfplay.episode.seats import SeatModels
from selfplay.journal.events import Event, iso_now

POLL_S = 0.5
"""Seconds between two looks at whether a parked unit, or another worker's, can be taken up."""
FIRST_PARK_S = 5.0
LONGEST_PARK_S = 300.0


@dataclass(slots=True)
class _ParkedUnit:
    unit: WorkUnit
    due_at: float
    error: str


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run is carried out with."""

    folder: RunFolder
    settings: BatchSettings
    prices: Prices
    seats: SeatModels
    snapshots: SnapshotPool
    heartbeat: Heartbeat
    budget_ledger: BudgetLedger
    graceful_stop: GracefulStop
    watch: RunWatch = field(default_factory=NullWatch)
    describe_worker: Callable[[], dict[str, Any]] = dict
    """What else the worker's state shows: servers, rates."""


class WorkerRun:
    """The units of one worker."""

    def __init__(self, context: RunContext, units: list[WorkUnit], ledgers: UnitLedgers, ledger: UnitLedger) -> None:
        self._context, self._ledgers, self._ledger = context, ledgers, ledger
        self._units = {unit.id: unit for unit in units}
        self._ended_beyond = sum(unit not in self._units for unit in ledgers.units)
        """Units that ended and are not to be played by this worker."""
        self._queue = UnitQueue(unit for unit in units if unit.id not in ledgers.units)
        self._leases = UnitLeases(
            context.folder, context.heartbeat.worker, context.heartbeat.is_alive, context.heartbeat.age_s
        )
        self._running: set[str] = set()
        self._parked: list[_ParkedUnit] = []
        self._park_counts: dict[str, int] = {}
        self._last_park_reason = ""
        """Why the last unit was parked."""
        self._leased_elsewhere: list[WorkUnit] = []
        self._take_lock = anyio.Lock()
        self._idle_scope = anyio.CancelScope()
        self._lease_threads = ThreadPool(1)  # one unit is taken at a time
        self._heartbeat_limiter = anyio.CapacityLimiter(1)  # a heartbeat must not wait for threads that others occupy
        self._last_answer_at = anyio.current_time()
        self._has_answer = False
        self._resumed: set[str] = set()
        """Units that an earlier session began, so that their wall time is not known."""
        self._processor_at = process_time()
        self.session = RunSession()

    async def play(self) -> RunSession:
        """Play until there is nothing left to play, or a reason to stop. Raises nothing that concerns one unit only."""
        self._context.watch.on_run_opened(self.state)
        with collect_cycles_less_often():
            await self._play_all()
        self.session.reason = self._context.graceful_stop.reason
        self.session.unplayable = find_unplayable_reason(self._units, self._ledgers.units)
        return self.session

    async def _play_all(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._send_heartbeats, group)
            async with anyio.create_task_group() as slots:
                for _ in range(min(self._context.settings.at_once, max(1, len(self._queue)))):
                    slots.start_soon(self._play_units)
            group.cancel_scope.cancel()

    def state(self) -> dict[str, Any]:
        """How the worker is doing, for others to see."""
        return {
            "at": iso_now(),
            "units": len(self._units),
            "beyond": self._ended_beyond,
            "running": len(self._running - {p.unit.id for p in self._parked}),  # one that is parked may keep its place
            "waiting": len(self._queue),
            "parked": {p.unit.id: p.error for p in self._parked},
            "elsewhere": len(self._leased_elsewhere),
            "failed": self.session.failed,
            "reason": self._context.graceful_stop.reason,
            "calls": self._context.budget_ledger.calls,
            "in_flight": self._context.budget_ledger.in_flight,
            "cost_usd": self._context.budget_ledger.spent.cost_usd + self._context.budget_ledger.others.cost_usd,
            "usage": self._context.budget_ledger.spent.usage.model_dump(),
            **self._context.describe_worker(),
        }

    async def _send_heartbeats(self, group: TaskGroup) -> None:
        """Write heartbeats; leave at once when others may take this worker for dead, or the disk fails."""
        while True:
            if self._context.heartbeat.is_lost:
                self._end_run(
                    RunError("this process was halted for too long, others may have taken over; start it again")
                )
                group.cancel_scope.cancel()
            try:
                await anyio.to_thread.run_sync(
                    self._context.heartbeat.beat, self.state(), limiter=self._heartbeat_limiter
                )
            except StorageError as error:
                self._end_run(error)
            await anyio.sleep(BEAT_S)

    async def _play_units(self) -> None:
        while (unit := await self._take_next_unit()) is not None:
            self._running.add(unit.id)
            try:
                await self._play_unit(unit)
            finally:
                self._running.discard(unit.id)
                if not self._running:
                    self._idle_scope.cancel()

    async def _take_next_unit(self) -> WorkUnit | None:
        """The next unit that no worker plays and that has not come to an end; None when there is nothing left to do."""
        async with self._take_lock:
            while not self._context.graceful_stop.has_begun:
                self._requeue_due_units()
                unit = self._queue.pop_next()
                if unit is None:
                    if not (self._running or self._parked or self._leased_elsewhere):
                        return None
                    await self._wait_for_work()
                elif unit.id not in self._ledgers.units and await self._acquire_lease(unit):
                    return unit
            return None

    async def _acquire_lease(self, unit: WorkUnit) -> bool:
        try:
            owners = await self._lease_threads.run(partial(self._leases.acquire, unit))
            if not owners:
                self._leased_elsewhere.append(unit)
                return False
            if owners > 1:  # an earlier owner may have brought it to an end before it left
                await self._read_ledgers()
        except StorageError as error:
            self._end_run(error)
            return False
        return unit.id not in self._ledgers.units

    async def _wait_for_work(self) -> None:
        """Wait a moment; look at what other workers have done; give up on servers that stay out of reach."""
        with anyio.CancelScope() as self._idle_scope:  # left at once when the last unit came to its end
            await self._context.graceful_stop.wait_at_most(POLL_S)
        if self._leased_elsewhere:
            await self._read_ledgers()
            for unit in self._leased_elsewhere:
                self._queue.append(unit)
            self._leased_elsewhere.clear()
            await self._context.graceful_stop.wait_at_most(POLL_S)

    async def _read_ledgers(self) -> None:
        for line in await anyio.to_thread.run_sync(self._ledgers.refresh):
            self._ended_beyond += line.unit not in self._units
            self._context.watch.on_unit_ended(line)

    def _requeue_due_units(self) -> None:
        """Queue again what has been parked for long enough; stop when no server answered within `patience_s`."""
        time = anyio.current_time()
        due = [parked for parked in self._parked if parked.due_at <= time]
        self._parked = [parked for parked in self._parked if parked.due_at > time]
        for parked in due:
            self._queue.append(parked.unit)
        patience_s = self._context.settings.patience_s
        if self._park_counts and time - self._last_answer_at > patience_s:
            self._context.graceful_stop.begin(f"no server answered for {patience_s:g} s: {self._last_park_reason}")

    async def _play_unit(self, unit: WorkUnit) -> None:
        """Play a unit; whatever happens is dealt with here."""
        try:
            await self._play_to_end(unit)
        except RunEnding:
            pass  # it goes on when the run does
        except TransientModelError as error:
            await self._park_unit(unit, error)
        except TaskError as error:
            await self._append_line(self._make_line(unit, outcome="unusable", detail=str(error)))
        except (StorageError, ConfigError) as error:
            self._end_run(error)
        except (JournalError, RepositoryError) as error:
            await self._fail_unit(unit, error)
        except FatalModelError as error:
            if isinstance(error, RequestRefused) and self._has_answer:
                await self._fail_unit(unit, error)
            else:
                self._end_run(error)
        except SelfplayError as error:
            self._end_run(error)
        except Exception as error:  # noqa: BLE001  one unit's bug is that unit's
            await self._fail_unit(unit, error)

    async def _play_to_end(self, unit: WorkUnit) -> None:
        context = self._context
        context.watch.on_unit_started(unit)
        lines: list[EpisodeLine] = []
        self._resumed.discard(unit.id)
        async with context.snapshots.set_up(unit) as setup:
            began = perf_counter()  # after the set-up: a clone is waited for once, and says nothing of other units
            tallies: list[EpisodeTally] = []
            watch = partial(self._consume_event, unit, tallies)
            journals = context.folder.journals_of(unit.task.brief.id)
            make_folder(journals)
            played = await play_task(setup, context.seats, journals, watch, unit.sample)
        for each, tally in zip(played, tallies, strict=True):
            lines.append(make_episode_line(each.trace, tally, each.path, context.folder.root))
        wall_s = None if unit.id in self._resumed else round(perf_counter() - began, 6)
        await self._append_line(self._make_line(unit, outcome="played", episodes=tuple(lines), wall_s=wall_s))
        self._park_counts.pop(unit.id, None)

    def _consume_event(self, unit: WorkUnit, tallies: list[EpisodeTally], event: Event, is_recorded: bool) -> None:  # noqa: FBT001  an EventWatcher
        if event["event"] == "start":
            tallies.append(EpisodeTally(self._context.prices))
            if is_recorded:
                self._resumed.add(unit.id)
        tallies[-1].consume(event)
        if event["event"] == "call" and not is_recorded:
            self._last_answer_at = anyio.current_time()
            self._has_answer = True
        self._context.watch.on_event(unit, event, is_recorded)

    def _make_line(self, unit: WorkUnit, **more: Any) -> UnitLine:  # noqa: ANN401  fields of the line
        before, self._processor_at = self._processor_at, process_time()
        return UnitLine(
            unit=unit.id,
            task=unit.task.brief.id,
            task_sha256=task_sha256_of(unit.task),
            sample=unit.sample,
            repo=unit.task.brief.repo,
            grade=str(unit.task.meta.get("leak", "")),
            processor_s=round(self._processor_at - before, 6),
            worker=self._context.heartbeat.worker,
            at=iso_now(),
            **more,
        )

    async def _append_line(self, line: UnitLine) -> None:
        await anyio.to_thread.run_sync(self._ledger.append, line)
        if line.unit not in self._ledgers.units:
            self._ledgers.units[line.unit] = line
            self._context.watch.on_unit_ended(line)

    async def _park_unit(self, unit: WorkUnit, error: TransientModelError) -> None:
        """Let others go first; where no server is in reach none can, and this one's place stays empty for a while."""
        count = self._park_counts[unit.id] = self._park_counts.get(unit.id, 0) + 1
        is_down = isinstance(error, EndpointDown)
        wait_s = FIRST_PARK_S if is_down else FIRST_PARK_S * 2.0 ** min(count - 1, 16)
        wait_s = min(LONGEST_PARK_S, wait_s if error.retry_after_s is None else error.retry_after_s)
        self._last_park_reason = str(error)
        self._parked.append(_ParkedUnit(unit, anyio.current_time() + wait_s, str(error)))
        self._context.watch.on_unit_parked(unit, error, wait_s)
        if is_down:  # but not beyond the run's patience, see `_requeue_due_units`
            patience_s = self._last_answer_at + self._context.settings.patience_s - anyio.current_time()
            await self._context.graceful_stop.wait_at_most(min(wait_s, max(0.0, patience_s)))

    async def _fail_unit(self, unit: WorkUnit, error: Exception) -> None:
        """Report it, and leave the unit to other workers: they may have what is missing here."""
        is_bug = not isinstance(error, SelfplayError)
        self.session.failed[unit.id] = "".join(traceback.format_exception(error)) if is_bug else str(error)
        self._context.watch.on_unit_failed(unit, error)
        try:
            await anyio.to_thread.run_sync(self._leases.release, unit)
        except StorageError as storage:
            self._end_run(storage)

    def _end_run(self, error: SelfplayError) -> None:
        self.session.error = self.session.error or error
        self._context.graceful_stop.begin(str(error))
