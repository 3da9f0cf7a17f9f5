"""One server of a pool: what it may be asked now, its circuit breaker, and its statistics."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from selfplay.core.usage import Usage
from selfplay.models.pool.rate_limits import (
    LIMIT_KINDS,
    LimitKind,
    RateWindow,
    ServerAllowance,
    TakenAmount,
    read_limits,
)
from selfplay.models.protocol import Model

BreakerState = Literal["closed", "open", "half_open"]

FAILURES = 5
"""So many in a row, and more than there are calls in flight, open the breaker."""
FIRST_OPEN_S = 1.0
"""Until one call tries the server again; twice as long after each trial that fails."""
LONGEST_OPEN_S = 10.0


@dataclass(slots=True)
class CircuitBreaker:
    """Closed: calls go through. Open: none does. Half open: one does, whose outcome decides."""

    state: BreakerState = "closed"
    _failures: int = 0
    _trials: int = 0
    _until: float = 0.0

    def open_s(self, now: float) -> float:
        """Seconds for which no call goes through; 0 if it is closed, being tried, or due to be tried."""
        return max(0.0, self._until - now) if self.state == "open" else 0.0

    def begin_call(self) -> bool:
        """A call begins. True if it is the trial."""
        if self.state != "open":
            return False
        self.state = "half_open"
        return True

    def record_success(self) -> None:
        """The server answered, with whatever status."""
        self.state, self._failures, self._trials = "closed", 0, 0

    def record_failure(self, now: float, *, is_trial: bool, in_flight: int = 0) -> None:
        """The server did not answer, or not usably; `in_flight` calls have not come back yet.

        Of many calls that began together those that fail are mostly the first to come back: a few failures in a row
        mean nothing while more calls than that are under way.
        """
        self._failures += 1
        has_enough = self._failures >= FAILURES and self._failures > in_flight
        if is_trial or (self.state == "closed" and has_enough):
            self.state = "open"
            self._until = now + min(LONGEST_OPEN_S, FIRST_OPEN_S * 2.0 ** min(self._trials, 30))
            self._trials += 1

    def record_abandonment(self, *, is_trial: bool) -> None:
        """The caller broke a call off. If it was the trial, the next call is."""
        if is_trial and self.state == "half_open":
            self.state = "open"


LIMIT_GAIN = 1 / 10
"""How far a call that the server did not refuse raises the limit of calls at once."""
LIMIT_LOSS = 1 / 2
"""How far a refused call (429) lowers it: a round of calls that is refused as a whole halves the limit, and a server
that refuses a few calls at random is not asked less and less."""
UNREACHABLE_AFTER_S = 60.0
"""A server that asks for a longer pause counts as out of reach: episodes are parked, not kept waiting."""
LONGEST_PAUSE_S = 3600.0
"""The longest Retry-After that is honoured."""
TICK_S = 1e-6
"""Shorter waits count as 0: sums of times are not exact."""
LATENCIES = 512
"""How many of the last calls the latencies are taken from."""


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """Statistics of a server. Seconds are wall-clock ones."""

    url: str
    in_flight: int
    limit: int
    """How many calls at once it takes, as far as is known."""
    waiting: int
    calls: int
    """Sent, and answered or failed."""
    rate_limited: int
    failures: int
    """Timeouts, lost connections, 5xx, cut or foreign replies."""
    latency_p50_s: float | None
    latency_p95_s: float | None
    waited_s: float
    """All calls together: for other calls to end, for rate limits, for pauses that the server asked for."""
    paused_s: float
    """What is left of a pause that the server asked for."""
    breaker: BreakerState


@dataclass(slots=True)
class SentCall:
    """A call that was let through."""

    began: float
    tokens: float
    is_trial: bool
    totals: dict[LimitKind, float]
    taken: dict[LimitKind, TakenAmount]


@dataclass(slots=True, eq=False)
class PooledEndpoint:
    """A server, with its limits. Times are the pool's clock's."""

    url: str
    model: Model
    max_in_flight: int
    """Calls at once at most."""
    windows: Mapping[LimitKind, RateWindow] = field(default_factory=dict[LimitKind, RateWindow])
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    in_flight: int = 0
    waited_s: float = 0.0
    last_error: str = ""
    """The last failure, in words."""
    _allowances: dict[LimitKind, ServerAllowance] = field(
        default_factory=lambda: {kind: ServerAllowance() for kind in LIMIT_KINDS}
    )
    _limit: float = math.inf
    _paused_until: float = 0.0
    _calls: int = 0
    _rate_limited: int = 0
    _failures: int = 0
    _latencies: deque[float] = field(default_factory=lambda: deque[float](maxlen=LATENCIES))

    @property
    def limit(self) -> int:
        """Calls at once that are let through at present."""
        return int(max(1, min(self.max_in_flight, self._limit)))

    @property
    def is_on_trial(self) -> bool:
        """True while one call tries whether it works again; that takes as long as a call may take."""
        return self.breaker.state == "half_open"

    def unreachable_s(self, now: float) -> float:
        """For how long it is out of reach; 0 if it is not."""
        asleep_s = max(self._paused_until - now, *(self._allowances[kind].wait_s(now, 1) for kind in LIMIT_KINDS))
        return max(self.breaker.open_s(now), asleep_s if asleep_s > UNREACHABLE_AFTER_S + TICK_S else 0.0)

    def wait_s(self, now: float, tokens: float) -> float:
        """Seconds until a call may start; 0 if it may now, infinity if not before another one ends."""
        if self.is_on_trial or self.in_flight >= self.limit:
            return math.inf
        waits = [self.breaker.open_s(now), self._paused_until - now, 0.0]
        for kind, amount in _amounts_by_kind(tokens).items():
            waits.append(self._allowances[kind].wait_s(now, amount))
            if kind in self.windows:
                waits.append(self.windows[kind].wait_s(now, amount))
        longest = max(waits)
        return longest if longest > TICK_S else 0.0

    def start_call(self, now: float, tokens: float) -> SentCall:
        """Let a call through."""
        self.in_flight += 1
        amounts = _amounts_by_kind(tokens)
        return SentCall(
            began=now,
            tokens=tokens,
            is_trial=self.breaker.begin_call(),
            totals={kind: self._allowances[kind].take(now, amount) for kind, amount in amounts.items()},
            taken={kind: window.take(now, amounts[kind]) for kind, window in self.windows.items()},
        )

    def update_limits(self, headers: Mapping[str, str], sent: SentCall, now: float, date: datetime) -> None:
        """Take over what a response's headers say of limits."""
        for kind, status in read_limits(headers, now=date).items():
            self._allowances[kind].update(now, status, sent.totals[kind], sent.began)

    def record_success(self, sent: SentCall, now: float, usage: Usage | None) -> None:
        """The server took the call; `usage` is None where it answered with an error that is no failure of its own."""
        self._count_return(now)
        self.breaker.record_success()
        self._limit = min(self.max_in_flight, min(self.max_in_flight, self._limit) + LIMIT_GAIN)
        if usage is None:
            return
        self._latencies.append(now - sent.began)
        if "tokens" in sent.taken:
            self.windows["tokens"].correct_amount(sent.taken["tokens"], usage.total_tokens)

    def record_rate_limit(self, now: float, retry_after_s: float | None, why: str) -> None:
        """The server said to slow down."""
        self._count_return(now)
        self.breaker.record_success()
        self._rate_limited += 1
        self.last_error = why
        self._limit = max(1.0, min(self.max_in_flight, self._limit) - LIMIT_LOSS)
        if retry_after_s is not None:
            self._paused_until = max(self._paused_until, now + min(retry_after_s, LONGEST_PAUSE_S))

    def record_failure(self, sent: SentCall, now: float, why: str) -> None:
        """The server did not answer, or not usably."""
        self._count_return(now)
        self._failures += 1
        self.last_error = why
        self.breaker.record_failure(now, is_trial=sent.is_trial, in_flight=self.in_flight)

    def record_abandonment(self, sent: SentCall, *, was_sent: bool) -> None:
        """The caller broke the call off; what it took of limits is given back where it was not sent."""
        self.in_flight -= 1
        self.breaker.record_abandonment(is_trial=sent.is_trial)
        if not was_sent:
            for kind, taken in sent.taken.items():
                self.windows[kind].correct_amount(taken, 0.0)
            for kind, amount in _amounts_by_kind(sent.tokens).items():
                self._allowances[kind].give_back(amount)

    def _count_return(self, now: float) -> None:
        self.in_flight -= 1
        self._calls += 1
        if self._paused_until <= now:
            self._paused_until = 0.0

    def stats(self, now: float, waiting: int) -> EndpointStats:
        """Its statistics."""
        latencies = sorted(self._latencies)
        return EndpointStats(
            url=self.url,
            in_flight=self.in_flight,
            limit=self.limit,
            waiting=waiting,
            calls=self._calls,
            rate_limited=self._rate_limited,
            failures=self._failures,
            latency_p50_s=_percentile(latencies, 0.5),
            latency_p95_s=_percentile(latencies, 0.95),
            waited_s=round(self.waited_s, 3),
            paused_s=round(max(0.0, self._paused_until - now), 3),
            breaker=self.breaker.state,
        )


def _amounts_by_kind(tokens: float) -> dict[LimitKind, float]:
    return {"requests": 1.0, "tokens": tokens}


def _percentile(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else None
