"""The only door to Ray. It is loaded when it is needed: it comes with the extra `ray`."""

import os
from collections.abc import Awaitable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from selfplay.batch.ray.actor import ActorClient, ActorHello, ActorLost, ActorProgress, ActorWorker
from selfplay.batch.ray.fleet import StartActor
from selfplay.batch.ray.sink_worker import SinkPart
from selfplay.batch.run import RunSession
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import RunOrder
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
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of a run, unless its user wants that
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
