"""A run on a Ray cluster: the same command, folder and episodes; actors on several machines play them.

The only module that loads Ray, and only when it is needed: it comes with the extra `ray`.
"""

import os
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio

from selfplay.batch.graceful_stop import INTERRUPTED_REASON, GracefulStop, stop_after, stop_on_signals
from selfplay.batch.ray.actor import ActorClient, ActorHello, ActorLost, ActorProgress, ActorWorker
from selfplay.batch.ray.fleet import ActorFleet, StartActor
from selfplay.batch.ray.sink import SinkMirror, SinkPart, TraceSink
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, SeatLimits
from selfplay.batch.start import RunOrder, load_budget_ledger, open_run
from selfplay.batch.watch import NullWatch, RunSession, RunWatch
from selfplay.core.errors import ConfigError, RunError
from selfplay.core.task import Task


class _RayActorWorker(ActorWorker):
    """The actor as Ray makes it, in a process of its own."""

    def __init__(self, tasks: Sequence[tuple[str, Task]], order: RunOrder, sink: SinkPart | None, place: Path) -> None:
        with suppress(OSError):  # a node without this folder has a use for absolute paths only
            os.chdir(place)
        super().__init__(replace(order, tasks=tasks), sink)


@dataclass(frozen=True, slots=True)
class _RayActorClient:
    """An actor somewhere in the cluster."""

    ray: ModuleType
    handle: Any
    """Ray's own."""

    async def hello(self, token: str) -> ActorHello:
        return await self._await_reply(self.handle.hello.remote(token))

    async def play(self) -> RunSession:
        return await self._await_reply(self.handle.play.remote())

    async def progress(self) -> ActorProgress:
        return await self._await_reply(self.handle.progress.remote())

    async def end(self, reason: str) -> None:
        await self._await_reply(self.handle.end.remote(reason))

    def kill(self) -> None:
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(self.handle)

    async def _await_reply(self, reference: Awaitable[Any]) -> Any:  # noqa: ANN401  what the method returns
        errors = self.ray.exceptions
        try:
            return await reference
        except (errors.RayActorError, errors.ActorUnschedulableError) as error:
            raise ActorLost(_last_line_of(error)) from None


