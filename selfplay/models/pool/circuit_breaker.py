"""Leaving a server alone that does not work, and finding out when it does again."""

from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "open", "half_open"]

FAILURES = 5
"""In a row, and more than there are calls in flight; then the server is left alone."""
FIRST_OPEN_S = 1.0
"""Until it is tried again, by one call; twice as long after each trial that fails."""
LONGEST_OPEN_S = 10.0


@dataclass(slots=True)
class CircuitBreaker:
    """Closed: calls go through. Open: none does. Half open: one does, and decides."""

    state: BreakerState = "closed"
    _failures: int = 0
    _trials: int = 0
    _until: float = 0.0

    def open_s(self, now: float) -> float:
        """Seconds for which no call goes through; 0 if it is closed, being tried, or due to be tried."""
        return max(0.0, self._until - now) if self.state == "open" else 0.0

    def begin_call(self) -> bool:
        """A call begins. True if it is the one that decides."""
        if self.state != "open":
            return False
        self.state = "half_open"
        return True

    def record_success(self) -> None:
        """The server answered, whatever it answered."""
        self.state, self._failures, self._trials = "closed", 0, 0

    def record_failure(self, now: float, *, is_trial: bool, in_flight: int = 0) -> None:
        """The server did not answer, or with what is no answer. `in_flight` calls may still tell otherwise.

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
        """A call was broken off by the caller. If it was to decide, the next one does."""
        if is_trial and self.state == "half_open":
            self.state = "open"
