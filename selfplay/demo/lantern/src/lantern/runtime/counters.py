"""Numbers that only go up, counted from many threads, shown by the admin pages."""

import threading
from collections import Counter


class Counters:
    """Named counts. Names are written `area.thing`, such as `responses.404`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, name: str, amount: int = 1) -> None:
        """Add `amount` to a count, which starts at 0."""
        with self._lock:
            self._counts[name] += amount

    def snapshot(self) -> dict[str, int]:
        """All counts at one moment, sorted by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))
