"""An attribute that is computed once, whoever asks first."""

from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

_Value = TypeVar("_Value")


class once_property(cached_property[_Value]):  # noqa: N801  a decorator, named as its parent is
    """As `functools.cached_property`, for state that threads share: one value, even where several ask at once.

    Since Python 3.12 the parent lets each of them compute its own, and the last one stays. All attributes of this kind
    wait for each other: not for what takes long.
    """

    if not TYPE_CHECKING:  # the parent's overloads hold
        _guard = RLock()

        def __get__(self, instance: object, owner: type[Any] | None = None) -> object:
            """The instance's value."""
            with self._guard:
                return super().__get__(instance, owner)
