"""Files below one folder of the disk, opened so that no link can lead out of it.

Every folder on the way is opened by itself, relative to the one before and never through a link. A file that was
swapped for a link, a pipe or another file after it was listed is therefore noticed, and nothing else is opened.
"""

import hashlib
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

from selfplay_tools.text.paths import MAX_DEPTH, is_git_directory

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a pipe that was put in a file's place would hold us forever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_PART_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A file or link as it was when it was listed, or a nested repository."""

    raw: bytes
    """Path relative to the root."""
    mode: int
    """As in `os.stat_result`; a folder's for a nested repository."""
    size: int
    stamp: tuple[int, int, int]
    """Device, inode and time of last change: another stamp, another content."""


class ChangedOnDisk(Exception):
    """What is there now is not what was listed."""


class Disk:
    """One folder of the disk. Safe to use from several threads, `close` included."""

    def __init__(self, root: Path) -> None:
        """Open `root`, which may itself be reached through links. Raises OSError."""
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._users = 0
        self._is_closed = False
        self._free = Condition()

    def close(self) -> None:
        """Wait for what is being read, then close the folder. Harmless when repeated."""
        with self._free:
            if not self._is_closed:
                self._is_closed = True
                self._free.wait_for(lambda: self._users == 0)
                os.close(self._root)

    @contextmanager
    def _use_root(self) -> Generator[int]:
        # A closed descriptor's number may soon mean another folder: never use it unguarded.
        with self._free:
            if self._is_closed:
                raise ValueError("the snapshot is closed")
            self._users += 1
        try:
            yield self._root
        finally:
            with self._free:
                self._users -= 1
                self._free.notify_all()

    def scan(self) -> Iterator[DiskFile]:
        """Every file, link and nested repository; no sockets, pipes, devices, and nothing of git's own directory.

        A folder that can't be opened is left out.
        """
        ahead: list[bytes] = [b""]
        while ahead:
            folder = ahead.pop()
            prefix = folder + b"/" if folder else b""
            for name, status in self._list_folder(folder):
                found = _make_disk_file(prefix + name, status)
                if not stat.S_ISDIR(status.st_mode) or self._is_repository(found.raw):
                    yield found
                elif prefix.count(b"/") < MAX_DEPTH:
                    ahead.append(found.raw)

    def _list_folder(self, folder: bytes) -> list[tuple[bytes, os.stat_result]]:
        try:
            with self._use_root(), self._open_folder(folder) as descriptor, os.scandir(descriptor) as entries:
                named = [(os.fsencode(entry.name), entry) for entry in entries]
                served = [
                    (name, entry.stat(follow_symlinks=False)) for name, entry in named if not is_git_directory(name)
                ]
        except OSError:
            return []
        return [(name, status) for name, status in served if _is_served_kind(status.st_mode)]

    def _is_repository(self, folder: bytes) -> bool:
        try:
            with self._use_root(), self._open_folder(folder) as descriptor:
                os.stat(b".git", dir_fd=descriptor, follow_symlinks=False)
        except OSError:
            return False
        return True

    @contextmanager
    def _open_folder(self, raw: bytes) -> Generator[int]:
        descriptor = os.dup(self._root)
        try:
            for name in raw.split(b"/") if raw else ():
                inner = os.open(name, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def read(self, found: DiskFile, max_bytes: int) -> bytes:
        """The first bytes of a listed file or link. Raises Changed, OSError."""
        if stat.S_ISLNK(found.mode):
            return self._read_link(found)[:max_bytes]
        with self._open_file(found) as descriptor:
            return b"".join(_read_parts(descriptor, min(found.size, max_bytes)))

    def blob_id_of(self, found: DiskFile) -> str:
        """The id that git gives to the content of a listed file or link. Raises Changed, OSError."""
        digest = hashlib.sha1(b"blob %d\0" % found.size, usedforsecurity=False)
        if stat.S_ISLNK(found.mode):
            digest.update(self.read(found, found.size))
            return digest.hexdigest()
        with self._open_file(found) as descriptor:
            for part in _read_parts(descriptor, found.size):
                digest.update(part)
        return digest.hexdigest()

    @contextmanager
    def _open_file(self, found: DiskFile) -> Generator[int]:
        """A descriptor of a listed file, which is the same before and after it was used."""
        folder, _, name = found.raw.rpartition(b"/")
        with self._use_root(), self._open_folder(folder) as parent:
            descriptor = os.open(name, _FILE, dir_fd=parent)
        try:
            _require_same(found, os.fstat(descriptor))
            yield descriptor
            _require_same(found, os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def _read_link(self, found: DiskFile) -> bytes:
        folder, _, name = found.raw.rpartition(b"/")
        with self._use_root(), self._open_folder(folder) as parent:
            target = os.readlink(name, dir_fd=parent)
            _require_same(found, os.stat(name, dir_fd=parent, follow_symlinks=False))
            return target

    def read_unlisted(self, raw: bytes, max_bytes: int) -> bytes:
        """The first bytes of a regular file that `scan` does not list. Raises Changed if it is no file, OSError."""
        folder, _, name = raw.rpartition(b"/")
        with self._use_root(), self._open_folder(folder) as descriptor:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        return self.read(_make_disk_file(raw, status), max_bytes)


def _is_served_kind(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)


def _make_disk_file(raw: bytes, status: os.stat_result) -> DiskFile:
    return DiskFile(raw, status.st_mode, status.st_size, (status.st_dev, status.st_ino, status.st_mtime_ns))


def _require_same(found: DiskFile, status: os.stat_result) -> None:
    if found != _make_disk_file(found.raw, status) or not (
        stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)
    ):
        raise ChangedOnDisk


def _read_parts(descriptor: int, size: int) -> Iterator[bytes]:
    while size > 0 and (part := os.read(descriptor, min(size, _PART_BYTES))):
        yield part
        size -= len(part)
