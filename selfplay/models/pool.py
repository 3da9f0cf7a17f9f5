"""A seat's servers behind one model: calls wait here until a server may be asked.

Calls wait in the order in which they came. A conversation stays with the server it began on, whose prefix cache holds
it, as long as that server works; what tells conversations apart is their first two messages (prompt and task). Each
call goes to one server and is tried once: trying again is `selfplay.models.retry`'s.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio

from selfplay.errors import EndpointDown, ModelError, RateLimited, TransientModelError
from selfplay.models.around import ON_HEADERS, ON_SEND, telling
from selfplay.models.lane import EndpointStats, Lane, Sent
from selfplay.models.pace import Window
from selfplay.models.protocol import Model, Reply, Request
from selfplay.models.ratelimits import Kind
from selfplay.models.retry import CLOCK, Clock
from selfplay.models.usage import tokens

STAY_S = 10.0
"""So long a call waits for the server that knows its conversation while another one could take it."""
REMEMBERED = 1 << 14
"""Conversations whose server is remembered."""
OPENING = 2
"""Messages that tell one conversation from another."""


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """What one server may be asked."""

    in_flight: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def windows(self) -> dict[Kind, Window]:
        """The limits by the minute."""
        given: dict[Kind, int | None] = {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute}
        return {kind: Window(limit) for kind, limit in given.items() if limit is not None}


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a seat."""

    url: str
    """For statistics and errors; without credentials."""
    model: Model
    limits: EndpointLimits = EndpointLimits()


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that waits for its turn."""

    ticket: int
    tokens: float
    since: float
    lane: Lane
    due_at: float = math.inf
    """When it looks by itself whether it may go."""
    sent: Sent | None = None
    error: EndpointDown | None = None
    scope: anyio.CancelScope | None = None

    def wake(self) -> None:
        if self.scope is not None:
            self.scope.cancel()


def utc_now() -> datetime:
    """The time, for headers that give one."""
    return datetime.now(UTC)


@dataclass(slots=True)
class PooledModel:
    """One model on several servers, or on one. Made and used within one event loop.

    `clock.sleep` may raise to end all waiting; what it raises passes through.
    """

    servers: Sequence[Server]
    clock: Clock = CLOCK
    date: Callable[[], datetime] = utc_now
    _lanes: list[Lane] = field(init=False)
    _queues: dict[Lane, deque[_Waiter]] = field(init=False)
    _homes: OrderedDict[int, Lane] = field(default_factory=OrderedDict[int, Lane])
    _tickets: int = 0
    _output: float = 0.0
    """Tokens of a reply, on average of late."""

    def __post_init__(self) -> None:
        """No server is known to be out of reach."""
        self._lanes = [Lane(s.url, s.model, s.limits.in_flight, s.limits.windows()) for s in self.servers]
        self._queues = {lane: deque() for lane in self._lanes}

    @property
    def name(self) -> str:
        """The model's own."""
        return self.servers[0].model.name

    def stats(self) -> tuple[EndpointStats, ...]:
        """How the servers are doing, in the order in which they were given."""
        now = self.clock.now()
        return tuple(lane.stats(now, len(self._queues[lane])) for lane in self._lanes)

    async def aclose(self) -> None:
        """Close the models."""
        for lane in self._lanes:
            await lane.model.aclose()

    async def complete(self, request: Request) -> Reply:
        """Wait for a turn, then answer once.

        Raises EndpointDown, with the time until the next trial, where no server is in reach; RateLimited with a wait
        of none, since the wait is kept here; and what the server's model raises.
        """
        home = hash(tuple(message.raw for message in request.messages[:OPENING]))
        lane, sent = await self._turn(home, self._estimate(request))
        try:
            return await self._ask(lane, sent, request)
        except RateLimited as error:
            if error.retry_after_s is not None:
                error.retry_after_s = 0.0
            raise
        except TransientModelError:
            self._leave(home, lane)
            raise
        finally:
            self._dispatch()

    async def _ask(self, lane: Lane, sent: Sent, request: Request) -> Reply:
        """One call on one server; how it ended is noted."""
        ON_SEND.get()()
        try:
            with telling(ON_HEADERS, lambda headers: lane.hear(headers, sent, self.clock.now(), self.date())):
                reply = await lane.model.complete(request)
        except RateLimited as error:
            lane.refused(self.clock.now(), error.retry_after_s, str(error))
            raise
        except TransientModelError as error:
            lane.failed(sent, self.clock.now(), str(error))
            raise
        except ModelError:
            lane.worked(sent, self.clock.now(), None)
            raise
        except BaseException:
            lane.abandoned(sent, was_sent=True)
            raise
        lane.worked(sent, self.clock.now(), reply.usage)
        self._output += (reply.usage.output_tokens - self._output) / 16
        return reply

    def _estimate(self, request: Request) -> float:
        return tokens(sum(len(message.raw) for message in request.messages)) + self._output

    async def _turn(self, home: int, estimate: float) -> tuple[Lane, Sent]:
        """Wait until a server may be asked. A caller that is cancelled leaves nothing behind."""
        self._tickets += 1
        waiter = _Waiter(self._tickets, estimate, self.clock.now(), self._home(home))
        self._queues[waiter.lane].append(waiter)
        try:
            self._dispatch()
            while waiter.sent is None and waiter.error is None:
                await self._sleep(waiter)
                self._dispatch()
        except BaseException:
            self._withdraw(waiter)
            raise
        if waiter.sent is None:
            raise waiter.error or AssertionError
        waiter.lane.waited_s += waiter.sent.began - waiter.since
        self._remember(home, waiter.lane)
        return waiter.lane, waiter.sent

    async def _sleep(self, waiter: _Waiter) -> None:
        with anyio.CancelScope() as waiter.scope:
            await self.clock.sleep(waiter.due_at - self.clock.now())
        waiter.scope, waiter.due_at = None, math.inf

    def _withdraw(self, waiter: _Waiter) -> None:
        if waiter.sent is not None:
            waiter.lane.abandoned(waiter.sent, was_sent=False)
        elif waiter.error is None:
            self._queues[waiter.lane].remove(waiter)
        self._dispatch()

    def _home(self, home: int) -> Lane:
        """The server that knows the conversation, or else the one with the most room."""
        known = self._homes.get(home)
        is_there = known is not None and not known.is_on_trial and not known.out_s(self.clock.now())
        return known if known is not None and is_there else self._freest(self._lanes)

    def _freest(self, lanes: Sequence[Lane]) -> Lane:
        now = self.clock.now()
        return min(lanes, key=lambda x: (x.out_s(now), x.is_on_trial, (x.in_flight + len(self._queues[x])) / x.limit))

    def _remember(self, home: int, lane: Lane) -> None:
        self._homes[home] = lane
        self._homes.move_to_end(home)
        if len(self._homes) > REMEMBERED:
            self._homes.popitem(last=False)

    def _leave(self, home: int, lane: Lane) -> None:
        """The conversation goes on with another server, where there is one that works."""
        now = self.clock.now()
        others = [other for other in self._lanes if other is not lane and not other.out_s(now)]
        if others:
            self._remember(home, self._freest(others))

    def _dispatch(self) -> None:
        """Let through whoever may go now, and see to it that the others wake when they may."""
        now = self.clock.now()
        self._clear(now)
        for lane in self._lanes:
            self._admit(lane, self._queues[lane], now)
        if len(self._lanes) > 1:
            self._share(now)
        for lane in self._lanes:
            self._set_alarm(lane, now)

    def _admit(self, lane: Lane, queue: deque[_Waiter], now: float) -> None:
        while queue and lane.wait_s(now, queue[0].tokens) <= 0:
            self._let_through(queue.popleft(), lane, now)

    def _let_through(self, waiter: _Waiter, lane: Lane, now: float) -> None:
        waiter.lane = lane
        waiter.sent = lane.send(now, waiter.tokens)
        waiter.wake()

    def _clear(self, now: float) -> None:
        """Nobody waits for a server that is out of reach."""
        for lane in self._lanes:
            queue = self._queues[lane]
            if not queue or not lane.out_s(now):
                continue
            others = [other for other in self._lanes if not other.out_s(now)]
            while queue:
                self._move(queue.popleft(), others, now)

    def _move(self, waiter: _Waiter, lanes: Sequence[Lane], now: float) -> None:
        """To the end of another server's queue, before those who came later; or away, where there is no other."""
        if not lanes:
            waiter.error = self._down(now)
            waiter.wake()
            return
        waiter.lane = self._freest(lanes)
        queue = self._queues[waiter.lane]
        later: list[_Waiter] = []
        while queue and queue[-1].ticket > waiter.ticket:
            later.append(queue.pop())
        queue.append(waiter)
        queue.extend(reversed(later))

    def _share(self, now: float) -> None:
        """A call that has waited long for its own server goes to one that could take it and has nobody waiting."""
        for lane in self._lanes:
            while not self._queues[lane]:
                patient = [queue[0] for queue in self._queues.values() if queue and queue[0].since + STAY_S <= now]
                first = min(patient, key=lambda waiter: waiter.ticket, default=None)
                if first is None or lane.wait_s(now, first.tokens) > 0:
                    break
                self._queues[first.lane].popleft()
                self._let_through(first, lane, now)

    def _set_alarm(self, lane: Lane, now: float) -> None:
        """The first of a queue looks by itself when time alone may let it go; the others wait to be called."""
        queue = self._queues[lane]
        if not queue:
            return
        first = queue[0]
        due_at = now + lane.wait_s(now, first.tokens)
        if len(self._lanes) > 1 and first.since + STAY_S > now:
            due_at = min(due_at, first.since + STAY_S)
        if due_at < first.due_at:
            first.due_at = due_at
            first.wake()

    def _down(self, now: float) -> EndpointDown:
        wait_s = min(lane.out_s(now) for lane in self._lanes)
        told = "; ".join(f"{lane.url}: {lane.said or 'asked to be left alone'}" for lane in self._lanes)
        return EndpointDown(f"{self.name}: no server is in reach; {told}", retry_after_s=wait_s)
