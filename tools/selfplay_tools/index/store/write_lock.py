"""The lock of a store's one writer, and which files are the store's own."""

from collections.abc import Callable
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from selfplay_tools.index.store.background import stop_if_exiting

_PATIENCE_S = 1.0
"""How long a lock is waited for before it is asked whether the interpreter ends."""
LOCK = "lock"
_SUFFIXES = frozenset({"text", "blobs", "grams", "words", "json"})


class StoreWriteLock:
    """Held while a store is written to."""

    def __init__(self, folder: Path, on_acquired: Callable[[], None], on_wait: Callable[[], None] | None) -> None:
        """`begin` is called with the lock held; `waits` before, if another process or thread has it."""
        self._lock = FileLock(folder / LOCK)
        self._on_acquired = on_acquired
        self._on_wait = on_wait

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            if self._on_wait:
                self._on_wait()
            wait_for_lock(self._lock)
        try:
            self._on_acquired()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def wait_for_lock(lock: BaseFileLock) -> None:
    """Acquire the lock, whoever has it now."""
    while True:
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            stop_if_exiting()
        else:
            return


def is_store_file(path: Path) -> bool:
    """Whether a file of the folder is a segment's or the manifest, perhaps half-written."""
    stem, _, suffix = path.name.partition(".")
    return (stem.isdigit() or stem == "manifest") and suffix.removesuffix(".part") in _SUFFIXES
