"""What a server's headers say of its rate limits, in the spellings of the vendors.

    x-ratelimit-{limit,remaining,reset}-{requests,tokens}    OpenAI, Azure, Groq, LiteLLM, gateways before vLLM
    x-ratelimit-...-{requests,tokens}-minute                 Cerebras
    anthropic-ratelimit-{requests,tokens}-{limit,...}        Anthropic
    x-ratelimit-{limit,...}, ratelimit-{limit,...}           requests: OpenRouter, proxies, draft-ietf-httpapi-ratelimit

A reset is seconds (`30`, `0.5`), a duration (`6m0s`, `12ms`), a time (ISO 8601), or one in seconds or milliseconds
since 1970.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

LimitKind = Literal["requests", "tokens"]
LIMIT_KINDS: tuple[LimitKind, ...] = ("requests", "tokens")

HEADER_MARK = "ratelimit"
"""Part of the names of all these headers."""

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
    """What is left, as far as headers (names in lower case) tell. What can't be read is passed over."""
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
    """How long a reset is away, or None for what is no reset."""
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
