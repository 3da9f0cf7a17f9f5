"""Trying a failed call again: the one place where failures of the infrastructure are waited out.

Only `TransientModelError` is tried again. What the model or the request did wrong passes through at once.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Annotated

import anyio
from pydantic import Field

from selfplay.core.errors import EndpointDown, TransientModelError
from selfplay.core.message import Noun
from selfplay.models.protocol import Model, ModelReply, ModelRequest

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RetryPolicy(Noun):
    """How long a failing call is tried: exponential backoff with full jitter, or as long as the server asks."""

    tries: Annotated[int, Field(ge=1)] = 6
    """Attempts, the first one included."""
    first_wait_s: Seconds = 1.0
    """The longest wait after the first failure; it doubles with each further one."""
    longest_wait_s: Seconds = 60.0
    longest_retry_after_s: Seconds = 300.0
    """The longest Retry-After that is honoured."""
    total_s: Seconds = 1800.0
    """No attempt begins later than this after the first one began."""

    def wait_s(self, failures: int, error: TransientModelError, random: Random) -> float:
        """Seconds to wait after the `failures`-th failure (from 1).

        Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): uniform between 0 and
        the doubling bound. A Retry-After is waited for in full, with the first bound's jitter on top, so that calls
        that were refused together do not come back together.
        """
        if error.retry_after_s is not None:
            return min(error.retry_after_s, self.longest_retry_after_s) + random.uniform(0, self.first_wait_s)
        return random.uniform(0, min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures - 1, 60)))


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One failed attempt that will be followed by another."""

    attempt: int
    """Which attempt failed, from 1."""
    error: TransientModelError
    wait_s: float
    """Until the next attempt."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as retries use it; tests pass their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


CLOCK = Clock()
JITTER = Random()  # noqa: S311  spreads waits, no security depends on it


def _ignore_attempt(_: FailedAttempt) -> None:
    return None


async def complete_with_retries(
    model: Model,
    request: ModelRequest,
    policy: RetryPolicy,
    *,
    on_retry: Callable[[FailedAttempt], None] = _ignore_attempt,
    random: Random | None = None,
    clock: Clock = CLOCK,
) -> ModelReply:
    """The model's answer, after as many attempts as it takes and the policy allows.

    `on_retry` is called with each failed attempt before the wait; a seeded `random` makes the waits the same each time.
    Raises the last TransientModelError when attempts or time are used up: the caller parks the episode. Everything
    else that the model raises passes through.
    """
    random = random or JITTER
    deadline = clock.now() + policy.total_s
    attempt = 1
    while True:
        try:
            return await model.complete(request)
        except EndpointDown:
            raise  # no server is in reach: the caller parks the episode until one is
        except TransientModelError as error:
            wait_s = policy.wait_s(attempt, error, random)
            if attempt >= policy.tries or clock.now() + wait_s > deadline:
                raise
            on_retry(FailedAttempt(attempt, error, wait_s))
        await clock.sleep(wait_s)
        attempt += 1
