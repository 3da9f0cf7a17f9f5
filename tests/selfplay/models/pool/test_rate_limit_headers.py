from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.models.pool.rate_limits import LimitKind, RateLimitStatus, read_limits, seconds_until

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6ms",
            },
            {"requests": RateLimitStatus(59, 60, 1), "tokens": RateLimitStatus(149984, 150000, 0.006)},
        ),
        (
            {
                "anthropic-ratelimit-tokens-limit": "80000",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-01-02T03:04:35Z",
            },
            {"tokens": RateLimitStatus(0, 80000, 30)},
        ),
        ({"x-ratelimit-remaining-tokens-minute": "7"}, {"tokens": RateLimitStatus(7)}),
        (
            {"ratelimit-limit": "10", "ratelimit-remaining": "3", "ratelimit-reset": "30"},
            {"requests": RateLimitStatus(3, 10, 30)},
        ),
        (
            {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1767323055000"},
            {"requests": RateLimitStatus(1, None, 10)},
        ),
        ({"x-ratelimit-limit-requests": "60"}, {}),
        ({"x-ratelimit-remaining-requests": "-1", "x-ratelimit-remaining-tokens": "many"}, {}),
        ({"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"}, {}),
        ({}, {}),
    ],
)
def test_each_vendors_spelling_is_read(
    headers: Mapping[str, str], expected: Mapping[LimitKind, RateLimitStatus]
) -> None:
    assert read_limits(headers, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360),
        ("2m59.56s", 179.56),
        ("1h0m1s", 3601),
        ("12ms", 0.012),
        ("0.5", 0.5),
        ("1767323065", 20),
        ("2026-01-02T03:04:00Z", 0),
        ("1d", 86400),
        ("soon", None),
        ("5x", None),
        ("5s and more", None),
        ("", None),
    ],
)
def test_a_reset_is_read_as_seconds(text: str, seconds: float | None) -> None:
    assert seconds_until(text, now=NOW) == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=30))
def test_no_header_makes_the_reading_fail(text: str) -> None:
    names = [f"x-ratelimit-{field}-requests" for field in ("limit", "remaining", "reset")]
    for status in read_limits(dict.fromkeys(names, text), now=NOW).values():
        assert status.remaining >= 0
