"""A run on a Ray cluster: the same command, folder and episodes; actors on several machines play them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.ray.cluster import open_cluster
from selfplay.batch.ray.fleet import ActorFleet
from selfplay.batch.ray.sink import SinkMirror, TraceSink
from selfplay.batch.run import NullWatch, RunSession, RunWatch
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, SeatLimits
from selfplay.batch.start import INTERRUPTED_REASON, RunOrder, load_budget_ledger, open_run, stop_after, stop_on_signals
from selfplay.core.errors import ConfigError

LIMIT_NAMES = ("in_flight", "requests_per_minute", "tokens_per_minute")


def split_settings(settings: BatchSettings, count: int) -> list[BatchSettings]:
    """Settings for `count` workers at most, whose numbers add up to those given; no more of them than `at_once`.

    The budget stays whole, without its time: whoever starts the workers watches over it. Raises ConfigError where a
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
    order: RunOrder, watch: RunWatch | None = None, *, ray: RaySettings, say: Callable[[str], None]
) -> RunSession:
    """As `selfplay.batch.start.carry_out`, by actors. `say` is told of actors that come and go.

    Ray ends the actors when this process dies; the same command then goes on.
    """
    if order.settings.otel:
        raise ConfigError("batch.otel: actors send no spans; leave it out with --engine ray")
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
            notify=say,
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
        kept=tuple(path.absolute() for path in order.kept),
    )
