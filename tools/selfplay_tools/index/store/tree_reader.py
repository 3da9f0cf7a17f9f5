"""Entries of commits, with every tree read once: another commit costs the trees that differ.

What git's own listing would have to tidy up (names that are escaped or not served, files that hide folders, modes that
git no longer writes) is not supported here, and the caller lists such a commit in another way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import run_git
from selfplay_tools.index.store.bulk_reader import read_contents
from selfplay_tools.protocols import PathKind, SnapshotEntry
from selfplay_tools.text.paths import MAX_DEPTH, display_path, is_served

_KINDS = {
    b"40000": PathKind.FOLDER,
    b"100644": PathKind.FILE,
    b"100755": PathKind.FILE,
    b"120000": PathKind.LINK,
    b"160000": PathKind.SUBMODULE,
}
_EXECUTABLE = b"100755"
_MAX_FOLDERS = 200_000
"""A commit with more is not plain."""
_MAX_SHARED = 4_096
"""Entries of a folder whose list is cached; a larger one, unless it is flat, is put together again."""
_MAX_CACHED = 4_000_000
"""Entries in cached lists; beyond it all are dropped."""


class UnsupportedTree(Exception):
    """The commit holds something that only git's own listing deals with. Never leaves the package."""


_Folder = tuple[str, str]
"""A folder's path (`""`, or one that ends with `/`) and the id of its tree."""


@dataclass(frozen=True, slots=True)
class _TreeItem:
    """One line of a tree."""

    name: str
    kind: PathKind
    oid: str
    is_executable: bool


class TreeReader:
    """The trees of one repository. Safe to use from several threads."""

    def __init__(self, git_dir: Path, sizes: Callable[[Sequence[str]], Mapping[str, int]]) -> None:
        """`sizes` may know sizes of blobs; git is asked for the others."""
        self._git_dir = git_dir
        self._sizes = sizes
        self._below: dict[_Folder, tuple[SnapshotEntry, ...]] = {}
        self._lock = Lock()

    def read_entries(self, commit: str, max_entries: int) -> tuple[SnapshotEntry, ...]:
        """All entries of a commit, sorted by path. Raises UnsupportedTree, GitFailed."""
        tree = run_git(self._git_dir, "rev-parse", "--verify", f"{commit}^{{tree}}").decode("ascii").strip()
        with self._lock:
            if sum(map(len, self._below.values())) > _MAX_CACHED:
                self._below.clear()
            items = self._read_trees_below(("", tree))
            blobs = {
                item.oid for some in items.values() for item in some if item.kind in (PathKind.FILE, PathKind.LINK)
            }
            return _TreeWalk(items, self._below, self._find_sizes(sorted(blobs)), max_entries).list_below(("", tree))

    def _read_trees_below(self, root: _Folder) -> dict[_Folder, tuple[_TreeItem, ...]]:
        """The lines of all trees below that are not known."""
        items: dict[_Folder, tuple[_TreeItem, ...]] = {}
        level = [root]
        for _ in range(MAX_DEPTH):
            level = [folder for folder in level if folder not in self._below]
            if not level:
                return items
            if len(items) + len(level) > _MAX_FOLDERS:
                raise UnsupportedTree
            trees = self._read_trees({tree for _, tree in level})
            items.update((folder, trees[folder[1]]) for folder in level)
            level = [
                (f"{path}{item.name}/", item.oid)
                for path, tree in level
                for item in trees[tree]
                if item.kind is PathKind.FOLDER
            ]
        raise UnsupportedTree

    def _read_trees(self, oids: AbstractSet[str]) -> dict[str, tuple[_TreeItem, ...]]:
        wanted = list(map(bytes.fromhex, sorted(oids)))
        found = {oid.hex(): tuple(_parse_tree(data, len(oid))) for oid, data in read_contents(self._git_dir, wanted)}
        if len(found) != len(oids):
            raise GitFailed(f"the repository {self._git_dir} lacks a tree: it is damaged, or a partial clone")
        return found

    def _find_sizes(self, oids: Sequence[str]) -> Mapping[str, int]:
        known = dict(self._sizes(oids))
        known.update(_ask_git_for_sizes(self._git_dir, [oid for oid in oids if oid not in known]))
        return known


def _ask_git_for_sizes(git_dir: Path, oids: Sequence[str]) -> Iterator[tuple[str, int]]:
    if not oids:
        return
    asked = "".join(f"{oid}\n" for oid in oids).encode("ascii")
    form = "--batch-check=%(objectname) %(objectsize)"
    for line in run_git(git_dir, "cat-file", form, "--buffer", stdin=asked).decode("ascii").splitlines():
        oid, _, size = line.partition(" ")
        if size.isdigit():
            yield oid, int(size)


def _parse_tree(data: bytes, oid_bytes: int) -> Iterator[_TreeItem]:
    """The lines of a tree as git stores it. Raises UnsupportedTree."""
    at = 0
    before = ""
    names: set[str] = set()
    while at < len(data):
        end = data.index(b"\0", at)
        mode, _, raw = data[at:end].partition(b" ")
        at = end + 1 + oid_bytes
        name = display_path(raw)
        kind = _KINDS.get(mode)
        key = f"{name}/" if kind is PathKind.FOLDER else name
        if kind is None or not is_served(raw) or b"/" in raw or key <= before or name in names:
            raise UnsupportedTree
        if not raw.isascii() and name.encode("utf-8", "surrogateescape") != raw:
            raise UnsupportedTree
        names.add(name)
        before = key
        yield _TreeItem(name, kind, data[end + 1 : at].hex(), mode == _EXECUTABLE)


@dataclass(frozen=True, slots=True)
class _TreeWalk:
    """One pass from a root down, through folders that are not cached."""

    items: Mapping[_Folder, tuple[_TreeItem, ...]]
    cached: dict[_Folder, tuple[SnapshotEntry, ...]]
    sizes: Mapping[str, int]
    max_entries: int

    def list_below(self, folder: _Folder) -> tuple[SnapshotEntry, ...]:
        """The entries of a folder, sorted by path."""
        known = self.cached.get(folder)
        if known is not None:
            return known
        found: list[SnapshotEntry] = []
        for item in self.items[folder]:
            path = folder[0] + item.name
            if item.kind is PathKind.FOLDER:
                found += self.list_below((f"{path}/", item.oid))
            else:
                found.append(SnapshotEntry(path, item.kind, self._size_of(item, path), item.oid, item.is_executable))
            if len(found) > self.max_entries:
                raise GitFailed(f"a commit has more than {self.max_entries} files: too many to serve")
        entries = tuple(found)
        own = sum(item.kind is not PathKind.FOLDER for item in self.items[folder])
        if len(entries) <= max(_MAX_SHARED, 2 * own):
            self.cached[folder] = entries
        return entries

    def _size_of(self, item: _TreeItem, path: str) -> int:
        if item.kind is PathKind.SUBMODULE:
            return 0
        size = self.sizes.get(item.oid)
        if size is None:
            raise GitFailed(f"the repository lacks the content of {path!r}: it is damaged, or a partial clone")
        return size
