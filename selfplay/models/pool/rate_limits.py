"""How fast a server may be asked: by the user's limits, and by what the server's headers say of its own.

Nothing here waits or reads a clock: it says how long to wait at the time that is passed in. Headers, as vendors spell
them:

    x-ratelimit-{limit,remaining,reset}-{requests,tokens}    OpenAI, Azure, Groq, LiteLLM, gateways before vLLM
    x-ratelimit-...-{requests,tokens}-minute                 Cerebras
    anthropic-ratelimit-{requests,tokens}-{limit,...}        Anthropic
    x-ratelimit-{limit,...}, ratelimit-{limit,...}           requests: OpenRouter, proxies, draft-ietf-httpapi-ratelimit

A reset is seconds (`30`, `0.5`), a duration (`6m0s`, `12ms`), a time (ISO 8601), or one in seconds or milliseconds
since 1970.
"""

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

LimitKind = Literal["requests", "tokens"]
LIMIT_KINDS: tuple[LimitKind, ...] = ("requests", "tokens")

_NAMES = ("x-ratelimit-{field}-{kind}", "x-ratelimit-{field}-{kind}-minute", "anthropic-ratelimit-{kind}-{field}")
_OF_REQUESTS = ("x-ratelimit-{field}", "ratelimit-{field}")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{0,9})?)(ms|s|m|h|d)", re.ASCII)
_NUMBER = re.compile(r"\d{1,15}(\.\d{0,9})?", re.ASCII)
_LONGEST_S = 1e9
"""Larger numbers are seconds since 1970."""
_LONGEST_EPOCH_S = 1e11
"""Larger ones are milliseconds."""


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """What is left of one limit."""

    remaining: float
    limit: float | None = None
    reset_s: float | None = None
    """Seconds until the limit is whole again."""


def read_limits(headers: Mapping[str, str], *, now: datetime) -> dict[LimitKind, RateLimitStatus]:
    """What is left, as far as headers (names in lower case) say it. What can't be read is ignored."""
    found: dict[LimitKind, RateLimitStatus] = {}
    for kind in LIMIT_KINDS:
        for name in _NAMES if kind == "tokens" else (*_NAMES, *_OF_REQUESTS):
            status = _read_limit(headers, name, kind, now)
            if status is not None:
                found[kind] = status
                break
    return found


def _read_limit(headers: Mapping[str, str], name: str, kind: LimitKind, now: datetime) -> RateLimitStatus | None:
    def value(field: str) -> str:
        return headers.get(name.format(field=field, kind=kind), "").strip()

    remaining, limit = _parse_number(value("remaining")), _parse_number(value("limit"))
    if remaining is None or limit == 0:  # none of nothing: a server without limits
        return None
    return RateLimitStatus(remaining, limit, seconds_until(value("reset"), now=now))


def seconds_until(text: str, *, now: datetime) -> float | None:
    """Seconds until a reset; None for a text that is none."""
    number = _parse_number(text)
    if number is not None:
        if number < _LONGEST_S:
            return number
        return max(0.0, (number if number < _LONGEST_EPOCH_S else number / 1000) - now.timestamp())
    parts = _PART.findall(text)
    if parts and "".join(map("".join, parts)) == text:
        return sum(float(amount) * _UNITS_S[unit] for amount, unit in parts)
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())


def _parse_number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


MINUTE_S = 60.0
LATE_S = 1.0
"""A call may reach the server so much sooner than one that was sent before it, which had to open its connection."""
SPAN_S = MINUTE_S + LATE_S
COUNTS_S = 3600.0
"""What a server said of its limits counts no longer than this; no call waits longer for it."""


@dataclass(slots=True)
class TakenAmount:
    """An amount that a call took at a time. It is corrected when the reply says what the call really took."""

    at: float
    amount: float


@dataclass(slots=True)
class RateWindow:
    """A limit of the user's: in no 60 seconds does more than that arrive. A single amount that is larger goes alone."""

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
        """Take it, also where `wait_s` is not 0."""
        self._taken.append(TakenAmount(now, amount))
        self._total = self._total + amount if len(self._taken) > 1 else amount
        return self._taken[-1]

    def correct_amount(self, taken: TakenAmount, amount: float) -> None:
        """Replace the estimate by what the call really took, if it still counts."""
        if self._taken and taken.at >= self._taken[0].at:
            self._total += amount - taken.amount
        taken.amount = amount


@dataclass(slots=True)
class ServerAllowance:
    """What the server says is left, refilled at the rate that its headers imply; no limit until it says something.

    A server with a token bucket gives its rate by what is used and the time until the bucket is full again. One that
    counts within fixed windows is used more slowly than it would allow. Where it names no limit, its words count
    until the reset that it names, or for a minute; else for COUNTS_S. After that there is no limit again.
    """

    _left: float = math.inf
    _limit: float = math.inf
    _per_s: float = 0.0
    _at: float = 0.0
    _total: float = 0.0
    _counts_until: float = math.inf

    def take(self, now: float, amount: float) -> float:
        """Take it, or the whole limit where that is less. Returns all that was taken so far, for `update`."""
        amount = min(amount, self._limit)
        self._left = self.remaining_at(now) - amount
        self._at = now
        self._total += amount
        return self._total

    def give_back(self, amount: float) -> None:
        """Undo `take`: the call was not sent."""
        self._left = min(self._limit, self._left + min(amount, self._limit))

    def remaining_at(self, now: float) -> float:
        """What may be taken now."""
        if now >= self._counts_until:
            return math.inf
        return min(self._limit, self._left + self._per_s * (now - self._at))

    def wait_s(self, now: float, amount: float) -> float:
        """Seconds until `amount`, or the whole limit where that is less, may be taken; at most until that lapses."""
        missing = min(amount, self._limit) - self.remaining_at(now)
        if missing <= 0:
            return 0.0
        refilled_s = missing / self._per_s if self._per_s > 0 else math.inf
        return min(refilled_s, self._counts_until - now)

    def update(self, now: float, reported: RateLimitStatus, total: float, began: float) -> None:
        """What the response to a call says that began at `began`, when `total` had been taken in all.

        Whether the server counted the calls sent since then is unknown: they are subtracted from what was refilled.
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
