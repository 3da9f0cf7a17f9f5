from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

from selfplay_tools.snapshot.base import once_property


class Counted:
    def __init__(self, threads: int) -> None:
        self.start = Barrier(threads)
        self.both_inside = Barrier(2)
        self.computed = 0

    def ask(self) -> object:
        self.start.wait(10)
        return self.value

    @once_property
    def value(self) -> object:
        """Takes until another thread is in here too, or for long enough that one would have come."""
        self.computed += 1
        with suppress(BrokenBarrierError):
            self.both_inside.wait(0.2)
        return object()


def test_threads_that_ask_at_once_get_the_one_value_that_was_computed() -> None:
    counted = Counted(4)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(counted.ask) for _ in range(4)]
        values = {each.result() for each in asked}
    assert values == {counted.value}
    assert counted.computed == 1
