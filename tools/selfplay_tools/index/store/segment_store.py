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

from selfplay_tools.index.store.array_file import DamagedFile, as_ints
from selfplay_tools.index.store.blob_catalog import BlobCatalog
from selfplay_tools.index.store.blob_segment import (
    BlobSegment,
    SegmentFiles,
    count_segment_words,
    with_signatures,
    with_words,
    write_segment,
)
from selfplay_tools.index.store.blob_table import BlobRecord, find_missing_oids, parse_oids
from selfplay_tools.index.store.store_files import (
    LOCK_NAME,
    MANIFEST_NAME,
    RecentCommits,
    StoreManifest,
    StoreWriteLock,
    is_store_file,
    read_manifest,
    wait_for_lock,
    write_manifest,
)

SEGMENT_BYTES = 128 << 20
"""Of text in one segment."""
SEGMENT_BLOBS = 1 << 16
MAX_SEGMENTS = 12
"""With more, small ones are put together."""
DEFAULT_MAX_BYTES = 8 << 30
_COUNTING = "counting"
"""The lock of the process that counts words: others may write meanwhile."""
_OPENING_TRIES = 20

FetchBlobs = Callable[[Sequence[bytes]], Iterator[BlobRecord]]
"""The blobs of some ids, in their order; one that can't be had is left out."""


