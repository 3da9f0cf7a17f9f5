"""A snapshot of one commit, straight from git's objects: no work tree, no history."""

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock

from selfplay_tools.errors import GitFailed, NoSuchCommit
from selfplay_tools.git import read_records, run_git
from selfplay_tools.index.store.commit_index import CommitIndex, stored_span, stored_text
from selfplay_tools.index.store.repository_index import RepositoryIndex, open_repository_index
from selfplay_tools.index.store.tree_reader import UnsupportedTree
from selfplay_tools.protocols import ContentNotes, PathKind, SnapshotEntry, TextIndex
from selfplay_tools.snapshot.base import BaseSnapshot
from selfplay_tools.snapshot.blob_reader import BlobReader
from selfplay_tools.snapshot.inventory import Inventory
from selfplay_tools.text.decoding import FileText
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.paths import display_paths, is_served


class BytesCache:
    """Least recently used contents go first. Safe to use from several threads."""

    def __init__(self, max_bytes: int) -> None:
        """Hold at most `max_bytes`; a content of more than an eighth of that is not kept at all."""
        self._max_bytes = max_bytes
        self._held = 0
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        """The content, or None if it is not held."""
        with self._lock:
            data = self._contents.get(key)
            if data is not None:
                self._contents.move_to_end(key)
            return data

    def put(self, key: str, data: bytes) -> None:
        """Hold a content; a key always stands for the same one."""
        if len(data) > self._max_bytes // 8:
            return
        with self._lock:
            if key not in self._contents:
                self._contents[key] = data
                self._held += len(data)
            while self._held > self._max_bytes:
                self._held -= len(self._contents.popitem(last=False)[1])


MAX_ENTRIES = 2_000_000
"""A tree may name itself over and over: a few objects can stand for billions of paths."""
_CACHE_BYTES = 64 << 20
_CHUNK = 256
"""Contents that are asked for at once."""
_KINDS = {b"120000": PathKind.LINK, b"160000": PathKind.SUBMODULE}
_FULL_ID = re.compile(r"[0-9a-f]{40,64}")


class CommitSnapshot(BaseSnapshot):
    """One commit of a git directory."""

    def __init__(
        self, git_dir: Path, commit: str, *, store: Path | None = None, max_entries: int = MAX_ENTRIES
    ) -> None:
        """List the commit's tree.

        With `store`, a folder for what is stored about the repository's contents, every question is answered from
        there, and what is missing there is added. The answers are the same without.

        Raises NoSuchCommit, and GitFailed for a tree that can't be listed or that has more than `max_entries` files.
        """
        self._git_dir = git_dir.absolute()
        self._commit = _resolve_commit(self._git_dir, commit)
        self.storage_folder = store.absolute() if store else None
        self._repository_index = repository_index = _open_repository_index(self._git_dir, store) if store else None
        self._entries = _list_entries(self._git_dir, self._commit, max_entries, repository_index)
        self._inventory = Inventory(self._entries)
        self._blobs = BlobReader(self._git_dir)
        self._cache = BytesCache(_CACHE_BYTES)
        self._commit_index = (
            _open_commit_index(self._commit, self._entries, repository_index) if repository_index else None
        )

    @property
    def identity(self) -> str:
        """As `Snapshot.identity`."""
        return f"git:{self._commit}"

    @property
    def entries(self) -> Sequence[SnapshotEntry]:
        """As `Snapshot.entries`."""
        return self._entries

    def entry(self, path: str) -> SnapshotEntry | None:
        """As `Snapshot.entry`."""
        at = self._inventory.position_of(path)
        return None if at is None else self._entries[at]

    @property
    def notes(self) -> ContentNotes:
        """As `Snapshot.notes`."""
        return self._repository_index.notes if self._repository_index else super().notes

    @property
    def index(self) -> TextIndex:
        """As `Snapshot.index`."""
        return self._commit_index or super().index

    def text(self, path: str) -> FileText:
        """As `Snapshot.text`."""
        place = self._commit_index.locate_text(path) if self._commit_index else None
        return stored_text(path, *place) if place else super().text(path)

    def text_span(self, path: str) -> TextSpan:
        """As `Snapshot.text_span`."""
        place = self._commit_index.locate_text(path) if self._commit_index else None
        return stored_span(path, *place) if place else super().text_span(path)

    def close(self) -> None:
        """As `Snapshot.close`."""
        super().close()
        self._blobs.close()

    def _size_of(self, path: str) -> int:
        return self._require_entry(path).size

    def _require_entry(self, path: str) -> SnapshotEntry:
        entry = self.entry(path)
        if entry is None:
            raise self._inventory.missing_error(path)
        return entry

    def _read_beginning(self, path: str, max_bytes: int) -> bytes:
        entry = self._require_entry(path)
        cached = self._cache.get(entry.oid)
        if cached is not None:
            return cached[:max_bytes]
        data = self._blobs.read(entry.oid, max_bytes)
        if len(data) == entry.size:
            self._cache.put(entry.oid, data)
        return data

    def _read_contents(self, entries: Sequence[SnapshotEntry]) -> Iterator[bytes | None]:
        for start in range(0, len(entries), _CHUNK):
            oids = [entry.oid for entry in entries[start : start + _CHUNK]]
            held = {oid: data for oid in oids if (data := self._cache.get(oid)) is not None}
            fresh = self._blobs.read_many([oid for oid in oids if oid not in held])
            for oid in oids:
                data = held.get(oid)
                if data is None:
                    data = next(fresh)
                    self._cache.put(oid, data)
                yield data


