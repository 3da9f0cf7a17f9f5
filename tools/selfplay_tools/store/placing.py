"""Where the entries of the commit before are stored, so that another commit looks up only the entries that differ.

Commits of one repository share the objects of entries that are the same in both (see `trees`). They are recognised by
identity, which is quicker by far than looking up their ids again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.snapshot import SnapshotEntry
from selfplay_tools.store.shelf import MISSING, BlobCatalog


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
    def from_entries(cls, catalog: BlobCatalog, entries: Sequence[SnapshotEntry], blobs: NDArray[np.int32]) -> "EntryBlobCache":
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
