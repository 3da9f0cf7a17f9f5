"""The lock of a store's one writer, and which files are the store's own."""

from collections.abc import Callable
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from selfplay_tools.store.leaving import carry_on

_PATIENCE_S = 1.0
"""How long a lock is waited for before it is asked whether the interpreter ends."""
LOCK = "lock"
_SUFFIXES = frozenset({"text", "blobs", "grams", "words", "json"})


class Writing:
    """Held while a store is written to."""

    def __init__(self, folder: Path, begin: Callable[[], None], waits: Callable[[], None] | None) -> None:
        """`begin` is called with the lock held; `waits` before, if another process or thread has it."""
        self._lock = FileLock(folder / LOCK)
        self._begin = begin
        self._waits = waits

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            if self._waits:
                self._waits()
            wait_for(self._lock)
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def wait_for(lock: BaseFileLock) -> None:
    """Acquire the lock, whoever has it now."""
    while True:
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            carry_on()
        else:
            return


def is_ours(path: Path) -> bool:
    """Whether a file of the folder is a segment's or the manifest, perhaps half-written."""
    stem, _, suffix = path.name.partition(".")
    return (stem.isdigit() or stem == "manifest") and suffix.removesuffix(".part") in _SUFFIXES
