"""One actor: a worker of a run like any other, whose driver asks how it is doing and when it should end.

Nothing here knows of Ray: what is sent to an actor and what it answers are the plain values below. Journals, leases and
ledger lines go to the run's folder, never through Ray.
"""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.ray.sink import SinkPart, carry_out_with_sink
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.start import RunOrder, carry_out
from selfplay.batch.watch import NullWatch, RunSession
from selfplay.core.errors import SelfplayError
from selfplay.core.usage import Spending, Usage


class ActorLost(Exception):
    """An actor died, or its node did, or it is out of reach."""


@dataclass(frozen=True, slots=True)
class ActorHello:
    """What an actor says of itself once it is there."""

    host: str
    pid: int
    problem: str = ""
    """Why it can't write into the run's folder; empty where it can."""


@dataclass(frozen=True, slots=True)
class ActorProgress:
    """How an actor is doing."""

    state: dict[str, Any] = field(default_factory=dict[str, Any])
    """As in its heartbeat."""
    spent: Spending = field(default_factory=Spending)
    """By itself."""


class ActorClient(Protocol):
    """An actor, as the driver calls it. Every method but `kill` raises ActorLost."""

    async def hello(self, token: str) -> ActorHello:
        """Wait until it is there."""
        ...

    async def play(self) -> RunSession:
        """Play until there is nothing left to play, or a reason to stop."""
        ...

    async def progress(self) -> ActorProgress:
        """How it is doing."""
        ...

    async def end(self, reason: str) -> None:
        """Let it come to an end in order; returns at once."""
        ...

    def kill(self) -> None:
        """End it at once, if it still lives."""


class SpendingMeter(NullWatch):
    """What this worker spent itself: its budget ledger also counts what was spent before, and by others."""

    def __init__(self) -> None:
        self._state: Callable[[], dict[str, Any]] = dict
        self._before = Usage()

    def on_run_opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """The run begins."""
        self._state = state
        self._before = _parse_usage(state())

    def progress(self) -> ActorProgress:
        """How it is doing now."""
        state = self._state()
        usage, before = _parse_usage(state), self._before
        own = Usage(
            input_tokens=usage.input_tokens - before.input_tokens,
            cached_tokens=usage.cached_tokens - before.cached_tokens,
            output_tokens=usage.output_tokens - before.output_tokens,
            is_approximate=usage.is_approximate,
        )
        return ActorProgress(state, Spending(own, state.get("spent", {}).get("cost_usd", 0.0)))


def _parse_usage(state: dict[str, Any]) -> Usage:
    return Usage.model_validate(state.get("usage", {}))


class ActorWorker:
    """The actor itself."""

    def __init__(self, order: RunOrder, sink: SinkPart | None = None) -> None:
        """With a sink the run's folder is this machine's own; without, all machines share it."""
        self._order, self._sink = replace(order, may_begin_anew=False), sink
        self._meter = SpendingMeter()
        self._graceful_stop: GracefulStop | None = None
        self._reason = ""

    async def hello(self, token: str) -> ActorHello:
        """Leave a file in the run's folder, by which the driver sees that it is the same folder. Makes no folder."""
        host, pid = socket.gethostname(), os.getpid()
        if self._sink is not None:
            return ActorHello(host, pid)
        try:
            token_path(self._order.folder, token).write_bytes(b"")
        except OSError as error:
            return ActorHello(host, pid, error.strerror or str(error))
        return ActorHello(host, pid)

    async def play(self) -> RunSession:
        """Play. What concerns all units is the session's error; raises only what is a fault of the program."""
        self._graceful_stop = GracefulStop()
        if self._reason:
            self._graceful_stop.begin(self._reason)
        try:
            if self._sink is not None:
                return await carry_out_with_sink(self._order, self._sink, self._meter, self._graceful_stop)
            return await carry_out(self._order, self._meter, heeds_signals=False, graceful_stop=self._graceful_stop)
        except SelfplayError as error:
            return RunSession(reason=str(error), error=error)

    async def progress(self) -> ActorProgress:
        """How it is doing."""
        return self._meter.progress()

    async def end(self, reason: str) -> None:
        """Finish calls in flight, write, leave; also where `play` comes only after it."""
        self._reason = self._reason or reason
        if self._graceful_stop is not None:
            self._graceful_stop.begin(reason)


def token_path(folder: RunFolder, token: str) -> Path:
    """Where an actor leaves its token."""
    return folder.workers / f".{token}.hello"
