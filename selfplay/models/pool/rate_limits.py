"""How fast a server may be asked. Nothing here waits: it says how long to wait, at a time that it is told."""

import math
from collections import deque
from dataclasses import dataclass, field

from selfplay.models.rate_limit_headers import RateLimitStatus

MINUTE_S = 60.0
LATE_S = 1.0
"""So much sooner than an earlier call a later one may reach the server: the first ones still open their connections."""
SPAN_S = MINUTE_S + LATE_S
COUNTS_S = 3600.0
"""What a server said of its limits counts no longer than this, and nobody waits longer for it."""


@dataclass(slots=True)
class TakenAmount:
    """An amount that a call took at a time. It may be corrected when the call has told what it really took."""

    at: float
    amount: float


@dataclass(slots=True)
class RateWindow:
    """A limit of the user's: in no 60 seconds more than so much arrives. One amount that is larger goes alone."""

    per_minute: float
    _taken: deque[TakenAmount] = field(default_factory=deque[TakenAmount])
    _total: float = 0.0

    def wait_s(self, now: float, amount: float) -> float:
        """Seconds until `amount` may be taken; 0 if it may be now."""
        while self._taken and self._taken[0].at <= now - SPAN_S:
            self._total -= self._taken.popleft().amount
        excess = self._total + amount - self.per_minute if self._taken else 0.0
        if excess <= 0:
            return 0.0
        for taken in self._taken:
            excess -= taken.amount
            if excess <= 0:
                return taken.at + SPAN_S - now
        return self._taken[-1].at + SPAN_S - now

    def take(self, now: float, amount: float) -> TakenAmount:
        """Take it, whether it may be taken or not."""
        self._taken.append(TakenAmount(now, amount))
        self._total = self._total + amount if len(self._taken) > 1 else amount
        return self._taken[-1]

    def correct_amount(self, taken: TakenAmount, amount: float) -> None:
        """What a call really took, as long as it counts."""
        if self._taken and taken.at >= self._taken[0].at:
            self._total += amount - taken.amount
        taken.amount = amount


@dataclass(slots=True)
class ServerAllowance:
    """What the server says is left, refilled at the rate at which it says it refills. Without a word: no limit.

    A server that fills a bucket says with what is used and with the time until all is back how fast it fills; one that
    counts within fixed windows is approached more slowly than it would allow. Where it names no limit, what it said
    counts until the reset it tells of, or for a minute; else for COUNTS_S. After that it is as if it had said nothing.
    """

    _left: float = math.inf
    _limit: float = math.inf
    _per_s: float = 0.0
    _at: float = 0.0
    _total: float = 0.0
    _counts_until: float = math.inf

    def take(self, now: float, amount: float) -> float:
        """Take it, or as much as there ever is. What was taken in all, for `hear`."""
        amount = min(amount, self._limit)
        self._left = self.remaining_at(now) - amount
        self._at = now
        self._total += amount
        return self._total

    def give_back(self, amount: float) -> None:
        """It was not needed after all."""
        self._left = min(self._limit, self._left + min(amount, self._limit))

    def remaining_at(self, now: float) -> float:
        """What may be taken."""
        if now >= self._counts_until:
            return math.inf
        return min(self._limit, self._left + self._per_s * (now - self._at))

    def wait_s(self, now: float, amount: float) -> float:
        """Seconds until `amount`, or as much as there ever is, may be taken; never beyond what was said counts."""
        missing = min(amount, self._limit) - self.remaining_at(now)
        if missing <= 0:
            return 0.0
        refilled_s = missing / self._per_s if self._per_s > 0 else math.inf
        return min(refilled_s, self._counts_until - now)

    def update(self, now: float, reported: RateLimitStatus, total: float, began: float) -> None:
        """What a response says, to a call that began then, after which `total` had been taken.

        Whether it counts the calls that were sent since then, nobody knows: they are held against what was refilled.
        """
        if reported.limit is None:
            limit, reset_s = math.inf, min(reported.reset_s or MINUTE_S, COUNTS_S)
            self._per_s, self._counts_until = reported.remaining / reset_s, now + reset_s
        else:
            limit = max(reported.limit, reported.remaining)
            used = limit - reported.remaining
            self._per_s = (used or limit) / reported.reset_s if reported.reset_s else limit / MINUTE_S
            self._counts_until = now + COUNTS_S
        since = self._per_s * (now - began) - (self._total - total)
        self._limit = limit
        self._left = reported.remaining + min(0.0, since)
        self._at = now
