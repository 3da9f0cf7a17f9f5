from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.models.breaker import FAILURES, LONGEST_OPEN_S, Breaker
from selfplay.models.pace import MINUTE_S, Allowance, Window
from selfplay.models.ratelimits import Said


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), min_size=1, max_size=60), st.integers(40, 100))
def test_in_no_minute_more_is_taken_than_the_limit(steps: list[tuple[float, int]], limit: int) -> None:
    window, now = Window(limit), 0.0
    taken: list[tuple[float, int]] = []
    for pause, amount in steps:
        now += pause
        now += window.wait_s(now, amount) + 1e-6
        assert window.wait_s(now, amount) == 0
        window.take(now, amount)
        taken.append((now, amount))
    for begin, _ in taken:
        assert sum(amount for at, amount in taken if begin <= at < begin + MINUTE_S - 1e-3) <= limit


def test_what_a_call_really_took_counts() -> None:
    window = Window(100)
    first = window.take(0, 90)
    assert window.wait_s(1, 20) == 59
    window.correct(first, 50)
    assert window.wait_s(1, 20) == 0
    assert window.wait_s(1, 60) == 59


def test_an_amount_above_the_limit_goes_alone() -> None:
    window = Window(100)
    assert window.wait_s(0, 500) == 0
    window.take(0, 500)
    assert window.wait_s(1, 1) == 59
    assert window.wait_s(60, 500) == 0


def test_a_window_is_as_empty_as_ever_after_a_quiet_minute() -> None:
    window = Window(1)
    for minute in range(1000):
        window.correct(window.take(minute * 60.1, 0.1), 0.7)
    assert window.wait_s(1000 * 60.1, 1) == 0


def test_without_a_word_of_the_server_there_is_no_limit() -> None:
    allowance = Allowance()
    allowance.take(0, 1e9)
    assert allowance.wait_s(0, 1e9) == 0


def test_a_bucket_is_refilled_as_fast_as_the_server_says() -> None:
    allowance = Allowance()
    total = allowance.take(0, 1)
    allowance.hear(0, Said(remaining=2, limit=60, reset_s=58), total, began=0)
    assert allowance.wait_s(0, 2) == 0
    allowance.take(0, 2)
    assert allowance.wait_s(0, 1) == pytest.approx(1)
    assert allowance.wait_s(0.75, 1) == pytest.approx(0.25)
    assert allowance.wait_s(1e6, 1000) == 0, "more than there ever is need not be there"


def test_what_was_sent_since_is_held_against_what_was_refilled_since() -> None:
    allowance = Allowance()
    total = allowance.take(0, 1)
    allowance.take(0, 3)
    allowance.hear(0, Said(remaining=10, limit=60, reset_s=50), total, began=0)
    assert allowance.left(0) == 7
    allowance.hear(2, Said(remaining=10, limit=60, reset_s=50), total, began=0)
    assert allowance.left(2) == 9
    allowance.hear(9, Said(remaining=10, limit=60, reset_s=50), total, began=0)
    assert allowance.left(9) == 10


@given(st.floats(0, 1e6), st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e5), st.floats(1, 1e5))
def test_whatever_a_server_says_a_call_goes_some_day(
    remaining: float, limit: float | None, reset_s: float | None, amount: float
) -> None:
    allowance = Allowance()
    allowance.hear(0, Said(remaining, limit, reset_s), 0, began=0)
    wait_s = allowance.wait_s(0, amount)
    assert wait_s >= 0
    assert allowance.wait_s(wait_s * (1 + 1e-9) + 1e-6, amount) == pytest.approx(0, abs=1e-3 * wait_s)


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed(0, is_trial=False)
        breaker.worked()
    assert breaker.state == "closed"
    for _ in range(FAILURES):
        breaker.failed(0, is_trial=False)
    assert breaker.state == "open"
    assert breaker.open_s(0) > 0


def test_each_trial_that_fails_makes_the_next_one_later_up_to_a_bound() -> None:
    breaker, now = Breaker(), 0.0
    for _ in range(FAILURES):
        breaker.failed(now, is_trial=False)
    waits = [breaker.open_s(now)]
    for _ in range(8):
        now += breaker.open_s(now)
        assert breaker.begin(), "one call decides"
        assert not breaker.begin(), "and no other"
        breaker.failed(now, is_trial=False)
        assert breaker.state == "half_open", "a call from before decides nothing"
        breaker.failed(now, is_trial=True)
        waits.append(breaker.open_s(now))
    assert all(b == min(2 * a, LONGEST_OPEN_S) for a, b in pairwise(waits))
    now += LONGEST_OPEN_S
    assert breaker.begin()
    breaker.abandoned(is_trial=True)
    assert breaker.begin(), "a trial that was broken off is made again"
    breaker.worked()
    assert breaker.state == "closed"
