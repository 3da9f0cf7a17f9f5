"""The only door to Ray. It is loaded when it is needed: it comes with the extra `ray`."""

import os
from collections.abc import Awaitable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from selfplay.batch.ray_actor import Actor, ActorLost, Hello, Player, Progress
from selfplay.batch.ray_carry import SinkPart
from selfplay.batch.ray_fleet import Start
from selfplay.batch.run import Session
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import Order
from selfplay.errors import ConfigError, RunError
from selfplay.task import Task


class _RayPlayer(Player):
    """The actor as Ray makes it, in a process of its own."""

    def __init__(self, tasks: Sequence[tuple[str, Task]], order: Order, sink: SinkPart | None, place: Path) -> None:
        with suppress(OSError):  # a node without this folder has a use for absolute paths only
            os.chdir(place)
        super().__init__(replace(order, tasks=tasks), sink)


@dataclass(frozen=True, slots=True)
class _RayActor:
    """An actor somewhere in the cluster."""

    ray: ModuleType
    handle: Any
    """Ray's own."""

    async def hello(self, token: str) -> Hello:
        return await self._answer(self.handle.hello.remote(token))

    async def play(self) -> Session:
        return await self._answer(self.handle.play.remote())

    async def progress(self) -> Progress:
        return await self._answer(self.handle.progress.remote())

    async def end(self, reason: str) -> None:
        await self._answer(self.handle.end.remote(reason))

    def kill(self) -> None:
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(self.handle)

    async def _answer(self, reference: Awaitable[Any]) -> Any:  # noqa: ANN401  what the method returns
        errors = self.ray.exceptions
        try:
            return await reference
        except (errors.RayActorError, errors.ActorUnschedulableError) as error:
            raise ActorLost(_short(error)) from None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray cluster that is connected to."""

    ray: ModuleType

    @property
    def nodes(self) -> int:
        """Nodes that are alive."""
        return sum(bool(node["Alive"]) for node in self.ray.nodes())

    def starter(self, order: Order, sink: str, count: int) -> Start:
        """Starts actors that play an order, each with its share of the settings, and with a sink of the tasks."""
        make = self.ray.remote(_RayPlayer).options(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")
        tasks = self.ray.put(tuple(order.tasks))  # sent once, not with each actor
        place = Path.cwd()

        def start(number: int, share: BatchSettings) -> Actor:
            part = SinkPart(sink, number, count) if sink else None
            return _RayActor(self.ray, make.remote(tasks, replace(order, tasks=(), settings=share), part, place))

        return start


@contextmanager
def open_cluster(address: str) -> Generator[Cluster]:
    """Connect to a cluster, or, without an address, start one on this machine. Raises ConfigError, RunError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of a run, unless its user wants that
    try:
        ray = import_module("ray")
    except ImportError:
        raise ConfigError("--engine ray needs Ray: pip install '.[ray]' in selfplay's checkout") from None
    own: dict[str, object] = {"address": address} if address else {"include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level="error", **own)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise RunError(f"Ray can't be reached at {address or 'a cluster of its own'}: {_short(error)}") from error
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def _short(error: BaseException) -> str:
    """What Ray says, on one line: its reasons come last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
