"""Hooks that are called while a model call is made, past the layers in between.

Set within an async task, for the calls that it makes. None of it is part of a reply.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")


def _do_nothing() -> None:
    return None


ON_SEND: ContextVar[Callable[[], None]] = ContextVar("ON_SEND", default=_do_nothing)
"""Called by a model that made a call wait, once the call is let through: the wait is over."""

ON_HEADERS: ContextVar[Callable[[Mapping[str, str]], None] | None] = ContextVar("ON_HEADERS", default=None)
"""Called with the headers of a response that are about rate limits, names in lower case."""


class RetryHook(Protocol):
    """Called after each failed attempt that will be followed by another."""

    def __call__(self, seat: str, attempt: int, error: str, wait_s: float) -> None:
        """`attempt` counts from 1; `wait_s` is how long the next one is waited for."""
        ...


ON_RETRY: ContextVar[RetryHook | None] = ContextVar("ON_RETRY", default=None)


@contextmanager
def set_hook(variable: ContextVar[T], value: T) -> Generator[None]:
    """Have `value` called inside of the block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
