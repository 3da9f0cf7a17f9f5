"""A worker whose folder is on its own machine only: what it needs comes from a sink, what is new goes there."""

from dataclasses import dataclass, field

import anyio

from selfplay.batch.drain import Drain
from selfplay.batch.ledger import Ledgers, UnitLine
from selfplay.batch.ray_sink import SYNC_S, Mirror, Sink, part_of, unfinished
from selfplay.batch.run import BatchWatch, Session, Unwatched
from selfplay.batch.start import Order, carry_out
from selfplay.batch.units import Unit
from selfplay.batch.view import Several
from selfplay.batch.worker import new_worker
from selfplay.errors import SelfplayError, StorageError


@dataclass(frozen=True, slots=True)
class SinkPart:
    """Where an actor's traces go, and which of the actors it is."""

    url: str
    number: int
    """From 1."""
    count: int
    sync_s: float = SYNC_S


@dataclass(slots=True)
class _Carrier(Unwatched):
    """Knows what is new."""

    mirror: Mirror
    name: str = field(default_factory=new_worker)
    tasks: set[str] = field(default_factory=set[str])
    lines: list[UnitLine] = field(default_factory=list[UnitLine])

    def started(self, unit: Unit) -> None:
        self.tasks.add(unit.task.brief.id)

    def ended(self, line: UnitLine) -> None:
        self.lines.append(line)

    def fetch(self, order: Order) -> None:
        """Bring here what others did. What was done here before and never went up is new as well. Blocking."""
        before, after = Ledgers(order.folder), Ledgers(order.folder)
        before.refresh()
        theirs = self.mirror.fetch_ledgers()
        after.refresh()
        self.lines = [line for unit, line in before.units.items() if unit not in theirs]
        self.tasks = {line.task for line in self.lines}
        self.mirror.fetch_journals(unfinished(order, after))

    async def sync(self) -> None:
        """Bring up what is new. Raises StorageError."""
        await anyio.to_thread.run_sync(self.mirror.bring, frozenset(self.tasks), self.name, tuple(self.lines))

    async def sync_again_and_again(self, seconds: float) -> None:
        while True:
            await anyio.sleep(seconds)
            try:
                await self.sync()
            except StorageError:
                continue  # it may work the next time; the last time is told of


async def carry_out_with_sink(order: Order, part: SinkPart, watch: BatchWatch, drain: Drain) -> Session:
    """As `carry_out`, for this actor's part of the tasks. Raises what that raises, and StorageError for the sink."""
    order = part_of(order, part.number, part.count)
    carrier = _Carrier(Mirror(order.folder, Sink(part.url)))
    await anyio.to_thread.run_sync(carrier.fetch, order)
    outcome: list[Session | SelfplayError] = []
    async with anyio.create_task_group() as group:
        group.start_soon(carrier.sync_again_and_again, part.sync_s)
        try:
            outcome.append(await carry_out(order, Several(watch, carrier), heeds_signals=False, drain=drain))
        except SelfplayError as error:  # a task group would wrap it
            outcome.append(error)
        group.cancel_scope.cancel()
    try:
        await carrier.sync()
    except StorageError as error:
        raise StorageError(f"{error}; what is new lies in {order.folder.root}, start again from there") from error
    [session] = outcome
    if isinstance(session, SelfplayError):
        raise session
    return session
