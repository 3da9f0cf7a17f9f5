"""The pieces that a segment's texts are cut into: those that have signatures (see `grams`), or whole texts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.store.blobs import BlobTable
from selfplay_tools.store.grams import TrigramSignatures


@dataclass(frozen=True, slots=True, eq=False)
class TextPieces:
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
    def of_segment(cls, table: BlobTable, signatures: TrigramSignatures | None) -> "TextPieces":
        """Of a segment."""
        bounds = np.append(table.offsets, table.offsets[-1:] + table.lengths[-1:])
        starts = signatures.starts if signatures else np.unique(bounds)
        places = signatures.places if signatures else np.arange(len(starts) - 1, dtype=np.int32)
        size = signatures.size if signatures else -(-len(places) // 8)
        return cls(starts, places, size, np.searchsorted(starts, bounds).astype(np.int32))
