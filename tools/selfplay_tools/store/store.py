"""All segments of a repository: read by any number of processes, grown by one at a time.

What is there never changes; what grows is the list of segments. A reader takes the list as it is and keeps its files
mapped, so it needs no lock, and files that are removed stay readable for it. A writer holds a lock of the file system.
Damaged segments are left out, which makes their blobs unknown: they are read from git again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from selfplay_tools.store import manifest as manifests
from selfplay_tools.store.blobs import Blob, as_oids, missing_among
from selfplay_tools.store.container import Damaged, ints
from selfplay_tools.store.manifest import Manifest
from selfplay_tools.store.segment import Files, Segment, with_grams, with_words, words_of, write
from selfplay_tools.store.shelf import Shelf
from selfplay_tools.store.used import Used
from selfplay_tools.store.writing import LOCK, Writing, is_ours, wait_for

SEGMENT_BYTES = 128 << 20
"""Of text in one segment."""
SEGMENT_BLOBS = 1 << 16
MAX_SEGMENTS = 12
"""With more, small ones are put together."""
DEFAULT_MAX_BYTES = 8 << 30
_COUNTING = "counting"
"""The lock of whoever counts words: others may write meanwhile."""
_OPENING_TRIES = 20

Fetch = Callable[[Sequence[bytes]], Iterator[Blob]]
"""The blobs of some ids, in their order; one that can't be had is left out."""


