"""Chunks and vectors of some blobs as one immutable file; its name tells its checksum."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Self

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.semantic.chunks import Chunk
from selfplay_tools.semantic.embedding import Vectors
from selfplay_tools.store.container import Damaged, checksum, mapped, pack, save, unpack

NAME = re.compile(r"(?P<number>\d{6,})-(?P<crc>[0-9a-f]{8})-[0-9a-f]{8}\.chunks")
"""Number, checksum, and what makes it a name that no file had before: not even one that was damaged."""
UNNAMED = "new.chunks"
"""What a file is called until its checksum is known; it is not read under this name."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A blob of a kind, in chunks."""

    key: bytes
    """Of the blob and the kind; without line ends."""
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
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
    vectors: Vectors

    @classmethod
    def of(cls, cuts: Sequence[Cut], known: Sequence[int], vectors: Vectors) -> Self:
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
    def joined(cls, parts: Iterable["Part"]) -> Self:
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
            vectors=Vectors(
                np.concatenate([one.vectors.steps for one in several])[places],
                np.concatenate([one.vectors.scales for one in several])[places],
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A part in its file."""

    path: Path
    size: int
    """Bytes of the file."""
    part: Part

    @classmethod
    def opened(cls, path: Path) -> Self:
        """Read through once and mapped. Raises Damaged, OSError."""
        name = NAME.fullmatch(path.name)
        data = mapped(path)
        if name is None or checksum(data) != int(name["crc"], 16):
            raise Damaged("its content is not what its name says")
        arrays = unpack(data)
        return cls(
            path,
            len(data),
            Part(
                keys=arrays["keys"].tobytes().split(b"\n")[:-1],
                offsets=arrays["offsets"],
                lines=arrays["lines"],
                digests=arrays["digests"],
                names=arrays["names"].tobytes().split(b"\n")[:-1],
                known=arrays["known"],
                vectors=Vectors(arrays["steps"], arrays["scales"]),
            ),
        )


def write(folder: Path, number: int, part: Part) -> Path:
    """A file of that number, there whole or not at all. One writer at a time. Raises OSError."""
    pieces = pack(
        {
            "keys": _joined(part.keys),
            "offsets": part.offsets,
            "lines": part.lines,
            "digests": part.digests,
            "names": _joined(part.names),
            "known": part.known,
            "steps": part.vectors.steps,
            "scales": part.vectors.scales,
        }
    )
    unnamed = folder / UNNAMED
    crc = save(unnamed, pieces)
    return unnamed.rename(folder / f"{number:06d}-{crc:08x}-{token_hex(4)}.chunks")


def _joined(lines: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(line + b"\n" for line in lines), np.uint8)
