"""What those around a call are told of it while it is made, past the layers in between.

Set within a task, for the calls that it makes. None of it is part of a reply: a journal does not hold it.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


def _do_nothing() -> None:
    return None


ON_SEND: ContextVar[Callable[[], None]] = ContextVar("ON_SEND", default=_do_nothing)
"""Told by a model that made a call wait that it is let through now: the wait is over."""

ON_HEADERS: ContextVar[Callable[[Mapping[str, str]], None] | None] = ContextVar("ON_HEADERS", default=None)
"""Told the headers of a response that are about rate limits, names in lower case."""


@contextmanager
def set_hook(variable: ContextVar[T], value: T) -> Generator[None]:
    """Have it told to `value` inside of the block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
