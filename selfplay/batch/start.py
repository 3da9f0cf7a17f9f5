"""Starting a run, or going on with it: everything is opened, played, and closed again."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from selfplay.batch.budget import (
    BudgetedModel,
    BudgetLedger,
    OtherWorkersSpending,
    require_prices,
    track_other_workers,
)
from selfplay.batch.episode_tally import EpisodeTally, Prices, prices_of
from selfplay.batch.graceful_stop import INTERRUPTED_REASON, GracefulStop, stop_after, stop_on_signals
from selfplay.batch.heartbeat import Heartbeat, new_worker_name
from selfplay.batch.ledger import UnitLedger, UnitLedgers
from selfplay.batch.manifest import ensure_manifest, manifest_of, require_same_run
from selfplay.batch.process import limit_malloc_caches, raise_file_limit
from selfplay.batch.run import RunContext, WorkerRun
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.servers import SeatServers, require_one_price
from selfplay.batch.settings import BatchSettings
from selfplay.batch.snapshot_pool import SnapshotPool
from selfplay.batch.units import WorkUnit, make_units, task_sha256_of
from selfplay.batch.watch import NullWatch, RunSession, RunWatch
from selfplay.config import RunConfig
from selfplay.core.errors import JournalError, RunError, StorageError
from selfplay.core.files import make_folder
from selfplay.core.task import Task
from selfplay.core.threads import ThreadPool
from selfplay.core.usage import Spending
from selfplay.environments.registry import make_run_tools
from selfplay.episode.seats import SeatModel, open_seat_models
from selfplay.journal.events import read_events
from selfplay.models.retry import Clock
from selfplay.repos.hidden_files import is_journal
from selfplay.repos.repositories import Repositories


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a run is to do."""

    tasks: Sequence[tuple[str, Task]]
    """Each with where it stands."""
    folder: RunFolder
    config: RunConfig
    settings: BatchSettings
    repos: Path
    hidden_files: tuple[Path, ...] = ()
    """The user's own files about the tasks, which a directory's snapshot must not show."""
    may_begin_anew: bool = True
    """Whether a run in which no model has answered may become this one; not where others may know more of it."""


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """What is known of a run before anything is played, once its folder was found to fit."""

    prices: Prices
    ledgers: UnitLedgers
    units: list[WorkUnit]

    @property
    def unfinished_count(self) -> int:
        """Units that did not come to an end, as far as was read of the ledgers."""
        return sum(unit.id not in self.ledgers.units for unit in self.units)


def open_run(order: RunOrder) -> OpenedRun:
    """Make the run's folder, or make sure that it fits. Blocking. Raises ConfigError, RunError, StorageError."""
    require_run_folder(order.folder)
    prices = prices_of(order.config)
    require_prices(order.config, prices, order.settings.budget)  # a run begun without a price could not be given one
    require_one_price(order.config, order.settings)
    make_folders(order.folder)
    ensure_manifest(order.folder, manifest_of(order.config), may_begin_anew=order.may_begin_anew)
    make_folder(order.folder.episodes)
    ledgers = UnitLedgers(order.folder)
    ledgers.refresh()
    units = make_units(order.tasks, order.settings.samples)
    require_same_tasks(units, ledgers)
    return OpenedRun(prices, ledgers, units)


