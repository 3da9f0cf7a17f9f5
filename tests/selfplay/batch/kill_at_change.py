"""`selfplay`, killed just before it changes the disk for the n-th time, or halfway through a write.

`python -m tests.selfplay.batch.kill_at_change N FOLDER ...` runs `selfplay ...` and dies at the N-th change below
FOLDER; with 0 it does not, and says on standard error how many there were.
"""

import atexit
import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock

CHANGES = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.utime")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class KillAtChange:
    """Counts changes, and comes at one of them."""

    def __init__(self, at: int, folder: str) -> None:
        self.at, self.folder = at, folder
        self.count = 0
        self._lock = Lock()

    def watch_changes(self) -> None:
        """Look at each change from now on. What git does is git's own."""
        sys.addaudithook(self._audit)
        write, sync = os.write, os.fsync

        def counted_write(descriptor: int, data: bytes, /) -> int:
            if self._is_here(Path(f"/proc/self/fd/{descriptor}").readlink()):
                self._tick(lambda: write(descriptor, memoryview(data)[: len(data) // 2]))
            return write(descriptor, data)

        def counted_sync(descriptor: int, /) -> None:
            self._tick()
            sync(descriptor)

        os.write, os.fsync = counted_write, counted_sync  # pyright: ignore[reportAttributeAccessIssue]

    def _is_here(self, path: object) -> bool:
        return isinstance(path, str | bytes | Path) and os.fsdecode(path).startswith(self.folder)

    def _audit(self, event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & WRITES and self._is_here(path):
                self._tick()
        elif event in CHANGES and any(self._is_here(arg) for arg in args):
            self._tick()

    def _tick(self, last: Callable[[], object] = lambda: None) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.at:
                last()
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    death = KillAtChange(int(sys.argv[1]), sys.argv[2])
    if not death.at:
        atexit.register(lambda: sys.stderr.write(f"{death.count}\n"))
    sys.argv = ["selfplay", *sys.argv[3:]]
    death.watch_changes()
    runpy.run_module("selfplay", run_name="__main__")
