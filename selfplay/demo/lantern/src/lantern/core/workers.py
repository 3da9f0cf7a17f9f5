"""A fixed number of threads that work off a short queue."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]

_log = logging.getLogger("lantern.workers")


class Workers:
    """Threads for connections. What does not fit in the queue is the caller's to turn away."""

    def __init__(self, count: int, waiting: int) -> None:
        self._max_waiting = waiting
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._is_finishing = False
        self._free = count  # threads that will take a job, those that are still starting included
        self._threads = [
            threading.Thread(target=self._work, name=f"lantern-worker-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> bool:
        """Queue a job. False when the queue is full or the workers are finishing."""
        with self._changed:
            if self._is_finishing or len(self._jobs) >= self._max_waiting + self._free:
                return False
            self._jobs.append(job)
            self._changed.notify()
            return True

    @property
    def is_crowded(self) -> bool:
        """Whether somebody waits for a thread: a reason not to keep an idle connection."""
        with self._changed:
            return len(self._jobs) > self._free

    def finish(self, timeout_s: float) -> bool:
        """Take no more jobs and wait for those taken. False when some still run after `timeout_s`."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                job()
            except Exception:
                _log.exception("a job failed")
            finally:
                with self._changed:
                    self._free += 1

    def _take(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._is_finishing)
            if not self._jobs:
                return None
            self._free -= 1
            return self._jobs.popleft()