def _open_repository_index(git_dir: Path, folder: Path) -> RepositoryIndex | None:
    """The index that is kept in a folder; None where no store can be there."""
    try:
        return open_repository_index(git_dir, folder.absolute())
    except OSError:
        return None


def _open_commit_index(commit: str, entries: Sequence[SnapshotEntry], repository_index: RepositoryIndex) -> CommitIndex:
    repository_index.store.commits.note(commit)
    index = repository_index.share_index(commit, lambda: CommitIndex(entries, repository_index))
    index.prepare()
    return index


def _resolve_commit(git_dir: Path, commit: str) -> str:
    """The commit's full id. What is asked for may be any revision that git resolves to a commit."""
    unknown = NoSuchCommit(f"{git_dir} has no commit {commit!r}")
    if not commit or not commit.isprintable():
        raise unknown
    try:
        found = run_git(git_dir, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    except GitFailed as error:
        raise NoSuchCommit(f"{unknown}: {error}") from error
    full = found.decode("ascii", "replace").strip().rpartition("\n")[2]
    if not _FULL_ID.fullmatch(full):
        raise unknown
    return full


def _list_entries(
    git_dir: Path, commit: str, max_entries: int, repository_index: RepositoryIndex | None
) -> tuple[SnapshotEntry, ...]:
    """Every served entry of the commit's tree, sorted by path."""
    if repository_index is not None:
        with suppress(UnsupportedTree):
            return repository_index.trees.read_entries(commit, max_entries)
    return _list_with_git(git_dir, commit, max_entries)


def _list_with_git(git_dir: Path, commit: str, max_entries: int) -> tuple[SnapshotEntry, ...]:
    listed: dict[bytes, list[bytes]] = {}
    with closing(read_records(git_dir, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)) as lines:
        for number, line in enumerate(lines, start=1):
            head, _, raw = line.partition(b"\t")
            if is_served(raw):
                listed.setdefault(raw, head.split())
            if number > max_entries:
                raise GitFailed(f"commit {commit} in {git_dir} has more than {max_entries} files: too many to serve")
    raws = list(_without_shadowed(listed))
    entries = [_parse_entry(path, listed[raw]) for raw, path in zip(raws, display_paths(raws), strict=True)]
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _without_shadowed(raws: dict[bytes, list[bytes]]) -> Iterator[bytes]:
    """Leave out what lies below a file or link: no file system could hold both, only a hand-made tree does."""
    good: set[bytes] = {b""}
    for raw in raws:
        folder = raw.rpartition(b"/")[0]
        if _can_be_folder(folder, raws, good):
            yield raw


def _can_be_folder(folder: bytes, raws: dict[bytes, list[bytes]], good: set[bytes]) -> bool:
    climbed: list[bytes] = []
    while folder not in good:
        if folder in raws:
            return False
        climbed.append(folder)
        folder = folder.rpartition(b"/")[0]
    good.update(climbed)
    return True


def _parse_entry(path: str, head: list[bytes]) -> SnapshotEntry:
    mode, _, oid, size = head
    kind = _KINDS.get(mode, PathKind.FILE)
    if kind is PathKind.SUBMODULE:
        return SnapshotEntry(path, kind, 0, oid.decode("ascii"))
    if not size.isdigit():
        raise GitFailed(f"the repository lacks the content of {path!r}: it is damaged, or a partial clone")
    return SnapshotEntry(path, kind, int(size), oid.decode("ascii"), executable=mode == b"100755")
