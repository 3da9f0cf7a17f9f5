"""Blocking work in threads, for an event loop with hundreds of tasks; and tasks whose results are wanted in order.

Switching is cheap: one wake-up of the loop hands over all results that came in meanwhile, and a busy thread takes its
next job without being woken.
"""

import asyncio
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import cache
from queue import SimpleQueue
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

T = TypeVar("T")

LET_THROUGH_S = 1e-5
"""Pause of a thread between jobs: without it threads keep Python's lock from the loop, which four of them made 19 ms
late (p99), and 11 ms with it."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The outcome of a job: a result, or an error."""

    result: Any
    error: BaseException | None = None

    def unwrap(self) -> Any:  # noqa: ANN401  what the work returned
        """The result. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.result


class _ResultQueue:
    """Outcomes on their way from threads to the tasks of one event loop that wait for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._done: deque[tuple[asyncio.Future[_Outcome], _Outcome]] = deque()
        self._is_wake_up_due = False

    def put(self, waiting: asyncio.Future[_Outcome], outcome: _Outcome) -> None:
        """Called in a thread: have an outcome handed over."""
        self._done.append((waiting, outcome))
        if self._is_wake_up_due:  # `_hand_over` clears this before it looks
            return
        self._is_wake_up_due = True
        with suppress(RuntimeError):  # the loop is closed: no task waits any more
            self.loop.call_soon_threadsafe(self._hand_over)

    @property
    def is_behind(self) -> bool:
        """True while the loop has not handed over what is in the queue."""
        return self._is_wake_up_due

    def _hand_over(self) -> None:
        self._is_wake_up_due = False
        while self._done:
            waiting, outcome = self._done.popleft()
            if not waiting.done():
                waiting.set_result(outcome)


_QueuedJob = tuple[_ResultQueue, "asyncio.Future[_Outcome]", Context, Callable[[], Any]]


class ThreadPool:
    """A number of threads, which start with the first job and end when the pool is garbage collected.

    Jobs are started in the order in which they came. Used within one event loop at a time.
    """

    def __init__(self, count: int = 4) -> None:
        self._count = count
        self._jobs: SimpleQueue[_QueuedJob | None] = SimpleQueue()
        self._results: _ResultQueue | None = None
        self._process = -1
        """The process that the threads are in: a forked one has none of them."""

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. A caller that is cancelled waits for the work to end first."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        if self._process != os.getpid():
            self._start_threads()
        loop = asyncio.get_running_loop()
        if self._results is None or self._results.loop is not loop:
            self._results = _ResultQueue(loop)
        waiting: asyncio.Future[_Outcome] = loop.create_future()
        self._jobs.put((self._results, waiting, copy_context(), work))
        with anyio.CancelScope(shield=True):
            await waiting
        return waiting.result().unwrap()

    def _start_threads(self) -> None:
        self._process = os.getpid()
        self._jobs = SimpleQueue()
        for _ in range(self._count):
            threading.Thread(target=_run_jobs, args=(self._jobs,), name="selfplay work", daemon=True).start()
        weakref.finalize(self, _stop_threads, self._jobs, self._count)


@cache
def shared_thread_pool() -> ThreadPool:
    """The threads that all episodes of this process share."""
    return ThreadPool()


def _run_jobs(jobs: "SimpleQueue[_QueuedJob | None]") -> None:
    while (job := jobs.get()) is not None:
        results, waiting, context, work = job
        try:
            outcome = _Outcome(context.run(work))
        except BaseException as error:  # noqa: BLE001  whatever it is, it is raised where the work is waited for
            outcome = _Outcome(None, error)
        results.put(waiting, outcome)
        if results.is_behind:
            time.sleep(LET_THROUGH_S)
        del job, results, waiting, context, work, outcome  # keep nothing alive while waiting for a job


def _stop_threads(jobs: "SimpleQueue[_QueuedJob | None]", count: int) -> None:
    for _ in range(count):
        jobs.put(None)


async def gather_results(works: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What each work returns, in order, all of them going on at once; the first error ends the others and is raised."""
    results: dict[int, T] = {}
    errors: list[Exception] = []

    async def run(number: int, group: TaskGroup) -> None:
        try:
            results[number] = await works[number]()
        except Exception as error:  # noqa: BLE001  raised below, alone instead of in a group
            errors.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for number in range(len(works)):
            group.start_soon(run, number, group, name=f"work {number}")
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(works))]
