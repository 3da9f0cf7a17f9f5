"""A snapshot of a directory as it is on disk, ignored and untracked files included.

It is one state: the inventory is taken at opening, and a file that changes afterwards is refused from then on
rather than shown in two versions. Ids of contents are computed when they are first asked for, which reads every file
once; a file that can't be read has the id `UNREADABLE`.
"""

import stat
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from selfplay_tools.base import BaseSnapshot
from selfplay_tools.disk import ChangedOnDisk, Disk, DiskFile
from selfplay_tools.errors import NotReadable
from selfplay_tools.inventory import Inventory
from selfplay_tools.paths import display_paths
from selfplay_tools.snapshot import SnapshotEntry, PathKind
from selfplay_tools.submodule import read_checked_out_commit
from selfplay_tools.tree_id import compute_tree_id

UNREADABLE = "0" * 40


class _ListedPath(NamedTuple):
    path: str
    kind: PathKind


class DirectorySnapshot(BaseSnapshot):
    """One directory; works without git."""

    def __init__(
        self, root: Path, *, is_hidden: Callable[[bytes], bool] = lambda _: False, store: Path | None = None
    ) -> None:
        """Take the inventory of `root`, without the paths (relative to it) that are hidden.

        `store` is a folder for what is remembered of its contents. Raises OSError where `root` is no directory that can
        be opened.
        """
        self.storage_folder = store
        self._disk = Disk(root)
        listed = [found for found in self._disk.scan() if not is_hidden(found.raw)]
        paths = display_paths([found.raw for found in listed])
        self._disk_files = dict(sorted(zip(paths, listed, strict=True)))
        listing = [_ListedPath(path, _kind_of(found)) for path, found in self._disk_files.items()]
        self._inventory = Inventory(listing)
        self._known: dict[str, SnapshotEntry] = {}

    @property
    def identity(self) -> str:
        """As `Snapshot.identity`: the id of the tree that git would make of these files.

        A clean checkout has the id of its commit's tree, if submodules are checked out and no filter changed a file.
        """
        return self._identity

    @cached_property
    def _identity(self) -> str:
        items = ((self._disk_files[entry.path], entry.oid) for entry in self.entries)
        return f"tree:{compute_tree_id([(found.raw, _git_mode_of(found), oid) for found, oid in items])}"

    @property
    def entries(self) -> Sequence[SnapshotEntry]:
        """As `Snapshot.entries`; the first use reads every file that no `entry` was asked for yet."""
        return self._entries

    @cached_property
    def _entries(self) -> tuple[SnapshotEntry, ...]:
        return tuple(self._get_entry(path) for path in self._disk_files)

    def entry(self, path: str) -> SnapshotEntry | None:
        """As `Snapshot.entry`."""
        return self._get_entry(path) if path in self._disk_files else None

    def close(self) -> None:
        """As `Snapshot.close`."""
        super().close()
        self._disk.close()

    def _get_entry(self, path: str) -> SnapshotEntry:
        entry = self._known.get(path)
        if entry is None:
            entry = self._known[path] = self._make_entry(path, self._disk_files[path])
        return entry

    def _make_entry(self, path: str, found: DiskFile) -> SnapshotEntry:
        kind = _kind_of(found)
        if kind is PathKind.SUBMODULE:
            return SnapshotEntry(path, kind, 0, read_checked_out_commit(self._disk, found.raw) or UNREADABLE)
        try:
            oid = self._disk.blob_id_of(found)
        except (OSError, ChangedOnDisk):
            oid = UNREADABLE
        return SnapshotEntry(path, kind, found.size, oid, executable=_git_mode_of(found) == b"100755")

    def _size_of(self, path: str) -> int:
        return self._disk_files[path].size

    def _read_beginning(self, path: str, max_bytes: int) -> bytes:
        try:
            return self._disk.read(self._disk_files[path], max_bytes)
        except ChangedOnDisk as error:
            raise NotReadable(f"{path!r} was changed on disk after it was listed") from error
        except OSError as error:
            raise NotReadable(f"{path!r} can't be read: {error.strerror}") from error

    def _read_contents(self, entries: Sequence[SnapshotEntry]) -> Iterator[bytes | None]:
        for entry in entries:
            try:
                yield self._read_beginning(entry.path, entry.size)
            except NotReadable:
                yield None


def _kind_of(found: DiskFile) -> PathKind:
    if stat.S_ISLNK(found.mode):
        return PathKind.LINK
    return PathKind.SUBMODULE if stat.S_ISDIR(found.mode) else PathKind.FILE


def _git_mode_of(found: DiskFile) -> bytes:
    if stat.S_ISLNK(found.mode):
        return b"120000"
    if stat.S_ISDIR(found.mode):
        return b"160000"
    return b"100755" if found.mode & stat.S_IXUSR else b"100644"