async def carry_out(
    order: RunOrder,
    watch: RunWatch | None = None,
    *,
    heeds_signals: bool = True,
    graceful_stop: GracefulStop | None = None,
) -> RunSession:
    """Play what has not come to an end yet. The first SIGINT or SIGTERM ends the run in order, the second at once.

    `graceful_stop` ends it in order too. Raises ConfigError, RunError, StorageError before anything is played.
    """
    opening = open_run(order)
    prices, ledgers, units = opening.prices, opening.ledgers, opening.units
    raise_file_limit()
    limit_malloc_caches()
    heartbeat = Heartbeat(order.folder, new_worker_name())
    others = OtherWorkersSpending(order.folder, heartbeat.worker)
    graceful_stop, budget_ledger = graceful_stop or GracefulStop(), load_budget_ledger(order, ledgers, prices)
    clock = Clock(sleep=graceful_stop.sleep)
    servers = SeatServers(order.settings, clock)

    def wrap_role(role: SeatModel) -> SeatModel:
        return replace(role, model=BudgetedModel(role.model, role.price, budget_ledger, graceful_stop), clock=clock)

    def describe_worker() -> dict[str, Any]:
        in_flight = budget_ledger.in_flight - servers.waiting_calls
        return {**servers.describe(), "in_flight": in_flight, "spent": asdict(budget_ledger.own)}

    snapshots = _make_snapshot_pool(order)
    session = RunSession(reason=INTERRUPTED_REASON)
    with UnitLedger(order.folder, heartbeat.worker) as ledger:
        async with (
            open_seat_models(order.config, servers.make_model, wrap_role) as seats,
            anyio.create_task_group() as group,
        ):
            if heeds_signals:
                await group.start(stop_on_signals, graceful_stop, group)
            context = RunContext(
                folder=order.folder,
                settings=order.settings,
                prices=prices,
                seats=seats,
                snapshots=snapshots,
                heartbeat=heartbeat,
                budget_ledger=budget_ledger,
                graceful_stop=graceful_stop,
                watch=watch or NullWatch(),
                describe_worker=describe_worker,
            )
            heartbeat.beat({})
            require_same_run(order.folder, manifest_of(order.config))  # until now the run might have become another one
            run = WorkerRun(context, units, ledgers, ledger)
            group.start_soon(track_other_workers, others, budget_ledger)
            group.start_soon(snapshots.abort_clones_on_stop, graceful_stop)
            if order.settings.budget.time_s is not None:
                group.start_soon(stop_after, order.settings.budget.time_s, graceful_stop)
            try:
                session = await run.play()
            finally:
                with suppress(StorageError):  # others will find it dead by its age
                    heartbeat.beat(run.state(), is_over=True)
            group.cancel_scope.cancel()
    session.unfinished_count = opening.unfinished_count  # also of a session that was left at once
    return session


def require_run_folder(folder: RunFolder) -> None:
    """Raises RunError for a folder without a run that is clearly something else, and must not be mixed with one."""
    root = folder.root
    if folder.manifest.exists():
        return
    runs = sorted(path.parent.name for path in root.glob("*/manifest.json"))
    if (root / ".git").exists():
        holds = "a repository"
    elif any((root / name).exists() for name in (".clones", ".index")):
        holds = "clones of repositories"
    elif runs:
        holds = f"other runs ({', '.join(runs[:3])}{', ...' if len(runs) > 3 else ''})"  # noqa: PLR2004  as many as are shown
    elif any(is_journal(path) for path in root.glob("*.jsonl")):
        holds = "journals of single episodes"
    else:
        return
    raise RunError(f"{root} holds {holds}; give a run a folder of its own, such as --out {root / 'night'}")


def make_folders(folder: RunFolder) -> None:
    """Make the run's folders, but that of its journals: with it a run has begun. Raises StorageError."""
    make_folder(folder.root, above=True)
    for place in (folder.ledgers, folder.leases, folder.workers):
        make_folder(place)


def require_same_tasks(units: Sequence[WorkUnit], ledgers: UnitLedgers) -> None:
    """Raises RunError where an id means another task now than when it was played."""
    for unit in units:
        line = ledgers.units.get(unit.id)
        if line is not None and line.task_sha256 != task_sha256_of(unit.task):
            raise RunError(
                f"{unit.where}: the task {unit.task.brief.id!r} is not the one that was played under this id; "
                "give it a new id, or give another --out"
            )


def load_budget_ledger(order: RunOrder, ledgers: UnitLedgers, prices: Prices) -> BudgetLedger:
    """What all workers used until now: of units that came to an end, and of journals that go on."""
    budget_ledger = BudgetLedger(order.settings.budget)
    ended: set[str] = set()
    for line in ledgers.units.values():
        for episode in line.episodes:
            ended.add(episode.path)
            budget_ledger.add_earlier(Spending(episode.usage, episode.cost_usd), episode.calls)
    root = order.folder.root
    for path in sorted(order.folder.episodes.rglob("*.jsonl")):
        if path.relative_to(root).as_posix() not in ended and is_journal(path):
            tally = EpisodeTally(prices)
            with suppress(JournalError):  # its unit will report that; what was paid before the damage was paid
                for event in read_events(path):
                    tally.consume(event)
            budget_ledger.add_earlier(tally.spent, tally.calls)
    return budget_ledger


def _make_snapshot_pool(order: RunOrder) -> SnapshotPool:
    repositories = Repositories(order.repos, hidden=(order.folder.root, *order.hidden_files))
    return SnapshotPool(repositories, order.config, make_run_tools(order.config), ThreadPool(order.settings.threads))
