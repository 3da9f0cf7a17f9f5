"""How fast a run goes: steps and units of the last minutes."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 300.0
LEAST_S = 1.0


@dataclass(slots=True)
class PaceMeter:
    """Counts in buckets of a second. All times are seconds of one clock, and don't go back."""

    began_at: float
    _buckets: deque[list[float]] = field(default_factory=deque[list[float]])

    def add(self, at: float, *, units: int = 0, steps: int = 0) -> None:
        """Note what was done at that time."""
        if not self._buckets or at >= self._buckets[-1][0] + 1:
            self._buckets.append([at, 0, 0])
        self._buckets[-1][1] += units
        self._buckets[-1][2] += steps

    def per_minute(self, now: float) -> tuple[float, float]:
        """Units and steps per minute, of the last minutes."""
        while self._buckets and self._buckets[0][0] < now - WINDOW_S:
            self._buckets.popleft()
        minutes = max(LEAST_S, min(WINDOW_S, now - self.began_at)) / 60
        units = sum(bucket[1] for bucket in self._buckets)
        steps = sum(bucket[2] for bucket in self._buckets)
        return units / minutes, steps / minutes
