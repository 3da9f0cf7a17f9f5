"""Work in threads: results and errors come back, order holds, a cancelled caller leaves no work behind."""

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import anyio
import pytest

from selfplay.core.threads import ThreadPool

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


def fails(error: Exception) -> None:
    raise error


@pytest.mark.anyio
async def test_each_caller_gets_its_own_result() -> None:
    threads, got = ThreadPool(3), dict[int, int]()

    async def ask(number: int) -> None:
        got[number] = await threads.run(partial(pow, number, 2))

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(ask, number)
    assert got == {number: number**2 for number in range(200)}


@pytest.mark.anyio
@pytest.mark.parametrize("error", [ValueError("why"), StopIteration("no more")])
async def test_an_error_is_raised_where_the_work_is_waited_for(error: Exception) -> None:
    with pytest.raises((ValueError, RuntimeError)) as raised:
        await ThreadPool(1).run(partial(fails, error))
    assert error in {raised.value, raised.value.__cause__}


@pytest.mark.anyio
async def test_work_that_waits_holds_up_no_other_thread() -> None:
    threads, is_free = ThreadPool(2), threading.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(threads.run, is_free.wait)
        for _ in range(50):
            await threads.run(int)
        is_free.set()


@pytest.mark.anyio
async def test_work_begins_in_the_order_in_which_it_came() -> None:
    threads, begun = ThreadPool(1), list[int]()
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(threads.run, partial(begun.append, number))
    assert begun == list(range(20))


@pytest.mark.anyio
async def test_a_cancelled_caller_leaves_when_its_work_has_ended() -> None:
    threads, has_begun, may_end, has_ended = ThreadPool(1), anyio.Event(), threading.Event(), list[bool]()
    report_start = partial(asyncio.get_running_loop().call_soon_threadsafe, has_begun.set)

    def work() -> None:
        report_start()
        may_end.wait()
        has_ended.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(threads.run, work)
        await has_begun.wait()
        group.cancel_scope.cancel()
        may_end.set()
    assert has_ended == [True]


@pytest.mark.anyio
async def test_work_sees_the_callers_context() -> None:
    NAME.set("somebody")
    assert await ThreadPool(1).run(NAME.get) == "somebody"


def test_the_next_event_loop_may_use_them_too() -> None:
    threads = ThreadPool(1)
    assert [anyio.run(threads.run, partial(int, text)) for text in "12"] == [1, 2]


def test_threads_end_with_the_last_reference_to_their_pool() -> None:
    began = list[threading.Thread]()
    here: Callable[[], None] = lambda: began.append(threading.current_thread())  # noqa: E731  typed
    anyio.run(ThreadPool(1).run, here)
    gc.collect()
    began[0].join(timeout=20)
    assert not began[0].is_alive()


def test_a_fork_has_threads_of_its_own() -> None:
    """In a process that does nothing else, as forks want it."""
    program = (
        "import anyio, os\n"
        "from selfplay.core.threads import shared_thread_pool\n"
        "anyio.run(shared_thread_pool().run, int)\n"
        "child = os.fork()\n"
        "anyio.run(shared_thread_pool().run, int)\n"
        "child and os.waitpid(child, 0)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
