"""Work in the background ends before the interpreter does.

A thread that still computes in a library while the interpreter is taken down can abort the process at its very end.
"""

import atexit
from threading import Event, Thread, current_thread
from weakref import WeakSet

_BACKGROUND: WeakSet[Thread] = WeakSet()
_EXITING = Event()


class InterpreterExiting(Exception):
    """The interpreter ends: what was begun is left as it is, as if the process had been killed."""


def start_in_background(thread: Thread) -> Thread:
    """Start a thread that calls `stop_if_exiting` now and then; the interpreter waits for its end."""
    _BACKGROUND.add(thread)
    thread.start()
    return thread


def stop_if_exiting() -> None:
    """Raise InterpreterExiting, when the interpreter ends, in a thread that `start_in_background` started."""
    if _EXITING.is_set() and current_thread() in _BACKGROUND:
        raise InterpreterExiting


@atexit.register
def _join_background_threads() -> None:
    _EXITING.set()
    for thread in list(_BACKGROUND):
        thread.join()