class Store:
    """The segments in one folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open the store; a folder that is not there yet is made. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._segments: dict[str, Segment] = {}
        self.shelf = Shelf(())
        """The segments known when last looked; the same object until they change."""
        self._seen: tuple[int, int] | None = None
        self.commits = Used(folder / "used")
        """The commits that were asked for."""
        self._guard = Lock()
        self.refresh()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Those known when last looked."""
        return self.shelf.segments

    def refresh(self) -> tuple[Segment, ...]:
        """The segments that there are now."""
        with self._guard:
            for _ in range(_OPENING_TRIES):
                seen = self._stamp()
                if seen == self._seen:
                    break
                try:
                    self._open(manifests.read(self.folder))
                except FileNotFoundError:  # replaced in between: the manifest is another one by now
                    continue
                self._seen = seen
                self._stamp_again(manifests.read(self.folder))
            return self.segments

    def _stamp_again(self, manifest: Manifest) -> None:
        """Write down that files were read through and found whole, unless someone else writes now."""
        if all(manifest.segments.get(one.name, one.files) == one.files for one in self.segments):
            return
        try:
            with FileLock(self.folder / LOCK, timeout=0):
                if self._stamp() == self._seen:
                    self._write()
        except (Timeout, OSError):
            return

    def _stamp(self) -> tuple[int, int] | None:
        try:
            about = (self.folder / manifests.NAME).stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_ino

    def _open(self, manifest: Manifest) -> None:
        opened: dict[str, Segment] = {}
        is_unchanged = self._stamp()
        for name, files in manifest.segments.items():
            known = self._segments.get(name)
            if known is not None and _contents(known.files) == _contents(files):
                opened[name] = known
                continue
            segment = self._opened(name, files, is_final=self._stamp() == is_unchanged)
            if segment is not None:
                opened[name] = segment
        self._list(opened)

    def _list(self, segments: dict[str, Segment]) -> None:
        self._segments, self.shelf = segments, Shelf(tuple(segments.values()))

    def _opened(self, name: str, files: Files, *, is_final: bool) -> Segment | None:
        """The segment; None where it can't be used."""
        try:
            return Segment.opened(self.folder, name, files)
        except FileNotFoundError:
            if not is_final:
                raise
        except (Damaged, ValueError, OSError):
            pass
        return self._without(name, files, {"words"}) or self._without(name, files, {"words", "grams"})

    def _without(self, name: str, files: Files, suffixes: AbstractSet[str]) -> Segment | None:
        """The segment without what can be made again from its texts."""
        if not suffixes & files.keys():
            return None
        try:
            rest = {suffix: stamp for suffix, stamp in files.items() if suffix not in suffixes}
            return Segment.opened(self.folder, name, rest)
        except (Damaged, ValueError, OSError):
            return None

    def sizes(self, oids: Sequence[str]) -> dict[str, int]:
        """How many bytes git has of those blobs that are stored."""
        found = self.shelf.sizes_of(as_oids(oids))
        return {oid: size for oid, size in zip(oids, ints(found), strict=True) if size >= 0}

    def missing(self, oids: Iterable[bytes]) -> list[bytes]:
        """Those ids, each once, in order, that are not stored."""
        return missing_among(oids, [segment.table for segment in self.segments])

    def add(
        self,
        oids: Sequence[bytes],
        fetch: Fetch,
        *,
        told: Callable[[int, int], None] | None = None,
        waits: Callable[[], None] | None = None,
        ready: Callable[[], None] | None = None,
    ) -> None:
        """Store the blobs of those ids that are not stored yet; segment after segment becomes visible.

        Their texts come first: `told` hears how many of how many are done, and `ready` is called at their end. Then
        come the signatures. `waits` is called if another writer has to be waited for. Raises OSError, and what `fetch`
        and `waits` raise.
        """
        if not self.missing(oids) and self.shelf.has_grams:
            return
        with self._locked(waits):
            missing = self.missing(oids)
            blobs = fetch(missing)
            done = 0
            while segment := write(self.folder, self._next_name(), self._portion(blobs)):
                self._publish(segment)
                done += len(segment)
                if told:
                    told(done, len(missing))
            if ready:
                ready()
            for segment in self.segments:
                if segment.grams is None:
                    self._publish(with_grams(self.folder, segment))
            self._compact()

    def add_words(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Count the words of segments where that was not done yet, until it `is_enough`. Raises OSError."""
        if self.shelf.has_words:
            return
        counting = FileLock(self.folder / _COUNTING)
        wait_for(counting)
        try:
            while (segment := self._uncounted()) and not is_enough():
                words = words_of(segment)  # takes seconds, in which others may write
                with self._locked():
                    now = self._segments.get(segment.name)
                    if now and now.words is None:
                        self._publish(with_words(self.folder, now, words))
        finally:
            counting.release()

    def _uncounted(self) -> Segment | None:
        return next((segment for segment in self.refresh() if segment.words is None), None)

    def _portion(self, blobs: Iterator[Blob]) -> Iterator[Blob]:
        size = 0
        for blob in islice(blobs, SEGMENT_BLOBS):
            yield blob
            size += len(blob.clean.source) if blob.clean else 0
            if size >= self._segment_bytes:
                return

    def _locked(self, waits: Callable[[], None] | None = None) -> Writing:
        return Writing(self.folder, self.begin, waits)

    def begin(self) -> None:
        """Called with the lock held: look at what there is now, and remove what a killed writer left."""
        self.refresh()
        # Reopened from what is read: damaged segments leave the manifest here.
        kept = Manifest(
            {segment.name: segment.files for segment in self.segments}, manifests.read(self.folder).following
        )
        self._sweep(kept)

    def _following(self) -> int:
        """A number that no segment has or had."""
        return max([manifests.read(self.folder).following, *(int(name) + 1 for name in self._segments)])

    def _next_name(self) -> str:
        return f"{self._following():06d}"

    def _publish(self, segment: Segment, replaced: frozenset[str] = frozenset()) -> None:
        """Put a segment on the list, in place of others."""
        with self._guard:
            kept = {name: one for name, one in self._segments.items() if name not in replaced}
            self._list({**kept, segment.name: segment})
            self._write()

    def _write(self) -> None:
        manifests.write(self.folder, Manifest({one.name: one.files for one in self.segments}, self._following()))
        self._seen = self._stamp()

    def _sweep(self, kept: Manifest) -> None:
        """Remove files that belong to no segment."""
        wanted = {f"{name}.{suffix}" for name, files in kept.segments.items() for suffix in files}
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in {*wanted, manifests.NAME, LOCK} and is_ours(path):
                path.unlink(missing_ok=True)

    def _compact(self) -> None:
        """Put the smallest segments together while there are too many."""
        while len(self.segments) > MAX_SEGMENTS:
            few = sorted(self.segments, key=lambda one: (len(one.text), one.name))
            chosen: list[Segment] = []
            for segment in few:
                if len(chosen) > 1 and sum(len(one.text) for one in [*chosen, segment]) > self._segment_bytes:
                    break
                chosen.append(segment)
            if len(chosen) < 2 or sum(map(len, chosen)) > SEGMENT_BLOBS:  # noqa: PLR2004  # two make one
                return
            self._merge(chosen, None)

    def _merge(self, chosen: Sequence[Segment], live: frozenset[bytes] | None) -> None:
        """One segment of several, without the blobs that are not `live`."""
        blobs = (blob for one in chosen for blob in one.stored() if live is None or blob.oid in live)
        merged = write(self.folder, self._next_name(), blobs)
        names = frozenset(one.name for one in chosen)
        if merged is None:
            with self._guard:
                self._list({name: one for name, one in self._segments.items() if name not in names})
                self._write()
        else:
            merged = with_grams(self.folder, merged)
            if all(one.words for one in chosen):
                merged = with_words(self.folder, merged, words_of(merged))
            self._publish(merged, names)
        self._remove(names)

    def _remove(self, names: frozenset[str]) -> None:
        for path in self.folder.iterdir():
            if path.name.partition(".")[0] in names:
                path.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(stamp.size for segment in self.segments for stamp in segment.files.values())

    def shrink(self, blobs_of: Callable[[str], Iterable[bytes]]) -> None:
        """If over the limit, drop what only commits hold that were not asked for lately.

        `blobs_of` gives the blobs of a commit. Raises OSError.
        """
        if self.size <= self._max_bytes:
            return
        with self._locked():
            live = self._worth_keeping(blobs_of)
            for segment in self.segments:
                self._merge([segment], live)
            self._compact()

    def _worth_keeping(self, blobs_of: Callable[[str], Iterable[bytes]]) -> frozenset[bytes]:
        """The blobs of the latest commits that together take half of the limit, at least of one."""
        weight: dict[bytes, int] = {}
        share = self.size / max(sum(len(one.text) for one in self.segments), 1)
        for segment in self.segments:
            for oid, length in zip(segment.table.oids, segment.table.lengths.tolist(), strict=True):
                weight[oid.tobytes()] = length
        live: set[bytes] = set()
        total = 0.0
        for number, commit in enumerate(self.commits.latest()):
            fresh = set(blobs_of(commit)) - live
            total += share * sum(weight.get(oid, 0) for oid in fresh)
            if number and total > self._max_bytes / 2:
                self.commits.forget(commit)
                continue
            live |= fresh
        return frozenset(live)


def _contents(files: Files) -> dict[str, tuple[int, int]]:
    return {suffix: (stamp.size, stamp.crc) for suffix, stamp in files.items()}
