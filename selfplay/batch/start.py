"""Starting a run, or going on with it: everything is opened, played, and closed again."""

import resource
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from selfplay.batch.desk import Desk
from selfplay.batch.drain import Drain
from selfplay.batch.layout import RunFolder, make_folder
from selfplay.batch.ledger import Ledger, Ledgers
from selfplay.batch.manifest import keep_manifest, manifest_of, require_same
from selfplay.batch.memory import give_memory_back
from selfplay.batch.purse import BUDGET, Others, PayingModel, Purse, follow, require_prices
from selfplay.batch.run import BatchWatch, Run, Session, Shop, Unwatched
from selfplay.batch.servers import Servers, require_one_price
from selfplay.batch.settings import BatchSettings
from selfplay.batch.tally import Prices, Tally, prices_of
from selfplay.batch.units import Unit, sha256_of, units_of
from selfplay.batch.worker import Pulse, new_worker
from selfplay.casting import Role, open_cast
from selfplay.config import RunConfig
from selfplay.errors import JournalError, RunError, StorageError
from selfplay.events import read_events
from selfplay.hiding import is_journal
from selfplay.models.retry import Clock
from selfplay.repos import Repositories
from selfplay.task import Task
from selfplay.threads import Threads
from selfplay.toolset import toolset

INTERRUPTED = "interrupted"
"""How the reason of a run begins that a signal ended."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is to do."""

    tasks: Sequence[tuple[str, Task]]
    """Each with where it stands."""
    folder: RunFolder
    config: RunConfig
    settings: BatchSettings
    repos: Path
    kept: tuple[Path, ...] = ()
    """The user's own files about the tasks, which a directory's snapshot must not show."""
    may_begin_anew: bool = True
    """Whether a run in which no model has answered may become this one; not where others may know more of it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a run before anything is played."""

    prices: Prices
    ledgers: Ledgers
    units: list[Unit]

    @property
    def left(self) -> int:
        """Units that did not come to an end, as far as was read of the ledgers."""
        return sum(unit.id not in self.ledgers.units for unit in self.units)


def open_run(order: Order) -> Opening:
    """Make the run's folder, or make sure that it fits. Blocking. Raises ConfigError, RunError, StorageError."""
    require_fit(order.folder)
    prices = prices_of(order.config)
    require_prices(order.config, prices, order.settings.budget)  # a run begun without a price could not be given one
    require_one_price(order.config, order.settings)
    make_folders(order.folder)
    keep_manifest(order.folder, manifest_of(order.config), may_begin_anew=order.may_begin_anew)
    make_folder(order.folder.episodes)
    ledgers = Ledgers(order.folder)
    ledgers.refresh()
    units = units_of(order.tasks, order.settings.samples)
    require_same_tasks(units, ledgers)
    return Opening(prices, ledgers, units)


async def carry_out(
    order: Order, watch: BatchWatch | None = None, *, heeds_signals: bool = True, drain: Drain | None = None
) -> Session:
    """Play what has not come to an end yet. The first SIGINT or SIGTERM ends the run in order, the second at once.

    `drain` ends it in order too. Raises ConfigError, RunError, StorageError before anything is played.
    """
    opening = open_run(order)
    prices, ledgers, units = opening.prices, opening.ledgers, opening.units
    raise_file_limit()
    give_memory_back()
    pulse = Pulse(order.folder, new_worker())
    others = Others(order.folder, pulse.worker)
    drain, purse = drain or Drain(), spent_before(order, ledgers, prices)
    clock = Clock(sleep=drain.sleep)
    servers = Servers(order.settings, clock)

    def dress(role: Role) -> Role:
        return replace(role, model=PayingModel(role.model, role.price, purse, drain), clock=clock)

    def about() -> dict[str, Any]:
        in_flight = purse.in_flight - servers.waiting
        return {**servers.about(), "in_flight": in_flight, "spent": asdict(purse.own)}

    desk = _desk(order)
    session = Session(reason=INTERRUPTED)
    with Ledger(order.folder, pulse.worker) as ledger:
        async with open_cast(order.config, servers.make, dress) as cast, anyio.create_task_group() as group:
            if heeds_signals:
                await group.start(heed_signals, drain, group)
            shop = Shop(
                folder=order.folder,
                settings=order.settings,
                prices=prices,
                cast=cast,
                desk=desk,
                pulse=pulse,
                purse=purse,
                drain=drain,
                watch=watch or Unwatched(),
                about=about,
            )
            pulse.beat({})
            require_same(order.folder, manifest_of(order.config))  # until now the run might have become another one
            run = Run(shop, units, ledgers, ledger)
            group.start_soon(follow, others, purse)
            group.start_soon(desk.break_off, drain)
            if order.settings.budget.time_s is not None:
                group.start_soon(end_after, order.settings.budget.time_s, drain)
            try:
                session = await run.play()
            finally:
                with suppress(StorageError):  # whoever looks finds it dead by its age
                    pulse.beat(run.state(), is_over=True)
            group.cancel_scope.cancel()
    session.left = opening.left  # also of a session that was left at once
    return session


def require_fit(folder: RunFolder) -> None:
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


def require_same_tasks(units: Sequence[Unit], ledgers: Ledgers) -> None:
    """Raises RunError where an id means another task now than when it was played."""
    for unit in units:
        line = ledgers.units.get(unit.id)
        if line is not None and line.task_sha256 != sha256_of(unit.task):
            raise RunError(
                f"{unit.where}: the task {unit.task.brief.id!r} is not the one that was played under this id; "
                "give it a new id, or give another --out"
            )


def spent_before(order: Order, ledgers: Ledgers, prices: Prices) -> Purse:
    """What all workers used until now: of units that came to an end, and of journals that go on."""
    purse = Purse(order.settings.budget)
    ended: set[str] = set()
    for line in ledgers.units.values():
        for episode in line.episodes:
            ended.add(episode.path)
            purse.remember(episode.usage, episode.cost_usd, episode.calls)
    root = order.folder.root
    for path in sorted(order.folder.episodes.rglob("*.jsonl")):
        if path.relative_to(root).as_posix() not in ended and is_journal(path):
            tally = Tally(prices)
            with suppress(JournalError):  # its unit will tell; what was paid before the damage was paid
                for event in read_events(path):
                    tally.hear(event)
            purse.remember(tally.usage, tally.cost_usd, tally.calls)
    return purse


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each episode has a journal and a connection or two."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _desk(order: Order) -> Desk:
    repositories = Repositories(order.repos, kept=(order.folder.root, *order.kept))
    return Desk(repositories, order.config, toolset(order.config.tools), Threads(order.settings.threads))


async def end_after(seconds: float, drain: Drain) -> None:
    """End the run in order after so long."""
    await anyio.sleep(seconds)
    drain.begin(f"{BUDGET}: {seconds:g} s of this session are over")


async def heed_signals(
    drain: Drain, group: TaskGroup, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """End the run in order at the first SIGINT or SIGTERM; cancel the group at one while it is being ended."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            if drain.has_begun:
                group.cancel_scope.cancel()
                return
            drain.begin(f"{INTERRUPTED} by {signal.Signals(number).name}")