class SegmentStore:
    """The segments in one folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open the store; a folder that is not there yet is made. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._segments: dict[str, BlobSegment] = {}
        self.catalog = BlobCatalog(())
        """The segments known when last looked; the same object until they change."""
        self._seen_manifest: tuple[int, int] | None = None
        self.commits = RecentCommits(folder / "used")
        """The commits that were asked for."""
        self._guard = Lock()
        self.refresh()

    @property
    def segments(self) -> tuple[BlobSegment, ...]:
        """Those known when last looked."""
        return self.catalog.segments

    def refresh(self) -> tuple[BlobSegment, ...]:
        """The segments that there are now."""
        with self._guard:
            for _ in range(_OPENING_TRIES):
                seen = self._stat_manifest()
                if seen == self._seen_manifest:
                    break
                try:
                    self._load_segments(read_manifest(self.folder))
                except FileNotFoundError:  # replaced in between: the manifest is another one by now
                    continue
                self._seen_manifest = seen
                self._update_stamps(read_manifest(self.folder))
            return self.segments

    def _update_stamps(self, manifest: StoreManifest) -> None:
        """Write down that files were read through and found whole, unless someone else writes now."""
        if all(manifest.segments.get(one.name, one.files) == one.files for one in self.segments):
            return
        try:
            with FileLock(self.folder / LOCK_NAME, timeout=0):
                if self._stat_manifest() == self._seen_manifest:
                    self._write_manifest()
        except (Timeout, OSError):
            return

    def _stat_manifest(self) -> tuple[int, int] | None:
        try:
            about = (self.folder / MANIFEST_NAME).stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_ino

    def _load_segments(self, manifest: StoreManifest) -> None:
        opened: dict[str, BlobSegment] = {}
        is_unchanged = self._stat_manifest()
        for name, files in manifest.segments.items():
            known = self._segments.get(name)
            if known is not None and _checksums_of(known.files) == _checksums_of(files):
                opened[name] = known
                continue
            segment = self._load_segment(name, files, is_final=self._stat_manifest() == is_unchanged)
            if segment is not None:
                opened[name] = segment
        self._set_segments(opened)

    def _set_segments(self, segments: dict[str, BlobSegment]) -> None:
        self._segments, self.catalog = segments, BlobCatalog(tuple(segments.values()))

    def _load_segment(self, name: str, files: SegmentFiles, *, is_final: bool) -> BlobSegment | None:
        """The segment; None where it can't be used."""
        try:
            return BlobSegment.load(self.folder, name, files)
        except FileNotFoundError:
            if not is_final:
                raise
        except (DamagedFile, ValueError, OSError):
            pass
        return self._load_segment_without(name, files, {"words"}) or self._load_segment_without(
            name, files, {"words", "grams"}
        )

    def _load_segment_without(self, name: str, files: SegmentFiles, suffixes: AbstractSet[str]) -> BlobSegment | None:
        """The segment without what can be made again from its texts."""
        if not suffixes & files.keys():
            return None
        try:
            rest = {suffix: stamp for suffix, stamp in files.items() if suffix not in suffixes}
            return BlobSegment.load(self.folder, name, rest)
        except (DamagedFile, ValueError, OSError):
            return None

    def find_sizes(self, oids: Sequence[str]) -> dict[str, int]:
        """How many bytes git has of those blobs that are stored."""
        found = self.catalog.find_sizes(parse_oids(oids))
        return {oid: size for oid, size in zip(oids, as_ints(found), strict=True) if size >= 0}

    def find_missing(self, oids: Iterable[bytes]) -> list[bytes]:
        """Those ids, each once, in order, that are not stored."""
        return find_missing_oids(oids, [segment.table for segment in self.segments])

    def add(
        self,
        oids: Sequence[bytes],
        fetch: FetchBlobs,
        *,
        on_progress: Callable[[int, int], None] | None = None,
        on_wait: Callable[[], None] | None = None,
        on_texts_stored: Callable[[], None] | None = None,
    ) -> None:
        """Store the blobs of those ids that are not stored yet; segment after segment becomes visible.

        Their texts come first: `on_progress` gets how many of how many are done, and `on_texts_stored` is called at
        their end. Then come the signatures. `on_wait` is called if another writer has to be waited for. Raises OSError,
        and what `fetch` and `on_wait` raise.
        """
        if not self.find_missing(oids) and self.catalog.has_signatures:
            return
        with self._lock_for_writing(on_wait):
            missing = self.find_missing(oids)
            blobs = fetch(missing)
            done = 0
            while segment := write_segment(self.folder, self._next_name(), self._take_portion(blobs)):
                self._publish(segment)
                done += len(segment)
                if on_progress:
                    on_progress(done, len(missing))
            if on_texts_stored:
                on_texts_stored()
            for segment in self.segments:
                if segment.signatures is None:
                    self._publish(with_signatures(self.folder, segment))
            self._compact()

    def add_words(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Count the words of segments where that was not done yet, until it `is_enough`. Raises OSError."""
        if self.catalog.has_words:
            return
        counting = FileLock(self.folder / _COUNTING)
        wait_for_lock(counting)
        try:
            while (segment := self._find_uncounted()) and not is_enough():
                words = count_segment_words(segment)  # takes seconds, in which others may write
                with self._lock_for_writing():
                    now = self._segments.get(segment.name)
                    if now and now.words is None:
                        self._publish(with_words(self.folder, now, words))
        finally:
            counting.release()

    def _find_uncounted(self) -> BlobSegment | None:
        return next((segment for segment in self.refresh() if segment.words is None), None)

    def _take_portion(self, blobs: Iterator[BlobRecord]) -> Iterator[BlobRecord]:
        size = 0
        for blob in islice(blobs, SEGMENT_BLOBS):
            yield blob
            size += len(blob.text.source) if blob.text else 0
            if size >= self._segment_bytes:
                return

    def _lock_for_writing(self, on_wait: Callable[[], None] | None = None) -> StoreWriteLock:
        return StoreWriteLock(self.folder, self.recover, on_wait)

    def recover(self) -> None:
        """Called with the lock held: look at what there is now, and remove what a killed writer left."""
        self.refresh()
        # Reopened from what is read: damaged segments leave the manifest here.
        kept = StoreManifest(
            {segment.name: segment.files for segment in self.segments}, read_manifest(self.folder).following
        )
        self._remove_leftovers(kept)

    def _next_number(self) -> int:
        """A number that no segment has or had."""
        return max([read_manifest(self.folder).following, *(int(name) + 1 for name in self._segments)])

    def _next_name(self) -> str:
        return f"{self._next_number():06d}"

    def _publish(self, segment: BlobSegment, replaced: frozenset[str] = frozenset()) -> None:
        """Put a segment on the list, in place of others."""
        with self._guard:
            kept = {name: one for name, one in self._segments.items() if name not in replaced}
            self._set_segments({**kept, segment.name: segment})
            self._write_manifest()

    def _write_manifest(self) -> None:
        write_manifest(self.folder, StoreManifest({one.name: one.files for one in self.segments}, self._next_number()))
        self._seen_manifest = self._stat_manifest()

    def _remove_leftovers(self, kept: StoreManifest) -> None:
        """Remove files that belong to no segment."""
        wanted = {f"{name}.{suffix}" for name, files in kept.segments.items() for suffix in files}
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in {*wanted, MANIFEST_NAME, LOCK_NAME} and is_store_file(path):
                path.unlink(missing_ok=True)

    def _compact(self) -> None:
        """Put the smallest segments together while there are too many."""
        while len(self.segments) > MAX_SEGMENTS:
            few = sorted(self.segments, key=lambda one: (len(one.text), one.name))
            chosen: list[BlobSegment] = []
            for segment in few:
                if len(chosen) > 1 and sum(len(one.text) for one in [*chosen, segment]) > self._segment_bytes:
                    break
                chosen.append(segment)
            if len(chosen) < 2 or sum(map(len, chosen)) > SEGMENT_BLOBS:  # noqa: PLR2004  # two make one
                return
            self._merge(chosen, None)

    def _merge(self, chosen: Sequence[BlobSegment], live: frozenset[bytes] | None) -> None:
        """One segment of several, without the blobs that are not `live`."""
        blobs = (blob for one in chosen for blob in one.read_blobs() if live is None or blob.oid in live)
        merged = write_segment(self.folder, self._next_name(), blobs)
        names = frozenset(one.name for one in chosen)
        if merged is None:
            with self._guard:
                self._set_segments({name: one for name, one in self._segments.items() if name not in names})
                self._write_manifest()
        else:
            merged = with_signatures(self.folder, merged)
            if all(one.words for one in chosen):
                merged = with_words(self.folder, merged, count_segment_words(merged))
            self._publish(merged, names)
        self._remove_segment_files(names)

    def _remove_segment_files(self, names: frozenset[str]) -> None:
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
        with self._lock_for_writing():
            live = self._select_live_blobs(blobs_of)
            for segment in self.segments:
                self._merge([segment], live)
            self._compact()

    def _select_live_blobs(self, blobs_of: Callable[[str], Iterable[bytes]]) -> frozenset[bytes]:
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


def _checksums_of(files: SegmentFiles) -> dict[str, tuple[int, int]]:
    return {suffix: (stamp.size, stamp.crc) for suffix, stamp in files.items()}
