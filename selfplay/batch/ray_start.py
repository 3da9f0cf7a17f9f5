"""A run on a Ray cluster: the same command, folder and episodes; actors on several machines play them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from selfplay.batch.drain import GracefulStop
from selfplay.batch.layout import RunFolder
from selfplay.batch.ray_cluster import open_cluster
from selfplay.batch.ray_fleet import ActorFleet
from selfplay.batch.ray_shares import split_settings
from selfplay.batch.ray_sink import SinkMirror, TraceSink
from selfplay.batch.run import RunWatch, RunSession, NullWatch
from selfplay.batch.start import INTERRUPTED_REASON, RunOrder, stop_after, stop_on_signals, open_run, load_budget_ledger
from selfplay.errors import ConfigError


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
