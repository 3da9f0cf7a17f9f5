"""A seat's servers behind one model: calls wait here until a server may be asked.

Calls wait in the order in which they came. A conversation stays with the server that it began on, whose prefix cache
holds it, as long as that server works; conversations differ in their first two messages (prompt and task). Each call
goes to one server and is tried once; `selfplay.models.retry` tries again.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio

from selfplay.core.errors import EndpointDown, ModelError, RateLimited, TransientModelError
from selfplay.models.pool.pooled_endpoint import EndpointStats, PooledEndpoint, SentCall
from selfplay.models.pool.rate_limits import LimitKind, RateWindow
from selfplay.models.protocol import ON_HEADERS, ON_SEND, Model, ModelReply, ModelRequest, set_hook
from selfplay.models.retry import CLOCK, Clock
from selfplay.models.token_counts import estimate_tokens

STAY_S = 10.0
"""How long a call waits for the server that has its conversation cached while another server could take it."""
MAX_REMEMBERED = 1 << 14
"""How many conversations' servers are remembered."""
OPENING_MESSAGES = 2
"""How many messages identify a conversation."""


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """The user's limits for one server."""

    in_flight: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def make_windows(self) -> dict[LimitKind, RateWindow]:
        """The limits by the minute."""
        given: dict[LimitKind, int | None] = {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute}
        return {kind: RateWindow(limit) for kind, limit in given.items() if limit is not None}


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One server of a seat."""

    url: str
    """For statistics and errors; without credentials."""
    model: Model
    limits: EndpointLimits = EndpointLimits()


@dataclass(slots=True, eq=False)
class _QueuedCall:
    """A call that waits for its turn."""

    ticket: int
    tokens: float
    since: float
    endpoint: PooledEndpoint
    due_at: float = math.inf
    """When it checks by itself whether it may start."""
    call: SentCall | None = None
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

    servers: Sequence[EndpointSpec]
    clock: Clock = CLOCK
    date: Callable[[], datetime] = utc_now
    _endpoints: list[PooledEndpoint] = field(init=False)
    _queues: dict[PooledEndpoint, deque[_QueuedCall]] = field(init=False)
    _homes: OrderedDict[int, PooledEndpoint] = field(default_factory=OrderedDict[int, PooledEndpoint])
    _tickets: int = 0
    _mean_output_tokens: float = 0.0
    """Running average of the output tokens of a reply."""

    def __post_init__(self) -> None:
        """Begin with empty queues."""
        self._endpoints = [
            PooledEndpoint(s.url, s.model, s.limits.in_flight, s.limits.make_windows()) for s in self.servers
        ]
        self._queues = {endpoint: deque() for endpoint in self._endpoints}

    @property
    def name(self) -> str:
        """The model's own."""
        return self.servers[0].model.name

    def stats(self) -> tuple[EndpointStats, ...]:
        """Statistics of the servers, in the order in which they were given."""
        now = self.clock.now()
        return tuple(endpoint.stats(now, len(self._queues[endpoint])) for endpoint in self._endpoints)

    async def aclose(self) -> None:
        """Close the models."""
        for endpoint in self._endpoints:
            await endpoint.model.aclose()

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Wait for a turn, then answer once.

        Raises EndpointDown, with the time until the next trial, where no server is in reach; RateLimited with a wait
        of 0, since the pool waits itself; and what the server's model raises.
        """
        home = hash(tuple(message.raw for message in request.messages[:OPENING_MESSAGES]))
        endpoint, sent = await self._wait_for_turn(home, self._estimate_tokens(request))
        try:
            return await self._ask(endpoint, sent, request)
        except RateLimited as error:
            if error.retry_after_s is not None:
                error.retry_after_s = 0.0
            raise
        except TransientModelError:
            self._move_conversation(home, endpoint)
            raise
        finally:
            self._dispatch()

    async def _ask(self, endpoint: PooledEndpoint, sent: SentCall, request: ModelRequest) -> ModelReply:
        """One call on one server, whose outcome is recorded."""
        ON_SEND.get()()
        try:
            with set_hook(
                ON_HEADERS, lambda headers: endpoint.update_limits(headers, sent, self.clock.now(), self.date())
            ):
                reply = await endpoint.model.complete(request)
        except RateLimited as error:
            endpoint.record_rate_limit(self.clock.now(), error.retry_after_s, str(error))
            raise
        except TransientModelError as error:
            endpoint.record_failure(sent, self.clock.now(), str(error))
            raise
        except ModelError:
            endpoint.record_success(sent, self.clock.now(), None)
            raise
        except BaseException:
            endpoint.record_abandonment(sent, was_sent=True)
            raise
        endpoint.record_success(sent, self.clock.now(), reply.usage)
        self._mean_output_tokens += (reply.usage.output_tokens - self._mean_output_tokens) / 16
        return reply

    def _estimate_tokens(self, request: ModelRequest) -> float:
        return estimate_tokens(sum(len(message.raw) for message in request.messages)) + self._mean_output_tokens

    async def _wait_for_turn(self, home: int, estimate: float) -> tuple[PooledEndpoint, SentCall]:
        """Wait until a server may be asked. A caller that is cancelled leaves nothing behind."""
        self._tickets += 1
        waiter = _QueuedCall(self._tickets, estimate, self.clock.now(), self._choose_endpoint(home))
        self._queues[waiter.endpoint].append(waiter)
        try:
            self._dispatch()
            while waiter.call is None and waiter.error is None:
                await self._sleep_until_due(waiter)
                self._dispatch()
        except BaseException:
            self._withdraw(waiter)
            raise
        if waiter.call is None:
            raise waiter.error or AssertionError
        waiter.endpoint.waited_s += waiter.call.began - waiter.since
        self._remember(home, waiter.endpoint)
        return waiter.endpoint, waiter.call

    async def _sleep_until_due(self, waiter: _QueuedCall) -> None:
        with anyio.CancelScope() as waiter.scope:
            await self.clock.sleep(waiter.due_at - self.clock.now())
        waiter.scope, waiter.due_at = None, math.inf

    def _withdraw(self, waiter: _QueuedCall) -> None:
        if waiter.call is not None:
            waiter.endpoint.record_abandonment(waiter.call, was_sent=False)
        elif waiter.error is None:
            self._queues[waiter.endpoint].remove(waiter)
        self._dispatch()

    def _choose_endpoint(self, home: int) -> PooledEndpoint:
        """The server that the conversation was last on, or else the one with the most room."""
        known = self._homes.get(home)
        is_there = known is not None and not known.is_on_trial and not known.unreachable_s(self.clock.now())
        return known if known is not None and is_there else self._find_freest(self._endpoints)

    def _find_freest(self, endpoints: Sequence[PooledEndpoint]) -> PooledEndpoint:
        now = self.clock.now()
        return min(
            endpoints,
            key=lambda x: (x.unreachable_s(now), x.is_on_trial, (x.in_flight + len(self._queues[x])) / x.limit),
        )

    def _remember(self, home: int, endpoint: PooledEndpoint) -> None:
        self._homes[home] = endpoint
        self._homes.move_to_end(home)
        if len(self._homes) > MAX_REMEMBERED:
            self._homes.popitem(last=False)

    def _move_conversation(self, home: int, endpoint: PooledEndpoint) -> None:
        """Continue the conversation on another server, where one is in reach."""
        now = self.clock.now()
        others = [other for other in self._endpoints if other is not endpoint and not other.unreachable_s(now)]
        if others:
            self._remember(home, self._find_freest(others))

    def _dispatch(self) -> None:
        """Start every call that may start now, and set alarms for the others."""
        now = self.clock.now()
        self._empty_unreachable_queues(now)
        for endpoint in self._endpoints:
            self._start_ready_calls(endpoint, self._queues[endpoint], now)
        if len(self._endpoints) > 1:
            self._rebalance(now)
        for endpoint in self._endpoints:
            self._set_alarm(endpoint, now)

    def _start_ready_calls(self, endpoint: PooledEndpoint, queue: deque[_QueuedCall], now: float) -> None:
        while queue and endpoint.wait_s(now, queue[0].tokens) <= 0:
            self._start_call(queue.popleft(), endpoint, now)

    def _start_call(self, waiter: _QueuedCall, endpoint: PooledEndpoint, now: float) -> None:
        waiter.endpoint = endpoint
        waiter.call = endpoint.start_call(now, waiter.tokens)
        waiter.wake()

    def _empty_unreachable_queues(self, now: float) -> None:
        """Move the calls that wait for a server which is out of reach."""
        for endpoint in self._endpoints:
            queue = self._queues[endpoint]
            if not queue or not endpoint.unreachable_s(now):
                continue
            others = [other for other in self._endpoints if not other.unreachable_s(now)]
            while queue:
                self._requeue(queue.popleft(), others, now)

    def _requeue(self, waiter: _QueuedCall, endpoints: Sequence[PooledEndpoint], now: float) -> None:
        """Put a call into another server's queue, before those that came later; without one the call fails."""
        if not endpoints:
            waiter.error = self._make_down_error(now)
            waiter.wake()
            return
        waiter.endpoint = self._find_freest(endpoints)
        queue = self._queues[waiter.endpoint]
        later: list[_QueuedCall] = []
        while queue and queue[-1].ticket > waiter.ticket:
            later.append(queue.pop())
        queue.append(waiter)
        queue.extend(reversed(later))

    def _rebalance(self, now: float) -> None:
        """Start calls that have waited long for their own server on one that could take them and has an empty queue."""
        for endpoint in self._endpoints:
            while not self._queues[endpoint]:
                patient = [queue[0] for queue in self._queues.values() if queue and queue[0].since + STAY_S <= now]
                first = min(patient, key=lambda waiter: waiter.ticket, default=None)
                if first is None or endpoint.wait_s(now, first.tokens) > 0:
                    break
                self._queues[first.endpoint].popleft()
                self._start_call(first, endpoint, now)

    def _set_alarm(self, endpoint: PooledEndpoint, now: float) -> None:
        """Wake the first of a queue when time alone may let it start; the others are woken by `_dispatch`."""
        queue = self._queues[endpoint]
        if not queue:
            return
        first = queue[0]
        due_at = now + endpoint.wait_s(now, first.tokens)
        if len(self._endpoints) > 1 and first.since + STAY_S > now:
            due_at = min(due_at, first.since + STAY_S)
        if due_at < first.due_at:
            first.due_at = due_at
            first.wake()

    def _make_down_error(self, now: float) -> EndpointDown:
        wait_s = min(endpoint.unreachable_s(now) for endpoint in self._endpoints)
        reasons = "; ".join(
            f"{endpoint.url}: {endpoint.last_error or 'asked to be left alone'}" for endpoint in self._endpoints
        )
        return EndpointDown(f"{self.name}: no server is in reach; {reasons}", retry_after_s=wait_s)
