"""Work in the background ends before the interpreter does.

A thread that still computes in a library while the interpreter is taken down can abort the process at its very end.
"""

import atexit
from threading import Event, Thread, current_thread
from weakref import WeakSet

_AT_WORK: WeakSet[Thread] = WeakSet()
_LEAVING = Event()


class Leaving(Exception):
    """The interpreter ends: what was begun is left as it is, as if the process had been killed."""


def started(thread: Thread) -> Thread:
    """Start a thread that calls `carry_on` now and then; it is waited for when the interpreter ends."""
    _AT_WORK.add(thread)
    thread.start()
    return thread


def carry_on() -> None:
    """Raise Leaving in a thread of `started` when the interpreter ends."""
    if _LEAVING.is_set() and current_thread() in _AT_WORK:
        raise Leaving


@atexit.register
def _leave() -> None:
    _LEAVING.set()
    for thread in list(_AT_WORK):
        thread.join()
