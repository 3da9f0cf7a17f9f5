"""Chunks and vectors of some blobs as one immutable file; its name tells its checksum."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from selfplay_tools.semantic.embedding import QuantizedVectors

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
