"""Chunks and vectors of one model: which blobs are there, and which chunks are nearest to a vector.

The chunks and vectors of some blobs are a segment, one immutable file whose name holds its checksum.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Self

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store.array_file import (
    DamagedFile,
    crc32_of,
    map_file,
    pack_arrays,
    unpack_arrays,
    write_atomically,
)
from selfplay_tools.semantic.chunks import CodeChunk
from selfplay_tools.semantic.embedders import Floats, QuantizedVectors

NAME = re.compile(r"(?P<number>\d{6,})-(?P<crc>[0-9a-f]{8})-[0-9a-f]{8}\.chunks")
"""Number, checksum, and what makes it a name that no file had before: not even one that was damaged."""
UNNAMED = "new.chunks"
"""What a file is called until its checksum is known; it is not read under this name."""


@dataclass(frozen=True, slots=True)
class ChunkedBlob:
    """A blob of a kind, in chunks."""

    key: bytes
    """Of the blob and the kind; without line ends."""
    chunks: Sequence[CodeChunk]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentContent:
    """What a segment holds. Chunks and vectors meet by digest; a chunk's vector may be in another segment."""

    keys: Sequence[bytes]
    offsets: NDArray[np.int64]
    """(blobs + 1): where each blob's chunks begin."""
    lines: NDArray[np.int32]
    """(chunks, 2): first and last line."""
    digests: NDArray[np.uint64]
    """(chunks): of their texts."""
    names: Sequence[bytes]
    """(chunks): of the definitions around them."""
    known: NDArray[np.uint64]
    """(vectors): the digests of their texts."""
    vectors: QuantizedVectors

    @classmethod
    def from_blobs(cls, cuts: Sequence[ChunkedBlob], known: Sequence[int], vectors: QuantizedVectors) -> Self:
        """From blobs, and vectors with the digests of their texts."""
        chunks = [chunk for cut in cuts for chunk in cut.chunks]
        return cls(
            keys=[cut.key for cut in cuts],
            offsets=np.cumsum([0, *(len(cut.chunks) for cut in cuts)], dtype=np.int64),
            lines=np.array([(chunk.first, chunk.last) for chunk in chunks], np.int32).reshape(-1, 2),
            digests=np.array([chunk.digest for chunk in chunks], np.uint64),
            names=[chunk.name.encode() for chunk in chunks],
            known=np.array(known, np.uint64),
            vectors=vectors,
        )

    @classmethod
    def merge(cls, parts: Iterable["SegmentContent"]) -> Self:
        """One of several whose vectors have one length; vectors that are there twice once."""
        several = list(parts)
        known, places = np.unique(np.concatenate([one.known for one in several]), return_index=True)
        counts = np.concatenate([np.diff(one.offsets) for one in several])
        return cls(
            keys=[key for one in several for key in one.keys],
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
            lines=np.concatenate([one.lines for one in several]),
            digests=np.concatenate([one.digests for one in several]),
            names=[name for one in several for name in one.names],
            known=known,
            vectors=QuantizedVectors(
                np.concatenate([one.vectors.steps for one in several])[places],
                np.concatenate([one.vectors.scales for one in several])[places],
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class VectorSegment:
    """A part in its file."""

    path: Path
    size: int
    """Bytes of the file."""
    content: SegmentContent

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read through once and mapped. Raises Damaged, OSError."""
        name = NAME.fullmatch(path.name)
        data = map_file(path)
        if name is None or crc32_of(data) != int(name["crc"], 16):
            raise DamagedFile("its content is not what its name says")
        arrays = unpack_arrays(data)
        return cls(
            path,
            len(data),
            SegmentContent(
                keys=arrays["keys"].tobytes().split(b"\n")[:-1],
                offsets=arrays["offsets"],
                lines=arrays["lines"],
                digests=arrays["digests"],
                names=arrays["names"].tobytes().split(b"\n")[:-1],
                known=arrays["known"],
                vectors=QuantizedVectors(arrays["steps"], arrays["scales"]),
            ),
        )


def write_segment(folder: Path, number: int, content: SegmentContent) -> Path:
    """A file of that number, there whole or not at all. One writer at a time. Raises OSError."""
    pieces = pack_arrays(
        {
            "keys": _join_lines(content.keys),
            "offsets": content.offsets,
            "lines": content.lines,
            "digests": content.digests,
            "names": _join_lines(content.names),
            "known": content.known,
            "steps": content.vectors.steps,
            "scales": content.vectors.scales,
        }
    )
    unnamed = folder / UNNAMED
    crc = write_atomically(unnamed, pieces)
    return unnamed.rename(folder / f"{number:06d}-{crc:08x}-{token_hex(4)}.chunks")


def _join_lines(lines: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(line + b"\n" for line in lines), np.uint8)


BLOCK_ROWS = 1024
"""Vectors that are multiplied at once: as floats they stay in a processor's cache."""
MOST_SPARSE = 0.5
"""Of a block's vectors, if fewer are wanted only these are read."""
MARGIN = 1e-4
"""More than single precision can err in a product of two vectors of length 1."""
DECIMALS = 4
"""Of a score; nearer ones count as equal. A server that computes the same vector twice differs further down."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk stands in its blob."""

    first: int
    last: int
    name: str


class VectorIndex:
    """Segments as they are at one time, as far as their vectors have one length. Safe to use from several threads."""

    def __init__(self, segments: Sequence[VectorSegment], length: int) -> None:
        """Blobs with a chunk whose vector is nowhere count as not there."""
        self.segments = tuple(segments)
        self.length = length
        self.usable = [one for one in segments if one.content.vectors.steps.shape[1] == length]
        """Those whose vectors have that length."""
        self._contents = [one.content for one in self.usable]
        self._vectors = [part.vectors for part in self._contents]
        self._bases = np.cumsum([0, *map(len, self._vectors)], dtype=np.int64)
        """The first row of each segment's vectors."""
        known = np.concatenate([np.zeros(0, np.uint64), *(part.known for part in self._contents)])
        self._order = np.argsort(known, kind="stable")
        self._known = known[self._order]
        self._lines = np.concatenate([np.zeros((0, 2), np.int32), *(part.lines for part in self._contents)])
        digests = np.concatenate([np.zeros(0, np.uint64), *(part.digests for part in self._contents)])
        self._rows = self.rows_of(digests)
        counts = np.concatenate([np.zeros(0, np.int64), *(np.diff(part.offsets) for part in self._contents)])
        self._ends = np.cumsum(counts)
        self._starts = self._ends - counts
        lacking = np.concatenate([np.zeros(1, np.int64), np.cumsum(self._rows < 0)])
        is_whole = lacking[self._ends] == lacking[self._starts]
        keys = (key for part in self._contents for key in part.keys)
        self.blobs = {key: at for at, (key, whole) in enumerate(zip(keys, is_whole.tolist(), strict=True)) if whole}
        """By key, the blobs that are there."""

    def rows_of(self, digests: NDArray[np.uint64]) -> Rows:
        """The vectors of texts; -1 for those that are not there."""
        if not len(self._known):
            return np.full(len(digests), -1, np.int64)
        places = np.minimum(np.searchsorted(self._known, digests), len(self._known) - 1)
        return np.where(self._known[places] == digests, self._order[places], -1)

    @cached_property
    def _names(self) -> Sequence[bytes]:
        return [name for part in self._contents for name in part.names]

    def chunks_of(self, blobs: Sequence[int]) -> tuple[Rows, Rows]:
        """All chunks of the blobs, in order, and beside each the place in `blobs` of its own."""
        which = np.array(blobs, np.int64)
        starts, counts = self._starts[which], self._ends[which] - self._starts[which]
        owners = np.repeat(np.arange(len(which)), counts)
        firsts = np.cumsum(counts) - counts
        return np.arange(len(owners)) - firsts[owners] + starts[owners], owners

    def segments_of(self, blobs: Sequence[int]) -> list[VectorSegment]:
        """Those that hold the blobs, and the vectors of their chunks."""
        chunks, _ = self.chunks_of(blobs)
        ends = np.cumsum([len(part.keys) for part in self._contents])
        homes = np.concatenate(
            [
                np.searchsorted(ends, np.array(blobs, np.int64), side="right"),
                np.searchsorted(self._bases, self._rows[chunks], side="right") - 1,
            ]
        )
        return [self.usable[at] for at in np.unique(homes).tolist()]

    def place_of(self, chunk: int) -> ChunkPlace:
        """Where the chunk stands."""
        first, last = self._lines[chunk].tolist()
        return ChunkPlace(first, last, self._names[chunk].decode("utf-8", "replace"))

    def find_nearest(self, vector: Floats, chunks: Rows, limit: int) -> list[tuple[int, int]]:
        """Places in `chunks` of those nearest to a vector of length 1, and how many of them have each one's text.

        Of chunks with one text the first counts. The nearest first, equally near ones in the order of `chunks`.
        The result depends on these chunks and the vector alone, not on what else is stored, nor on how products are
        summed: whatever may belong to it is computed again, row by row, in double precision.
        """
        if not len(chunks):
            return []
        rows, firsts, copies = np.unique(self._rows[chunks], return_index=True, return_counts=True)
        rough = self._score_rows(rows, vector)
        limit = min(limit, len(rows))
        lowest = np.partition(rough, len(rough) - limit)[len(rough) - limit] - MARGIN - 10.0**-DECIMALS
        close = np.flatnonzero(rough >= lowest)
        scores = np.array([self._score_exactly(int(row), vector) for row in rows[close]])
        order = np.lexsort((firsts[close], -scores))[:limit]
        return [(int(firsts[at]), int(copies[at])) for at in close[order]]

    def _score_rows(self, rows: Rows, vector: Floats) -> Floats:
        """The products of some rows, ascending, with the vector, in single precision."""
        scores = np.empty(len(rows), np.float32)
        for base, vectors in zip(self._bases.tolist(), self._vectors, strict=False):
            for start in range(0, len(vectors), BLOCK_ROWS):
                stop = min(start + BLOCK_ROWS, len(vectors))
                first, last = np.searchsorted(rows, (base + start, base + stop)).tolist()
                if first == last:
                    continue
                inside = rows[first:last] - base
                is_sparse = last - first < MOST_SPARSE * (stop - start)
                steps = vectors.steps[inside] if is_sparse else vectors.steps[start:stop]
                # Not `@`: its threads, of which there are as many as cores, wait for each other on a busy machine,
                # where a product takes sixty times as long. Row by row no thread is started.
                found = np.vecdot(steps.astype(np.float32), vector)
                scores[first:last] = (found if is_sparse else found[inside - start]) * vectors.scales[inside]
        return scores

    def _score_exactly(self, row: int, vector: Floats) -> float:
        segment = int(np.searchsorted(self._bases, row, side="right")) - 1
        vectors, at = self._vectors[segment], row - int(self._bases[segment])
        products = vectors.steps[at].astype(np.float64) * vector.astype(np.float64)
        return round(float(products.sum()) * float(vectors.scales[at]), DECIMALS)