@dataclass(frozen=True, slots=True)
class RayCluster:
    """A Ray cluster that is connected to."""

    ray: ModuleType

    @property
    def node_count(self) -> int:
        """Nodes that are alive."""
        return sum(bool(node["Alive"]) for node in self.ray.nodes())

    def make_starter(self, order: RunOrder, sink: str, count: int) -> StartActor:
        """Starts actors that play an order, each with its share of the settings, and with a sink of the tasks."""
        make = self.ray.remote(_RayActorWorker).options(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")
        tasks = self.ray.put(tuple(order.tasks))  # sent once, not with each actor
        place = Path.cwd()

        def start(number: int, share: BatchSettings) -> ActorClient:
            part = SinkPart(sink, number, count) if sink else None
            return _RayActorClient(self.ray, make.remote(tasks, replace(order, tasks=(), settings=share), part, place))

        return start


@contextmanager
def open_cluster(address: str) -> Generator[RayCluster]:
    """Connect to a cluster, or, without an address, start one on this machine. Raises ConfigError, RunError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no statistics are sent, unless the user asks for it
    try:
        ray = import_module("ray")
    except ImportError:
        raise ConfigError("--engine ray needs Ray: pip install '.[ray]' in selfplay's checkout") from None
    own: dict[str, object] = {"address": address} if address else {"include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level="error", **own)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise RunError(
            f"Ray can't be reached at {address or 'a cluster of its own'}: {_last_line_of(error)}"
        ) from error
    try:
        yield RayCluster(ray)
    finally:
        ray.shutdown()


def _last_line_of(error: BaseException) -> str:
    """What Ray says, on one line: its reasons come last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


LIMIT_NAMES = ("in_flight", "requests_per_minute", "tokens_per_minute")


def split_settings(settings: BatchSettings, count: int) -> list[BatchSettings]:
    """Settings for `count` workers at most, whose numbers add up to those given; no more of them than `at_once`.

    The budget stays whole, without its time: the process that starts the workers watches it. Raises ConfigError where a
    limit is smaller than the number of workers.
    """
    count = min(count, settings.at_once)
    budget = settings.budget.model_copy(update={"time_s": None})
    return [
        settings.model_copy(
            update={
                "at_once": _size_of_part(settings.at_once, number, count),
                "budget": budget,
                **{seat: _split_limits(seat, getattr(settings, seat), number, count) for seat in _SEAT_NAMES},
            }
        )
        for number in range(count)
    ]


_SEAT_NAMES = ("player", "supervisor", "judge")


def _split_limits(seat: str, limits: SeatLimits, number: int, count: int) -> SeatLimits:
    parts: dict[str, int] = {}
    for name in LIMIT_NAMES:
        whole: int | None = getattr(limits, name)
        if whole is None:
            continue
        if whole < count:
            raise ConfigError(
                f"batch.{seat}.{name}: {whole} can't be shared by {count} actors; raise it, or start fewer actors"
            )
        parts[name] = _size_of_part(whole, number, count)
    return limits.model_copy(update=parts)


def _size_of_part(whole: int, number: int, count: int) -> int:
    """The `number`-th (from 0) of `count` nearly equal parts."""
    return whole // count + (number < whole % count)


@dataclass(frozen=True, slots=True)
class RaySettings:
    """Which cluster, and how much of it."""

    address: str = ""
    """Empty: what RAY_ADDRESS says, or a cluster of one node that lives as long as the run."""
    actors: int | None = None
    """How many; by default one for each node."""
    sink: str = ""
    """Where traces are kept if nodes share no disk: an address that fsspec knows."""


async def carry_out_on_ray(
    order: RunOrder, watch: RunWatch | None = None, *, ray: RaySettings, notify: Callable[[str], None]
) -> RunSession:
    """As `selfplay.batch.start.carry_out`, by actors. `notify` receives a line for each actor that comes or goes.

    Ray ends the actors when this process dies; the same command then goes on.
    """
    if order.settings.otel or order.settings.tracers:
        name = "otel" if order.settings.otel else "tracers"
        raise ConfigError(f"batch.{name}: actors send no spans; leave it out with --engine ray")
    order = _with_absolute_paths(order)
    mirror = SinkMirror(order.folder, TraceSink(ray.sink)) if ray.sink else None
    if mirror is not None:
        mirror.fetch_ledgers()
    opening = open_run(replace(order, may_begin_anew=mirror is None))
    if mirror is not None:
        mirror.upload_manifest()
    graceful_stop, session = GracefulStop(), RunSession(reason=INTERRUPTED_REASON)
    with open_cluster(ray.address) as cluster:
        shares = split_settings(order.settings, ray.actors or cluster.node_count)
        fleet = ActorFleet(
            order=order,
            opening=opening,
            start=cluster.make_starter(order, ray.sink, len(shares)),
            fetch=None if mirror is None else mirror.fetch_ledgers,
            earlier_spending=load_budget_ledger(order, opening.ledgers, opening.prices),
            graceful_stop=graceful_stop,
            watch=watch or NullWatch(),
            notify=notify,
        )
        async with anyio.create_task_group() as group:
            await group.start(stop_on_signals, graceful_stop, group)
            if order.settings.budget.time_s is not None:
                group.start_soon(stop_after, order.settings.budget.time_s, graceful_stop)
            session = await fleet.play(shares)
            group.cancel_scope.cancel()
    session.unfinished_count = opening.unfinished_count  # also of a session that was left at once
    return session


def _with_absolute_paths(order: RunOrder) -> RunOrder:
    """Actors begin in folders of their own."""
    return replace(
        order,
        folder=RunFolder(order.folder.root.absolute()),
        repos=order.repos.absolute(),
        hidden_files=tuple(path.absolute() for path in order.hidden_files),
    )
