"""JSONL files that grow at their end only: what was written stays, and a kill costs at most the line in flight."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from selfplay.core.errors import JournalError
from selfplay.core.files import convert_os_errors, try_lock


def json_line(value: object) -> bytes:
    """The value as one line of JSON, with its end."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


class AppendOnlyFile:
    """A file that is added to and read. Use as a context manager. Blocking.

    The file is made if it is not there, and with `makes_folder` its folder too. With `user`, such as "is cleaning
    here", it is locked, and opening it raises JournalError while another process has it. A disk that does not take what
    is to be made or written raises StorageError.
    """

    def __init__(self, path: Path, *, user: str = "", makes_folder: bool = True) -> None:
        self.path = path
        self._user = user
        self._makes_folder = makes_folder
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Open the file, and lock it."""
        with convert_os_errors(self.path):
            self._descriptor = self._open()
        with ExitStack() as stack:
            stack.callback(self.close)
            with convert_os_errors(self.path, "locked"):
                is_locked = not self._user or try_lock(self._descriptor)
            if not is_locked:
                raise JournalError(f"{self.path}: another process {self._user}; wait for it or stop it")
            stack.pop_all()
        return self

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o644)
        except FileNotFoundError:
            if not self._makes_folder:
                raise
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o644)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Give the file and its lock back."""
        os.close(self._descriptor)

    def read(self) -> bytes:
        """All of it."""
        return self.path.read_bytes()

    def read_lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its number, from 1. Once all are read, a torn last line, which has no end, is cut off."""
        size = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    self.truncate(size)
                    return
                size += len(line)
                yield number, line

    def read_at(self, offset: int, length: int) -> bytes:
        """So many bytes from there."""
        return os.pread(self._descriptor, length, offset)

    def truncate(self, size: int) -> None:
        """Cut off what stands behind so many bytes."""
        with convert_os_errors(self.path):
            os.ftruncate(self._descriptor, size)

    def append(self, lines: bytes) -> None:
        """Write lines at the end, so that they outlive this process. After an error they may be there in part."""
        rest = memoryview(lines)
        with convert_os_errors(self.path):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        """Wait until everything is on the disk itself."""
        with convert_os_errors(self.path):
            os.fsync(self._descriptor)
