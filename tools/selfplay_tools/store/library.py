"""A repository's store together with its git directory: what is missing is read there, now or in the background."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, TypeVar, cast
from weakref import WeakValueDictionary

import numpy as np

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import records
from selfplay_tools.snapshot import Entry
from selfplay_tools.store import ingest
from selfplay_tools.store.leaving import Leaving, started
from selfplay_tools.store.notes import Notes
from selfplay_tools.store.placing import Placing
from selfplay_tools.store.shelf import Shelf
from selfplay_tools.store.store import Store
from selfplay_tools.store.trees import Trees

if TYPE_CHECKING:
    from selfplay_tools.store.view import StoreIndex

MAX_BYTES_AT_ONCE = 8 << 20
"""Of missing contents that are stored while the caller waits."""
_REMEMBERED = 8

T = TypeVar("T")


class _WouldWait(Exception):
    """Another writer is at work."""


def _refuse() -> None:
    raise _WouldWait


class Library:
    """Safe to use from several threads; processes share the store. Get one by `library_at`."""

    def __init__(self, git_dir: Path, store: Store) -> None:
        self.git_dir = git_dir
        self.store = store
        self.trees = Trees(git_dir, store.sizes)
        self.notes = Notes(store.folder / "notes.sqlite")
        self.placing = Placing.of(Shelf(()), (), np.zeros(0, np.int32))
        """Of the commit that was looked up last."""
        self._wanted: dict[str, None] = {}
        self._ready: list[Event] = []
        """To be set when the texts of what is wanted are there."""
        self._is_counting = False
        """Whether the thread counts words, and reads nothing."""
        self._working: Thread | None = None
        self._guard = Lock()
        self._memory: OrderedDict[Hashable, object] = OrderedDict()
        self._indexes: WeakValueDictionary[str, StoreIndex] = WeakValueDictionary()
        self.problem: Exception | None = None
        """What ended the last work in the background, if it was not its completion."""

    def contents(self, entries: Sequence[Entry]) -> Iterator[bytes | None]:
        """The whole content of each, in order; None for one that is not there. Raises GitFailed."""
        if not entries:
            return
        oids = [bytes.fromhex(entry.oid) for entry in entries]
        found = ingest.contents(self.git_dir, oids)
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

    def want(self, oids: Sequence[str], size: int) -> Event:
        """Store what is missing among those; if it is more than a little, or others write now, in the background.

        The event is set when their texts are there, or when that will take longer than to read them elsewhere.
        """
        ready = Event()
        if size <= MAX_BYTES_AT_ONCE and self._added_at_once(oids):
            ready.set()
            return ready
        with self._guard:
            self._wanted.update(dict.fromkeys(oids))
            if self._is_counting:
                ready.set()  # for some seconds nothing will be read
            self._ready.append(ready)
            if self._working is None:
                self._working = started(Thread(target=self._work, name=f"indexes {self.git_dir}", daemon=True))
        return ready

    def _added_at_once(self, oids: Sequence[str]) -> bool:
        try:
            self.add(oids, waits=_refuse)
        except _WouldWait:
            return False
        return True

    def finish(self, oids: Sequence[str], told: Callable[[int, int], None] | None = None) -> None:
        """Store those and count their words, before this returns; where the store can't be written to, nothing."""
        self.add(oids, told)
        try:
            self.store.add_words()
        except OSError as error:
            self.problem = error

    def settle(self) -> None:
        """Wait until nothing is done in the background any more."""
        working = self._working
        if working is not None:
            working.join()

    def add(
        self,
        oids: Sequence[str],
        told: Callable[[int, int], None] | None = None,
        *,
        waits: Callable[[], None] | None = None,
        ready: Callable[[], None] | None = None,
    ) -> None:
        """Store what is missing among those before this returns; where the store can't be written to, nothing.

        `told`, `waits` and `ready` are those of `Store.add`.
        """
        wanted = list(map(bytes.fromhex, oids))
        try:
            self.store.add(
                wanted, lambda missing: ingest.blobs(self.git_dir, missing), told=told, waits=waits, ready=ready
            )
        except (OSError, GitFailed) as error:
            self.problem = error

    def _work(self) -> None:
        for round_number in count():
            with self._guard:
                wanted, self._wanted = list(self._wanted), {}
                waiting, self._ready = self._ready, []
                if not waiting and round_number:
                    self._working = None
                    return
            try:
                self._work_on(wanted, waiting)
            except Leaving:
                return

    def _work_on(self, wanted: Sequence[str], waiting: Sequence[Event]) -> None:
        def release() -> None:
            for one in waiting:
                one.set()

        try:
            self.add(wanted, waits=release, ready=release)
        finally:
            release()
        self._is_counting = True
        try:
            self.store.add_words(lambda: bool(self._ready))
        except OSError as error:
            self.problem = error
        self._is_counting = False
        self.shrink()

    def shrink(self) -> None:
        """Keep the store within its limit."""
        try:
            self.store.shrink(self._blobs_of)
        except (OSError, GitFailed) as error:
            self.problem = error

    def _blobs_of(self, commit: str) -> Iterator[bytes]:
        try:
            for line in records(self.git_dir, "ls-tree", "-r", "-z", "--full-tree", commit):
                _, kind, oid = line.partition(b"\t")[0].split()
                if kind == b"blob":
                    yield bytes.fromhex(oid.decode("ascii"))
        except GitFailed:
            return  # a commit that is not there any more

    def index(self, commit: str, make: "Callable[[], StoreIndex]") -> "StoreIndex":
        """The one index of a commit, as long as anyone has it, and a while longer."""
        index = self._indexes.get(commit)
        if index is None:
            index = self.remembered(("index", commit), make)
            self._indexes[commit] = index
        return index

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gave for that key, lately."""
        with self._guard:
            if key in self._memory:
                self._memory.move_to_end(key)
                return cast("T", self._memory[key])
        made = make()
        with self._guard:
            made = cast("T", self._memory.setdefault(key, made))
            while len(self._memory) > _REMEMBERED:
                self._memory.popitem(last=False)
        return made


_OPEN: WeakValueDictionary[tuple[Path, Path], Library] = WeakValueDictionary()
_OPENING = Lock()


def library_at(git_dir: Path, folder: Path) -> Library:
    """The one library of this process for that repository and that folder of its store. Raises OSError."""
    with _OPENING:
        library = _OPEN.get((git_dir, folder))
        if library is None:
            library = _OPEN[git_dir, folder] = Library(git_dir, Store(folder))
        else:
            library.store.refresh()
        return library
