"""A repository's store together with its git directory: what is missing is read there, now or in the background."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TypeVar, cast
from weakref import WeakValueDictionary

import numpy as np

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import read_records
from selfplay_tools.index.store.background import InterpreterExiting, start_in_background
from selfplay_tools.index.store.blob_catalog import BlobCatalog, EntryBlobCache
from selfplay_tools.index.store.bulk_reader import read_blobs, read_contents
from selfplay_tools.index.store.segment_store import SegmentStore
from selfplay_tools.index.store.sqlite_notes import SqliteNotes
from selfplay_tools.index.store.tree_reader import TreeReader
from selfplay_tools.protocols import SnapshotEntry

MAX_BYTES_AT_ONCE = 8 << 20
"""Of missing contents that are stored while the caller waits."""
_MAX_SHARED_OBJECTS = 8

T = TypeVar("T")


class _WriterBusy(Exception):
    """Another writer is at work."""


def _refuse_to_wait() -> None:
    raise _WriterBusy


class RepositoryIndex:
    """Safe to use from several threads; processes share the store. Made by `open_repository_index`."""

    def __init__(self, git_dir: Path, store: SegmentStore) -> None:
        self.git_dir = git_dir
        self.store = store
        self.trees = TreeReader(git_dir, store.find_sizes)
        self.notes = SqliteNotes(store.folder / "notes.sqlite")
        self.blob_cache = EntryBlobCache.from_entries(BlobCatalog(()), (), np.zeros(0, np.int32))
        """Of the commit that was looked up last."""
        self._wanted: dict[str, None] = {}
        self._waiting: list[Event] = []
        """To be set when the texts of what is wanted are there."""
        self._is_counting = False
        """Whether the thread counts words, and reads nothing."""
        self._worker: Thread | None = None
        self._guard = Lock()
        self._memory: OrderedDict[Hashable, object] = OrderedDict()
        self._indexes: WeakValueDictionary[str, object] = WeakValueDictionary()
        self.problem: Exception | None = None
        """What ended the last work in the background, if it was not its completion."""

    def read_contents(self, entries: Sequence[SnapshotEntry]) -> Iterator[bytes | None]:
        """The whole content of each, in order; None for one that is not there. Raises GitFailed."""
        if not entries:
            return
        oids = [bytes.fromhex(entry.oid) for entry in entries]
        found = read_contents(self.git_dir, oids)
        try:
            ahead = next(found, None)
            for oid in oids:
                if ahead is not None and ahead[0] == oid:
                    yield ahead[1]
                    ahead = next(found, None)
                else:
                    yield None
        finally:
            found.close()

    def add_soon(self, oids: Sequence[str], size: int) -> Event:
        """Store what is missing among those; if it is more than a little, or others write now, in the background.

        The event is set when their texts are there, or when that will take longer than to read them elsewhere.
        """
        ready = Event()
        if size <= MAX_BYTES_AT_ONCE and self._try_to_add_now(oids):
            ready.set()
            return ready
        with self._guard:
            self._wanted.update(dict.fromkeys(oids))
            if self._is_counting:
                ready.set()  # for some seconds nothing will be read
            self._waiting.append(ready)
            if self._worker is None:
                self._worker = start_in_background(
                    Thread(target=self._run_worker, name=f"indexes {self.git_dir}", daemon=True)
                )
        return ready

    def _try_to_add_now(self, oids: Sequence[str]) -> bool:
        try:
            self.add(oids, on_wait=_refuse_to_wait)
        except _WriterBusy:
            return False
        return True

    def add_with_words(self, oids: Sequence[str], on_progress: Callable[[int, int], None] | None = None) -> None:
        """Store those and count their words, before this returns; where the store can't be written to, nothing."""
        self.add(oids, on_progress)
        try:
            self.store.add_words()
        except OSError as error:
            self.problem = error

    def wait_until_idle(self) -> None:
        """Wait until nothing is done in the background any more."""
        worker = self._worker
        if worker is not None:
            worker.join()

    def add(
        self,
        oids: Sequence[str],
        on_progress: Callable[[int, int], None] | None = None,
        *,
        on_wait: Callable[[], None] | None = None,
        on_texts_stored: Callable[[], None] | None = None,
    ) -> None:
        """Store what is missing among those before this returns; where the store can't be written to, nothing.

        `on_progress`, `on_wait` and `on_texts_stored` are those of `SegmentStore.add`.
        """
        wanted = list(map(bytes.fromhex, oids))
        try:
            self.store.add(
                wanted,
                lambda missing: read_blobs(self.git_dir, missing),
                on_progress=on_progress,
                on_wait=on_wait,
                on_texts_stored=on_texts_stored,
            )
        except (OSError, GitFailed) as error:
            self.problem = error

    def _run_worker(self) -> None:
        for round_number in count():
            with self._guard:
                wanted, self._wanted = list(self._wanted), {}
                events, self._waiting = self._waiting, []
                if not events and round_number:
                    self._worker = None
                    return
            try:
                self._add_batch(wanted, events)
            except InterpreterExiting:
                return

    def _add_batch(self, wanted: Sequence[str], events: Sequence[Event]) -> None:
        def release() -> None:
            for one in events:
                one.set()

        try:
            self.add(wanted, on_wait=release, on_texts_stored=release)
        finally:
            release()
        self._is_counting = True
        try:
            self.store.add_words(lambda: bool(self._waiting))
        except OSError as error:
            self.problem = error
        self._is_counting = False
        self.shrink()

    def shrink(self) -> None:
        """Keep the store within its limit."""
        try:
            self.store.shrink(self._list_blobs)
        except (OSError, GitFailed) as error:
            self.problem = error

    def _list_blobs(self, commit: str) -> Iterator[bytes]:
        try:
            for line in read_records(self.git_dir, "ls-tree", "-r", "-z", "--full-tree", commit):
                _, kind, oid = line.partition(b"\t")[0].split()
                if kind == b"blob":
                    yield bytes.fromhex(oid.decode("ascii"))
        except GitFailed:
            return  # a commit that is not there any more

    def share_index(self, commit: str, make: Callable[[], T]) -> T:
        """The one index of a commit, as long as it is in use, and a while longer."""
        index = self._indexes.get(commit)
        if index is None:
            index = self.get_or_make(("index", commit), make)
            self._indexes[commit] = index
        return cast("T", index)

    def get_or_make(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returned for that key, if that is not long ago; else what it returns now."""
        with self._guard:
            if key in self._memory:
                self._memory.move_to_end(key)
                return cast("T", self._memory[key])
        made = make()
        with self._guard:
            made = cast("T", self._memory.setdefault(key, made))
            while len(self._memory) > _MAX_SHARED_OBJECTS:
                self._memory.popitem(last=False)
        return made


_OPEN: WeakValueDictionary[tuple[Path, Path], RepositoryIndex] = WeakValueDictionary()
_OPENING = Lock()


def open_repository_index(git_dir: Path, folder: Path) -> RepositoryIndex:
    """The one object of this process for that repository and that folder of its store. Raises OSError."""
    with _OPENING:
        repository_index = _OPEN.get((git_dir, folder))
        if repository_index is None:
            repository_index = _OPEN[git_dir, folder] = RepositoryIndex(git_dir, SegmentStore(folder))
        else:
            repository_index.store.refresh()
        return repository_index
