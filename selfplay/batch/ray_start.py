"""A run on a Ray cluster: the same command, folder and episodes; actors on several machines play them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from selfplay.batch.drain import Drain
from selfplay.batch.layout import RunFolder
from selfplay.batch.ray_cluster import open_cluster
from selfplay.batch.ray_fleet import Fleet
from selfplay.batch.ray_shares import shares_of
from selfplay.batch.ray_sink import Mirror, Sink
from selfplay.batch.run import BatchWatch, Session, Unwatched
from selfplay.batch.start import INTERRUPTED, Order, end_after, heed_signals, open_run, spent_before
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
    order: Order, watch: BatchWatch | None = None, *, ray: RaySettings, say: Callable[[str], None]
) -> Session:
    """As `selfplay.batch.start.carry_out`, by actors. `say` is told of actors that come and go.

    Ray ends the actors when this process dies; the same command then goes on.
    """
    if order.settings.otel:
        raise ConfigError("batch.otel: actors send no spans; leave it out with --engine ray")
    order = _with_whole_paths(order)
    mirror = Mirror(order.folder, Sink(ray.sink)) if ray.sink else None
    if mirror is not None:
        mirror.fetch_ledgers()
    opening = open_run(replace(order, may_begin_anew=mirror is None))
    if mirror is not None:
        mirror.bring_manifest()
    drain, session = Drain(), Session(reason=INTERRUPTED)
    with open_cluster(ray.address) as cluster:
        shares = shares_of(order.settings, ray.actors or cluster.nodes)
        fleet = Fleet(
            order=order,
            opening=opening,
            start=cluster.starter(order, ray.sink, len(shares)),
            fetch=None if mirror is None else mirror.fetch_ledgers,
            before=spent_before(order, opening.ledgers, opening.prices),
            drain=drain,
            watch=watch or Unwatched(),
            say=say,
        )
        async with anyio.create_task_group() as group:
            await group.start(heed_signals, drain, group)
            if order.settings.budget.time_s is not None:
                group.start_soon(end_after, order.settings.budget.time_s, drain)
            session = await fleet.play(shares)
            group.cancel_scope.cancel()
    session.left = opening.left  # also of a session that was left at once
    return session


def _with_whole_paths(order: Order) -> Order:
    """Actors begin in folders of their own."""
    return replace(
        order,
        folder=RunFolder(order.folder.root.absolute()),
        repos=order.repos.absolute(),
        kept=tuple(path.absolute() for path in order.kept),
    )
