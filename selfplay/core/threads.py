"""Blocking work in threads, for an event loop with hundreds of tasks; and tasks whose results are wanted in order.

A hand-over costs little: those who wait are handed their results together, by one wake-up of the loop for all that
came back meanwhile, and threads that are busy anyway take the next piece without being woken.
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
"""A thread that goes on at once keeps Python's lock from the loop: four of them made it 19 ms late (p99), so 11 ms."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of some work: a result, or an error."""

    result: Any
    error: BaseException | None = None

    def unwrap(self) -> Any:  # noqa: ANN401  what the work returned
        """The result. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.result


class _ResultQueue:
    """What threads have done for one event loop, on its way back to those who wait for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._done: deque[tuple[asyncio.Future[_Outcome], _Outcome]] = deque()
        self._is_wake_up_due = False

    def put(self, waiting: asyncio.Future[_Outcome], outcome: _Outcome) -> None:
        """In a thread: have it handed over."""
        self._done.append((waiting, outcome))
        if self._is_wake_up_due:  # whoever clears it looks at what is there afterwards
            return
        self._is_wake_up_due = True
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._hand_over)

    @property
    def is_behind(self) -> bool:
        """True while the loop has not come to what was done for it."""
        return self._is_wake_up_due

    def _hand_over(self) -> None:
        self._is_wake_up_due = False
        while self._done:
            waiting, outcome = self._done.popleft()
            if not waiting.done():
                waiting.set_result(outcome)


_QueuedJob = tuple[_ResultQueue, "asyncio.Future[_Outcome]", Context, Callable[[], Any]]


class ThreadPool:
    """So many threads. They begin with the first work, and end when nobody has hold of this any more.

    Work is begun in the order in which it came. Used within one event loop at a time.
    """

    def __init__(self, count: int = 4) -> None:
        self._count = count
        self._jobs: SimpleQueue[_QueuedJob | None] = SimpleQueue()
        self._results: _ResultQueue | None = None
        self._process = -1
        """In which the threads are: a fork has none of them."""

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. A caller that is cancelled is so when the work has come to its end."""
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
    """Those of this process, for whoever has none of their own: an episode needs no threads for itself."""
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
        del job, results, waiting, context, work, outcome  # nothing is held while there is nothing to do


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
