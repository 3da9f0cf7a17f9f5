from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.errors import FatalModelError, RateLimited, TransientModelError
from selfplay.models.offline.scripted import ScriptedModel, fails, says
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.protocol import ModelRequest
from selfplay.models.retry import Clock, FailedAttempt, RetryPolicy, complete_with_retries
from tests import loopback
from tests.loopback import Json, LoopbackServer

ASKED = ModelRequest({}, (), turn=0)


@dataclass
class RecordingClock:
    """A clock that moves only when someone sleeps."""

    now_s: float = 0.0
    slept: list[float] = field(default_factory=list[float])

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now_s, sleep=self.sleep)


async def recorded_waits(errors: int, policy: RetryPolicy, seed: int = 1) -> list[float]:
    hours = RecordingClock()
    model = ScriptedModel([*[fails("server")] * errors, says("done")])
    reply = await complete_with_retries(model, ASKED, policy, random=Random(seed), clock=hours.clock)  # noqa: S311  jitter
    assert reply.message.content == "done"
    return hours.slept


@pytest.mark.anyio
async def test_a_failing_server_is_tried_again_until_it_answers() -> None:
    slept = await recorded_waits(4, RetryPolicy(tries=5))
    assert len(slept) == 4
    assert all(wait <= bound for wait, bound in zip(slept, [1, 2, 4, 8], strict=True))


@pytest.mark.anyio
async def test_the_same_seed_waits_the_same() -> None:
    assert await recorded_waits(5, RetryPolicy()) == await recorded_waits(5, RetryPolicy())
    assert await recorded_waits(5, RetryPolicy()) != await recorded_waits(5, RetryPolicy(), seed=2)


@pytest.mark.anyio
async def test_the_last_error_is_raised_when_the_attempts_are_used_up() -> None:
    hours, failed_attempts = RecordingClock(), list[FailedAttempt]()
    model = ScriptedModel([fails("server", "first"), fails("timeout", "second"), fails("rate_limited", "third")])
    with pytest.raises(RateLimited, match="third"):
        await complete_with_retries(
            model, ASKED, RetryPolicy(tries=3), on_retry=failed_attempts.append, clock=hours.clock
        )
    assert [(r.attempt, str(r.error)) for r in failed_attempts] == [(1, "first"), (2, "second")]
    assert [r.wait_s for r in failed_attempts] == hours.slept
    assert model.asked == [ASKED] * 3


@pytest.mark.anyio
async def test_what_is_not_transient_is_not_tried_again() -> None:
    hours = RecordingClock()
    model = ScriptedModel([fails("fatal", "bad key")])
    with pytest.raises(FatalModelError, match="bad key"):
        await complete_with_retries(model, ASKED, RetryPolicy(), clock=hours.clock)
    assert hours.slept == []


@pytest.mark.anyio
async def test_a_retry_after_is_honoured_up_to_a_bound() -> None:
    hours = RecordingClock()
    model = ScriptedModel([fails("rate_limited", retry_after_s=20), fails("server", retry_after_s=9_000), says("done")])
    await complete_with_retries(model, ASKED, RetryPolicy(longest_retry_after_s=60, first_wait_s=2), clock=hours.clock)
    first, second = hours.slept
    assert 20 <= first <= 22
    assert 60 <= second <= 62


@pytest.mark.anyio
async def test_no_attempt_begins_after_the_time_is_used_up() -> None:
    hours = RecordingClock()
    model = ScriptedModel([*[fails("rate_limited", retry_after_s=40)] * 9, says("done")])
    with pytest.raises(RateLimited):
        await complete_with_retries(model, ASKED, RetryPolicy(tries=50, total_s=100, first_wait_s=0), clock=hours.clock)
    assert hours.slept == [40, 40]


@given(failures=st.integers(1, 10_000), seed=st.integers(), asked=st.none() | st.floats(0, 1e9))
def test_a_wait_is_never_longer_than_its_bounds(failures: int, seed: int, asked: float | None) -> None:
    policy = RetryPolicy(first_wait_s=3, longest_wait_s=50, longest_retry_after_s=70)
    wait_s = policy.wait_s(failures, TransientModelError("x", retry_after_s=asked), Random(seed))  # noqa: S311  jitter
    assert 0 <= wait_s <= (50 if asked is None else min(asked, 70) + 3)


SERVER_FAILURES: Sequence[loopback.Behaviour] = [
    loopback.rate_limited(0),
    loopback.server_error(500),
    loopback.server_error(503),
    loopback.html(),
    loopback.cut_json(),
    loopback.cut_body(),
    loopback.empty_choices(),
    loopback.reset(),
    loopback.hang(),
    loopback.drip(),
]


@pytest.mark.anyio
async def test_a_server_that_fails_in_every_way_ends_in_a_reply() -> None:
    """Every way in which a server breaks, one after another, is waited out; the same bytes are sent each time."""

    def handler(_: Json) -> Json:
        return {"content": "at last"}

    failed_attempts = list[FailedAttempt]()
    asked = ModelRequest({"model": "m"}, (), turn=0)
    async with (
        LoopbackServer(handler, SERVER_FAILURES) as server,
        OpenAIModel("m", base_url=server.base_url, timeout_s=0.5) as model,
    ):
        policy = RetryPolicy(tries=30, first_wait_s=0, longest_wait_s=0)
        reply = await complete_with_retries(model, asked, policy, on_retry=failed_attempts.append)
    assert reply.message.content == "at last"
    assert reply.faults == ()
    assert len(failed_attempts) >= len(SERVER_FAILURES)
    assert {received.body for received in server.received} == {asked.body()}
