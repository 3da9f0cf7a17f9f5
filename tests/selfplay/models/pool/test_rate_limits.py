from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.models.openai.client import utc_now
from selfplay.models.pool.pooled_endpoint import FAILURES, LONGEST_OPEN_S, CircuitBreaker, PooledEndpoint
from selfplay.models.pool.rate_limits import COUNTS_S, LATE_S, MINUTE_S, RateLimitStatus, RateWindow, ServerAllowance
from tests.selfplay.models.manual_clock import HeldModel

STEPS = st.tuples(st.floats(0, 30), st.integers(1, 40), st.floats(0, LATE_S))
"""A pause before a call, what it takes, and how long it is under way."""


@given(st.lists(STEPS, min_size=1, max_size=60), st.integers(40, 100))
def test_in_no_minute_more_arrives_than_the_limit(steps: list[tuple[float, int, float]], limit: int) -> None:
    window, now = RateWindow(limit), 0.0
    arrived: list[tuple[float, int]] = []
    for pause, amount, under_way_s in steps:
        now += pause
        now += window.wait_s(now, amount) + 1e-6
        assert window.wait_s(now, amount) == 0
        window.take(now, amount)
        arrived.append((now + under_way_s, amount))
    for begin, _ in arrived:
        assert sum(amount for at, amount in arrived if begin <= at < begin + MINUTE_S - 1e-3) <= limit


def test_what_a_call_really_took_counts() -> None:
    window = RateWindow(100)
    first = window.take(0, 90)
    assert window.wait_s(1, 20) == 59 + LATE_S
    window.correct_amount(first, 50)
    assert window.wait_s(1, 20) == 0
    assert window.wait_s(1, 60) == 59 + LATE_S


def test_an_amount_above_the_limit_goes_alone() -> None:
    window = RateWindow(100)
    assert window.wait_s(0, 500) == 0
    window.take(0, 500)
    assert window.wait_s(1, 1) == 59 + LATE_S
    assert window.wait_s(60 + LATE_S, 500) == 0


def test_a_window_is_as_empty_as_ever_after_a_quiet_minute() -> None:
    window = RateWindow(1)
    for minute in range(1000):
        window.correct_amount(window.take(minute * 61.1, 0.1), 0.7)
    assert window.wait_s(1000 * 61.1, 1) == 0


def test_where_the_server_says_nothing_there_is_no_limit() -> None:
    allowance = ServerAllowance()
    allowance.take(0, 1e9)
    assert allowance.wait_s(0, 1e9) == 0


def test_a_bucket_is_refilled_as_fast_as_the_server_says() -> None:
    allowance = ServerAllowance()
    total = allowance.take(0, 1)
    allowance.update(0, RateLimitStatus(remaining=2, limit=60, reset_s=58), total, began=0)
    assert allowance.wait_s(0, 2) == 0
    allowance.take(0, 2)
    assert allowance.wait_s(0, 1) == pytest.approx(1)
    assert allowance.wait_s(0.75, 1) == pytest.approx(0.25)
    assert allowance.wait_s(1e6, 1000) == 0, "more than there ever is need not be there"


def test_what_was_sent_since_is_subtracted_from_what_was_refilled_since() -> None:
    allowance = ServerAllowance()
    total = allowance.take(0, 1)
    allowance.take(0, 3)
    allowance.update(0, RateLimitStatus(remaining=10, limit=60, reset_s=50), total, began=0)
    assert allowance.remaining_at(0) == 7
    allowance.update(2, RateLimitStatus(remaining=10, limit=60, reset_s=50), total, began=0)
    assert allowance.remaining_at(2) == 9
    allowance.update(9, RateLimitStatus(remaining=10, limit=60, reset_s=50), total, began=0)
    assert allowance.remaining_at(9) == 10


AMOUNTS = st.floats(1, 1e5)
WORDS = st.builds(RateLimitStatus, st.floats(0, 1e6), st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e9))


@given(WORDS, st.lists(AMOUNTS, max_size=8), AMOUNTS)
def test_whatever_a_server_says_a_call_goes_within_the_hour(
    status: RateLimitStatus, before: list[float], amount: float
) -> None:
    allowance = ServerAllowance()
    allowance.update(0, status, 0, began=0)
    for taken in before:
        allowance.take(0, taken)
    wait_s = allowance.wait_s(0, amount)
    assert 0 <= wait_s <= COUNTS_S
    assert allowance.wait_s(wait_s * (1 + 1e-9) + 1e-6, amount) == pytest.approx(0, abs=1e-3 * wait_s)


@given(st.floats(0, 1e6), st.none() | st.floats(0.001, COUNTS_S), AMOUNTS)
def test_where_no_limit_is_given_no_call_waits_beyond_the_reset(
    remaining: float, reset_s: float | None, amount: float
) -> None:
    allowance = ServerAllowance()
    total = allowance.take(0, amount)
    allowance.update(1, RateLimitStatus(remaining, None, reset_s), total, began=0)
    allowance.take(1, amount)
    assert allowance.wait_s(1, amount) <= (reset_s or MINUTE_S) + 1e-9
    assert allowance.wait_s(1 + (reset_s or MINUTE_S), amount) == 0


def test_a_minute_without_tokens_does_not_put_a_server_out_of_reach() -> None:
    for now in (tenths / 10 for tenths in range(100)):  # sums of times are not exact
        lane = PooledEndpoint("http://s/v1", HeldModel(), max_in_flight=2)
        lane.update_limits({"x-ratelimit-remaining-tokens": "0"}, lane.start_call(now, 1), now, utc_now())
        assert lane.wait_s(now, 1) == pytest.approx(MINUTE_S)
        assert lane.unreachable_s(now) == 0


def test_a_call_above_the_limit_takes_no_more_than_the_limit() -> None:
    allowance = ServerAllowance()
    allowance.update(0, RateLimitStatus(remaining=60, limit=60, reset_s=0), 0, began=0)
    assert allowance.wait_s(0, 1e6) == 0
    allowance.take(0, 1e6)
    assert allowance.wait_s(0, 60) == pytest.approx(MINUTE_S)


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.record_failure(0, is_trial=False)
        breaker.record_success()
    assert breaker.state == "closed"
    for _ in range(FAILURES):
        breaker.record_failure(0, is_trial=False)
    assert breaker.state == "open"
    assert breaker.open_s(0) > 0


def test_each_trial_that_fails_makes_the_next_one_later_up_to_a_bound() -> None:
    breaker, now = CircuitBreaker(), 0.0
    for _ in range(FAILURES):
        breaker.record_failure(now, is_trial=False)
    waits = [breaker.open_s(now)]
    for _ in range(8):
        now += breaker.open_s(now)
        assert breaker.begin_call(), "one call decides"
        assert not breaker.begin_call(), "and no other"
        breaker.record_failure(now, is_trial=False)
        assert breaker.state == "half_open", "a call from before decides nothing"
        breaker.record_failure(now, is_trial=True)
        waits.append(breaker.open_s(now))
    assert all(b == min(2 * a, LONGEST_OPEN_S) for a, b in pairwise(waits))
    now += LONGEST_OPEN_S
    assert breaker.begin_call()
    breaker.record_abandonment(is_trial=True)
    assert breaker.begin_call(), "a trial that was broken off is made again"
    breaker.record_success()
    assert breaker.state == "closed"
