"""The pieces that a segment's texts are cut into: those that have signatures (see `grams`), or whole texts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.store.blobs import Table
from selfplay_tools.store.grams import Grams


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Pieces in the order of the texts."""

    starts: NDArray[np.int64]
    """Where each begins in the segment's text, and where the last one ends."""
    places: NDArray[np.int32]
    """Where each one's flag stands among those of `Grams.holding`."""
    size: int
    """Bytes of those flags."""
    first: NDArray[np.int32]
    """For each blob the number of its first piece, and how many there are."""

    @classmethod
    def of(cls, table: Table, grams: Grams | None) -> "Pieces":
        """Of a segment."""
        bounds = np.append(table.offsets, table.offsets[-1:] + table.lengths[-1:])
        starts = grams.starts if grams else np.unique(bounds)
        places = grams.places if grams else np.arange(len(starts) - 1, dtype=np.int32)
        size = grams.size if grams else -(-len(places) // 8)
        return cls(starts, places, size, np.searchsorted(starts, bounds).astype(np.int32))
