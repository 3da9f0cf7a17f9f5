"""All stored vectors of one model: read by any number of processes, grown by one at a time.

What is there never changes; what grows is the number of files. A file's name holds its checksum: one that is damaged
is left out, which makes its blobs unknown, and is removed by the next writer.
"""

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import numpy as np
from filelock import FileLock

from selfplay_tools.index.store.array_file import DamagedFile
from selfplay_tools.semantic import chunks
from selfplay_tools.semantic.chunks import CodeChunk
from selfplay_tools.semantic.embedders import Floats, QuantizedVectors
from selfplay_tools.semantic.vector_index import (
    NAME,
    UNNAMED,
    ChunkedBlob,
    SegmentContent,
    VectorIndex,
    VectorSegment,
    write_segment,
)

LAYOUT = 1
"""Version of the files."""
DEFAULT_MAX_BYTES = 4 << 30
PORTION_TEXTS = 2048
"""Embedded before they are written: what a kill can cost."""
MAX_SEGMENTS = 16
"""With more, small ones are put together."""
SEGMENT_BYTES = 64 << 20
_LOCK = "lock"
_OPENING_TRIES = 20

Embed = Callable[[Sequence[str]], Floats]


class VectorStore:
    """The vectors of one model in one folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, identity: str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """`folder` may hold stores of other models; `identity` names this one."""
        version = f"{LAYOUT}.{chunks.VERSION}.{identity}".encode()
        self.folder = folder / hashlib.sha256(version).hexdigest()[:24]
        self._max_bytes = max_bytes
        self._open: dict[str, VectorSegment] = {}
        self._damaged: set[str] = set()
        self._index = VectorIndex((), 0)
        self._guard = Lock()

    def load_index(self, length: int) -> VectorIndex:
        """The segments that there are now, as far as their vectors have that length."""
        with self._guard:
            opened: dict[str, VectorSegment | None] = {}
            for _ in range(_OPENING_TRIES):
                opened = {name: self._open.get(name) or self._load_segment(name) for name in self._list_names()}
                if set(opened) <= set(self._list_names()):  # else some were put together in between: look again
                    break
            self._open = {name: one for name, one in opened.items() if one}
            segments = tuple(self._open.values())
            if self._index.length != length or self._index.segments != segments:
                self._index = VectorIndex(segments, length)
            return self._index

    def _list_names(self) -> list[str]:
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        return sorted(name for name in names if NAME.fullmatch(name) and name not in self._damaged)

    def _load_segment(self, name: str) -> VectorSegment | None:
        try:
            return VectorSegment.load(self.folder / name)
        except OSError:
            return None
        except (DamagedFile, ValueError, KeyError):
            self._damaged.add(name)
            return None

    def mark_used(self, segments: Iterable[VectorSegment]) -> None:
        """Remember that these segments were of use now. Never fails."""
        for one in segments:
            with suppress(OSError):
                os.utime(one.path)

    def add(
        self,
        cuts: Iterator[ChunkedBlob],
        length: int,
        embed: Embed,
        *,
        needed: Iterable[VectorSegment] = (),
        on_progress: Callable[[int], None] | None = None,
    ) -> int:
        """Embed and keep what is not there yet; portion after portion becomes visible. Returns the number of texts.

        `needed` are segments that must not be dropped for it. `on_progress` gets how many blobs are done. Waits while
        another process or thread adds. Raises OSError, and what `embed` raises.
        """
        with self._lock_for_writing() as since:
            self.mark_used(needed)
            blobs = texts = 0
            for portion in self._split_portions(cuts, length):
                texts += self._embed_and_write(portion, length, embed)
                blobs += len(portion)
                if on_progress:
                    on_progress(blobs)
            self._compact(length)
            self._shrink(since)
            return texts

    @contextmanager
    def _lock_for_writing(self) -> Generator[int]:
        """Hold the lock; the time since when, on the clock of the file system."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self.folder / _LOCK
        with FileLock(lock):
            lock.touch()
            self._remove_leftovers()
            yield lock.stat().st_mtime_ns

    def _remove_leftovers(self) -> None:
        """Remove what a killed writer left, and damaged files."""
        for path in self.folder.glob(f"{UNNAMED}*"):
            path.unlink(missing_ok=True)
        for name in self._damaged:
            (self.folder / name).unlink(missing_ok=True)

    def _split_portions(self, cuts: Iterator[ChunkedBlob], length: int) -> Iterator[list[ChunkedBlob]]:
        portion: list[ChunkedBlob] = []
        size = 0
        there = self.load_index(length).blobs
        for cut in cuts:
            if cut.key in there:  # another process was faster
                continue
            portion.append(cut)
            size += len(cut.chunks)
            if size >= PORTION_TEXTS:
                yield portion
                portion, size = [], 0
                there = self.load_index(length).blobs
        if portion:
            yield portion

    def _embed_and_write(self, cuts: Sequence[ChunkedBlob], length: int, embed: Embed) -> int:
        texts = find_new_texts(self.load_index(length), cuts)
        rows = embed(list(texts.values())) if texts else np.zeros((0, length), np.float32)
        write_segment(
            self.folder,
            self._next_number(),
            SegmentContent.from_blobs(cuts, list(texts), QuantizedVectors.quantize(rows)),
        )
        return len(texts)

    def _next_number(self) -> int:
        matches = (NAME.fullmatch(path.name) for path in self.folder.iterdir())
        numbers = (int(match["number"]) for match in matches if match)
        return max(numbers, default=0) + 1

    def _compact(self, length: int) -> None:
        """Put the smallest segments together while there are too many."""
        while len(segments := self.load_index(length).usable) > MAX_SEGMENTS:
            chosen: list[VectorSegment] = []
            for one in sorted(segments, key=lambda one: (one.size, one.path.name)):
                if sum(other.size for other in [*chosen, one]) > SEGMENT_BYTES:
                    break
                chosen.append(one)
            if len(chosen) < 2:  # noqa: PLR2004  two make one
                return
            write_segment(self.folder, self._next_number(), SegmentContent.merge(one.content for one in chosen))
            for one in chosen:
                one.path.unlink(missing_ok=True)

    def _shrink(self, since: int) -> None:
        """If over the limit, drop the segments that were of no use for longest; none that was of use since then."""
        held = [(path.stat(), path) for path in self.folder.iterdir() if NAME.fullmatch(path.name)]
        size = sum(about.st_size for about, _ in held)
        for about, path in sorted(held, key=lambda one: (one[0].st_mtime_ns, one[1].name)):
            if size <= self._max_bytes or about.st_mtime_ns >= since:
                return
            size -= about.st_size
            path.unlink(missing_ok=True)


def find_new_texts(index: VectorIndex, cuts: Sequence[ChunkedBlob]) -> dict[int, str]:
    """By digest, the texts that have no vector yet, each once."""
    texts: dict[int, CodeChunk] = {chunk.digest: chunk for cut in cuts for chunk in cut.chunks}
    rows = index.rows_of(np.array(list(texts), np.uint64))
    return {digest: texts[digest].text for digest, row in zip(texts, rows.tolist(), strict=True) if row < 0}
