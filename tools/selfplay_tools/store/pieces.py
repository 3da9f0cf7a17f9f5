"""The pieces that texts are cut into (see `grams`), of several segments under one numbering."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.store.segment import Segment


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Pieces in the order of segments and of texts within them, with one number of no piece after each segment's."""

    starts: NDArray[np.int64]
    """Where each piece begins in its segment's text; it ends where the next number says."""
    places: NDArray[np.int32]
    """Where each piece's flag stands among those of `Shelf.holding`."""
    sizes: Sequence[int]
    """Bytes of the flags of each segment."""
    first: NDArray[np.int32]
    """For each blob the number of its first piece."""
    counts: NDArray[np.int32]
    """For each blob the number of its pieces."""

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> "Pieces":
        """Of all segments; a segment without signatures has whole texts for pieces."""
        starts: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        places: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        first: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        counts: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        sizes: list[int] = []
        for segment in segments:
            offsets, ends = segment.table.offsets, segment.table.offsets + segment.table.lengths
            here = segment.grams.starts if segment.grams else np.unique(np.append(offsets, ends[-1:]))
            own = segment.grams.places if segment.grams else np.arange(len(here) - 1, dtype=np.int32)
            from_here, to_here = np.searchsorted(here, offsets), np.searchsorted(here, ends)
            first.append((from_here + sum(map(len, starts))).astype(np.int32))
            counts.append((to_here - from_here).astype(np.int32))
            places.append(np.append(own + np.int32(8 * sum(sizes)), np.int32(0)))
            sizes.append(segment.grams.size if segment.grams else -(-len(own) // 8))
            starts.append(here)
        joined = np.concatenate
        return cls(joined(starts), joined(places), sizes, joined(first), joined(counts))
