"""All blobs of a store under one numbering: those of the first segment, then of the next, and so on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store.array_file import Array
from selfplay_tools.index.store.blob_segment import BlobSegment
from selfplay_tools.index.store.blob_table import Oids, keys_of
from selfplay_tools.index.store.trigram_signatures import Bits, query_for
from selfplay_tools.protocols import SnapshotEntry
from selfplay_tools.text.literals import Need

MISSING = -1


class BlobCatalog:
    """The segments that a store had at some moment. Never changes."""

    def __init__(self, segments: Sequence[BlobSegment]) -> None:
        self.segments = tuple(segments)
        self.bases = np.cumsum([0, *map(len, self.segments)])
        """The number of each segment's first blob, and one more."""
        self.encodings = _concatenate([one.table.encodings for one in self.segments], np.int8)

    def continues(self, other: "BlobCatalog") -> bool:
        """Whether every blob of `other` has the same number here."""
        names = [segment.name for segment in other.segments]
        return [segment.name for segment in self.segments[: len(names)]] == names

    def find(self, oids: Oids) -> NDArray[np.int32]:
        """The blob of each id, or `MISSING`."""
        blobs = np.full(len(oids), MISSING, np.int32)
        keys = keys_of(oids)
        for base, segment in zip(self.bases.tolist(), self.segments, strict=False):
            found = segment.table.find(oids, keys)
            here = found >= 0
            blobs[here] = found[here] + base
        return blobs

    def find_sizes(self, oids: Oids) -> NDArray[np.int64]:
        """How many bytes git has of each blob; -1 for one that is missing."""
        sizes = _concatenate([one.table.sizes for one in self.segments], np.int64)
        blobs = self.find(oids)
        found = np.full(len(blobs), -1, np.int64)
        found[blobs != MISSING] = sizes[blobs[blobs != MISSING]]
        return found

    def locate(self, blob: int) -> tuple[BlobSegment, int]:
        """The segment of a blob, and its number there."""
        at = int(np.searchsorted(self.bases, blob, side="right")) - 1
        return self.segments[at], blob - int(self.bases[at])

    def segment_numbers_of(self, blobs: NDArray[np.int32]) -> NDArray[np.intp]:
        """For each blob the place of its segment."""
        return np.searchsorted(self.bases, blobs, side="right") - 1

    def match_pieces(self, need: Need) -> Bits | None:
        """At the place of each piece whether it may have a line with what is needed; None if any may.

        The places of a segment's pieces follow those of the segments before, eight for each byte of their flags.
        """
        query = query_for(need)
        if query is None or not any(one.signatures for one in self.segments):
            return None
        each = [
            one.signatures.match_pieces(query) if one.signatures else np.full(one.pieces.size, 255, np.uint8)
            for one in self.segments
        ]
        return np.unpackbits(np.concatenate(each), bitorder="little").view(np.bool_)

    @property
    def has_signatures(self) -> bool:
        """Whether all blobs have signatures."""
        return all(segment.signatures is not None for segment in self.segments)

    @property
    def has_words(self) -> bool:
        """Whether the words of all blobs are counted."""
        return all(segment.words is not None for segment in self.segments)


def _concatenate(arrays: Sequence[Array], kind: type[np.generic]) -> Array:
    return np.concatenate([np.zeros(0, kind), *arrays])


@dataclass(frozen=True, slots=True, eq=False)
class EntryBlobCache:
    """The blobs of some entries."""

    catalog: BlobCatalog
    entries: Sequence[SnapshotEntry]
    """Kept, so that no other object gets the identity of one of them."""
    identities: NDArray[np.int64]
    """Sorted."""
    blobs: NDArray[np.int32]
    """Of the entry of each identity."""

    @classmethod
    def from_entries(
        cls, catalog: BlobCatalog, entries: Sequence[SnapshotEntry], blobs: NDArray[np.int32]
    ) -> "EntryBlobCache":
        """What is known once the blobs of `entries` were found."""
        identities = _identities_of(entries)
        order = np.argsort(identities)
        return cls(catalog, entries, identities[order], blobs[order])

    def find(self, catalog: BlobCatalog, entries: Sequence[SnapshotEntry]) -> NDArray[np.int32]:
        """The blob of each entry as far as it is known, else `MISSING`."""
        if not len(self.identities) or not catalog.continues(self.catalog):
            return np.full(len(entries), MISSING, np.int32)
        wanted = _identities_of(entries)
        at = np.minimum(np.searchsorted(self.identities, wanted), len(self.identities) - 1)
        return np.where(self.identities[at] == wanted, self.blobs[at], np.int32(MISSING))


def _identities_of(entries: Sequence[SnapshotEntry]) -> NDArray[np.int64]:
    return np.fromiter(map(id, entries), np.int64, len(entries))
