"""A snapshot of a directory as it is on disk, ignored and untracked files included.

It is one state: the inventory is taken at opening, and a file that changes afterwards is refused from then on
rather than shown in two versions. Ids of contents are computed when they are first asked for, which reads every file
once; a file that can't be read has the id `UNREADABLE`.
"""

import hashlib
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from selfplay_tools.errors import NotReadable
from selfplay_tools.protocols import PathKind, SnapshotEntry
from selfplay_tools.snapshot.base import BaseSnapshot
from selfplay_tools.snapshot.disk import ChangedOnDisk, Disk, DiskFile
from selfplay_tools.snapshot.inventory import Inventory
from selfplay_tools.text.paths import display_paths

FOLDER_MODE = b"40000"
TreeItem = tuple[bytes, bytes, str]
"""Path (of an item of a folder: its name), git's mode, git's id."""


def compute_tree_id(items: Iterable[TreeItem]) -> str:
    """The id of the git tree with these (path, mode, id)."""
    trees: dict[bytes, list[TreeItem]] = {b"": []}
    for raw, mode, oid in items:
        folder, _, name = raw.rpartition(b"/")
        _get_folder_items(trees, folder).append((name, mode, oid))
    for folder in sorted(trees, key=lambda raw: raw.count(b"/") + bool(raw), reverse=True):
        digest = _hash_tree(trees[folder])
        if not folder:
            return digest
        parent, _, name = folder.rpartition(b"/")
        trees[parent].append((name, FOLDER_MODE, digest))
    raise AssertionError("the root comes last")


def _get_folder_items(trees: dict[bytes, list[TreeItem]], folder: bytes) -> list[TreeItem]:
    reached = trees.setdefault(folder, [])
    while folder:
        folder = folder.rpartition(b"/")[0]
        if folder in trees:
            break
        trees[folder] = []
    return reached


def _hash_tree(items: Sequence[TreeItem]) -> str:
    # Git sorts a folder as if its name ended with a slash.
    ordered = sorted(items, key=lambda item: item[0] + (b"/" if item[1] == FOLDER_MODE else b""))
    body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for name, mode, oid in ordered)
    return hashlib.sha1(b"tree %d\0%b" % (len(body), body), usedforsecurity=False).hexdigest()


_ID = re.compile(rb"[0-9a-f]{40}\n?")
_REF = re.compile(rb"ref: (refs/[!-~]+)\n?")
_MAX_PACKED_REFS_BYTES = 16 << 20


def read_checked_out_commit(disk: Disk, folder: bytes) -> str | None:
    """The commit that the HEAD of the repository in `folder` names, or None where that is unknown.

    Only files below the snapshot's root are looked into, and only a commit's id ever comes out of them.
    """
    git_dir = _find_git_dir(disk, folder)
    head = _read_content(disk, git_dir + b"/HEAD") if git_dir else None
    ref = _REF.fullmatch(head or b"")
    if ref and git_dir:
        return _parse_id(_read_content(disk, git_dir + b"/" + ref[1])) or _find_packed_ref(disk, git_dir, ref[1])
    return _parse_id(head)


def _find_git_dir(disk: Disk, folder: bytes) -> bytes | None:
    """`.git` itself, or where a `.git` file points."""
    pointer = _read_content(disk, folder + b"/.git")
    if pointer is None:
        return folder + b"/.git"
    if not pointer.startswith(b"gitdir: "):
        return None
    return _join_path(folder, pointer.removeprefix(b"gitdir: ").rstrip(b"\n"))


def _join_path(folder: bytes, relative: bytes) -> bytes | None:
    parts = folder.split(b"/")
    for name in relative.split(b"/"):
        if name == b"..":
            if not parts:
                return None
            parts.pop()
        elif name not in {b"", b"."}:
            parts.append(name)
    return None if relative.startswith(b"/") else b"/".join(parts)


def _read_content(disk: Disk, raw: bytes) -> bytes | None:
    try:
        return disk.read_unlisted(raw, _MAX_PACKED_REFS_BYTES)
    except (OSError, ChangedOnDisk, ValueError):
        return None


def _parse_id(content: bytes | None) -> str | None:
    return content.decode("ascii").strip() if content is not None and _ID.fullmatch(content) else None


def _find_packed_ref(disk: Disk, git_dir: bytes, ref: bytes) -> str | None:
    for line in (_read_content(disk, git_dir + b"/packed-refs") or b"").splitlines():
        oid, _, name = line.partition(b" ")
        if name == ref:
            return _parse_id(oid)
    return None


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

        `store` is a folder for what is stored about its contents. Raises OSError where `root` is no directory that can
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
