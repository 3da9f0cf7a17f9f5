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
from selfplay_tools.disk import Changed, Disk, Found
from selfplay_tools.errors import NotReadable
from selfplay_tools.inventory import Inventory
from selfplay_tools.paths import shown_paths
from selfplay_tools.snapshot import Entry, Kind
from selfplay_tools.submodule import checked_out_commit
from selfplay_tools.tree_id import tree_id

UNREADABLE = "0" * 40


class _Listed(NamedTuple):
    path: str
    kind: Kind


class DirectorySnapshot(BaseSnapshot):
    """One directory; works without git."""

    def __init__(
        self, root: Path, *, is_hidden: Callable[[bytes], bool] = lambda _: False, store: Path | None = None
    ) -> None:
        """Take the inventory of `root`, without the paths (relative to it) that are hidden.

        `store` is a folder for what is remembered of its contents. Raises OSError where `root` is no directory that can
        be opened.
        """
        self.memory = store
        self._disk = Disk(root)
        listed = [found for found in self._disk.scan() if not is_hidden(found.raw)]
        paths = shown_paths([found.raw for found in listed])
        self._found = dict(sorted(zip(paths, listed, strict=True)))
        listing = [_Listed(path, _kind(found)) for path, found in self._found.items()]
        self._inventory = Inventory(listing)
        self._known: dict[str, Entry] = {}

    @property
    def identity(self) -> str:
        """As `Snapshot.identity`: the id of the tree that git would make of these files.

        A clean checkout has the id of its commit's tree, if submodules are checked out and no filter changed a file.
        """
        return self._identity

    @cached_property
    def _identity(self) -> str:
        items = ((self._found[entry.path], entry.oid) for entry in self.entries)
        return f"tree:{tree_id([(found.raw, _git_mode(found), oid) for found, oid in items])}"

    @property
    def entries(self) -> Sequence[Entry]:
        """As `Snapshot.entries`; the first use reads every file that no `entry` was asked for yet."""
        return self._entries

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        return tuple(self._entry(path) for path in self._found)

    def entry(self, path: str) -> Entry | None:
        """As `Snapshot.entry`."""
        return self._entry(path) if path in self._found else None

    def close(self) -> None:
        """As `Snapshot.close`."""
        super().close()
        self._disk.close()

    def _entry(self, path: str) -> Entry:
        entry = self._known.get(path)
        if entry is None:
            entry = self._known[path] = self._new_entry(path, self._found[path])
        return entry

    def _new_entry(self, path: str, found: Found) -> Entry:
        kind = _kind(found)
        if kind is Kind.SUBMODULE:
            return Entry(path, kind, 0, checked_out_commit(self._disk, found.raw) or UNREADABLE)
        try:
            oid = self._disk.digest(found)
        except (OSError, Changed):
            oid = UNREADABLE
        return Entry(path, kind, found.size, oid, executable=_git_mode(found) == b"100755")

    def _size(self, path: str) -> int:
        return self._found[path].size

    def _beginning(self, path: str, max_bytes: int) -> bytes:
        try:
            return self._disk.read(self._found[path], max_bytes)
        except Changed as error:
            raise NotReadable(f"{path!r} was changed on disk after it was listed") from error
        except OSError as error:
            raise NotReadable(f"{path!r} can't be read: {error.strerror}") from error

    def _contents(self, entries: Sequence[Entry]) -> Iterator[bytes | None]:
        for entry in entries:
            try:
                yield self._beginning(entry.path, entry.size)
            except NotReadable:
                yield None


def _kind(found: Found) -> Kind:
    if stat.S_ISLNK(found.mode):
        return Kind.LINK
    return Kind.SUBMODULE if stat.S_ISDIR(found.mode) else Kind.FILE


def _git_mode(found: Found) -> bytes:
    if stat.S_ISLNK(found.mode):
        return b"120000"
    if stat.S_ISDIR(found.mode):
        return b"160000"
    return b"100755" if found.mode & stat.S_IXUSR else b"100644"
