"""Actors that live in this process, and a driver for them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import anyio

from selfplay.batch.drain import Drain
from selfplay.batch.purse import Purse
from selfplay.batch.ray_actor import ActorLost, Hello, Player, Progress
from selfplay.batch.ray_carry import SinkPart
from selfplay.batch.ray_fleet import Fleet, Start
from selfplay.batch.run import BatchWatch, Session, Unwatched
from selfplay.batch.start import Order, open_run

T = TypeVar("T")


class Here:
    """An actor in this process; killed, it stops wherever it is."""

    def __init__(self, the_order: Order, sink: SinkPart | None = None) -> None:
        self._player = Player(the_order, sink)
        self._scopes: list[anyio.CancelScope] = []
        self._is_dead = False

    async def hello(self, token: str) -> Hello:
        return await self._living(lambda: self._player.hello(token))

    async def play(self) -> Session:
        return await self._living(self._player.play)

    async def progress(self) -> Progress:
        return await self._living(self._player.progress)

    async def end(self, reason: str) -> None:
        await self._living(lambda: self._player.end(reason))

    def kill(self) -> None:
        self._is_dead = True
        for scope in self._scopes:
            scope.cancel()

    async def _living(self, work: Callable[[], Awaitable[T]]) -> T:
        if not self._is_dead:
            with anyio.CancelScope() as scope:
                self._scopes.append(scope)
                return await work()
        raise ActorLost("killed")


def fleet(
    the_order: Order,
    start: Start,
    watch: BatchWatch | None = None,
    said: list[str] | None = None,
    fetch: Callable[[], object] | None = None,
) -> Fleet:
    return Fleet(
        order=the_order,
        opening=open_run(the_order),
        start=start,
        before=Purse(the_order.settings.budget),
        drain=Drain(),
        watch=watch or Unwatched(),
        say=(said if said is not None else list[str]()).append,
        fetch=fetch,
        fetch_s=0.02,
        look_s=0.02,
        pause_s=0.0,
    )


def here(the_order: Order) -> Start:
    return lambda _, share: Here(replace(the_order, settings=share))
