"""A worker whose folder is on its own machine only: what it needs comes from a sink, what is new goes there."""

from dataclasses import dataclass, field

import anyio

from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.heartbeat import new_worker_name
from selfplay.batch.ledger import UnitLedgers, UnitLine
from selfplay.batch.progress.live_view import CombinedWatch
from selfplay.batch.ray.sink import SYNC_S, SinkMirror, TraceSink, find_unfinished_tasks, select_part
from selfplay.batch.run import NullWatch, RunSession, RunWatch
from selfplay.batch.start import RunOrder, carry_out
from selfplay.batch.units import WorkUnit
from selfplay.core.errors import SelfplayError, StorageError


@dataclass(frozen=True, slots=True)
class SinkPart:
    """Where an actor's traces go, and which of the actors it is."""

    url: str
    number: int
    """From 1."""
    count: int
    sync_s: float = SYNC_S


@dataclass(slots=True)
class _SinkUploader(NullWatch):
    """Knows what is new."""

    mirror: SinkMirror
    name: str = field(default_factory=new_worker_name)
    tasks: set[str] = field(default_factory=set[str])
    lines: list[UnitLine] = field(default_factory=list[UnitLine])

    def on_unit_started(self, unit: WorkUnit) -> None:
        self.tasks.add(unit.task.brief.id)

    def on_unit_ended(self, line: UnitLine) -> None:
        self.lines.append(line)

    def download(self, order: RunOrder) -> None:
        """Bring here what others did. What was done here before and never went up is new as well. Blocking."""
        before, after = UnitLedgers(order.folder), UnitLedgers(order.folder)
        before.refresh()
        theirs = self.mirror.fetch_ledgers()
        after.refresh()
        self.lines = [line for unit, line in before.units.items() if unit not in theirs]
        self.tasks = {line.task for line in self.lines}
        self.mirror.fetch_journals(find_unfinished_tasks(order, after))

    async def upload(self) -> None:
        """Bring up what is new. Raises StorageError."""
        await anyio.to_thread.run_sync(self.mirror.upload, frozenset(self.tasks), self.name, tuple(self.lines))

    async def upload_repeatedly(self, seconds: float) -> None:
        while True:
            await anyio.sleep(seconds)
            try:
                await self.upload()
            except StorageError:
                continue  # it may work the next time; the last time is told of


async def carry_out_with_sink(
    order: RunOrder, part: SinkPart, watch: RunWatch, graceful_stop: GracefulStop
) -> RunSession:
    """As `carry_out`, for this actor's part of the tasks. Raises what that raises, and StorageError for the sink."""
    order = select_part(order, part.number, part.count)
    uploader = _SinkUploader(SinkMirror(order.folder, TraceSink(part.url)))
    await anyio.to_thread.run_sync(uploader.download, order)
    outcome: list[RunSession | SelfplayError] = []
    async with anyio.create_task_group() as group:
        group.start_soon(uploader.upload_repeatedly, part.sync_s)
        try:
            outcome.append(
                await carry_out(order, CombinedWatch(watch, uploader), heeds_signals=False, graceful_stop=graceful_stop)
            )
        except SelfplayError as error:  # a task group would wrap it
            outcome.append(error)
        group.cancel_scope.cancel()
    try:
        await uploader.upload()
    except StorageError as error:
        raise StorageError(f"{error}; what is new lies in {order.folder.root}, start again from there") from error
    [session] = outcome
    if isinstance(session, SelfplayError):
        raise session
    return session
