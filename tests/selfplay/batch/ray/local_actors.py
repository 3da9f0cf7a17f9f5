"""Actors that live in this process, and a driver for them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import anyio

from selfplay.batch.budget import BudgetLedger
from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.ray.actor import ActorHello, ActorLost, ActorProgress, ActorWorker
from selfplay.batch.ray.fleet import ActorFleet, StartActor
from selfplay.batch.ray.sink import SinkPart
from selfplay.batch.start import RunOrder, open_run
from selfplay.batch.watch import NullWatch, RunSession, RunWatch

T = TypeVar("T")


class LocalActor:
    """An actor in this process; killed, it stops wherever it is."""

    def __init__(self, the_order: RunOrder, sink: SinkPart | None = None) -> None:
        self._player = ActorWorker(the_order, sink)
        self._scopes: list[anyio.CancelScope] = []
        self._is_dead = False

    async def hello(self, token: str) -> ActorHello:
        return await self._run_unless_killed(lambda: self._player.hello(token))

    async def play(self) -> RunSession:
        return await self._run_unless_killed(self._player.play)

    async def progress(self) -> ActorProgress:
        return await self._run_unless_killed(self._player.progress)

    async def end(self, reason: str) -> None:
        await self._run_unless_killed(lambda: self._player.end(reason))

    def kill(self) -> None:
        self._is_dead = True
        for scope in self._scopes:
            scope.cancel()

    async def _run_unless_killed(self, work: Callable[[], Awaitable[T]]) -> T:
        if not self._is_dead:
            with anyio.CancelScope() as scope:
                self._scopes.append(scope)
                return await work()
        raise ActorLost("killed")


def make_fleet(
    the_order: RunOrder,
    start: StartActor,
    watch: RunWatch | None = None,
    notes: list[str] | None = None,
    fetch: Callable[[], object] | None = None,
) -> ActorFleet:
    return ActorFleet(
        order=the_order,
        opening=open_run(the_order),
        start=start,
        earlier_spending=BudgetLedger(the_order.settings.budget),
        graceful_stop=GracefulStop(),
        watch=watch or NullWatch(),
        notify=(notes if notes is not None else list[str]()).append,
        fetch=fetch,
        fetch_s=0.02,
        check_s=0.02,
        pause_s=0.0,
    )


def start_local_actors(the_order: RunOrder) -> StartActor:
    return lambda _, share: LocalActor(replace(the_order, settings=share))
