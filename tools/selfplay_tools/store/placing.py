"""Where the entries of the commit before are stored, so that another commit looks up only the entries that differ.

Commits of one repository share the objects of entries that are the same in both (see `trees`). They are recognised by
identity, which is quicker by far than looking up their ids again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.snapshot import Entry
from selfplay_tools.store.shelf import MISSING, Shelf


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """The blobs of some entries."""

    shelf: Shelf
    entries: Sequence[Entry]
    """Kept, so that no other object gets the identity of one of them."""
    identities: NDArray[np.int64]
    """Sorted."""
    blobs: NDArray[np.int32]
    """Of the entry of each identity."""

    @classmethod
    def of(cls, shelf: Shelf, entries: Sequence[Entry], blobs: NDArray[np.int32]) -> "Placing":
        """What is known once the blobs of `entries` were found."""
        identities = _identities(entries)
        order = np.argsort(identities)
        return cls(shelf, entries, identities[order], blobs[order])

    def find(self, shelf: Shelf, entries: Sequence[Entry]) -> NDArray[np.int32]:
        """The blob of each entry as far as it is known, else `MISSING`."""
        if not len(self.identities) or not shelf.continues(self.shelf):
            return np.full(len(entries), MISSING, np.int32)
        wanted = _identities(entries)
        at = np.minimum(np.searchsorted(self.identities, wanted), len(self.identities) - 1)
        return np.where(self.identities[at] == wanted, self.blobs[at], np.int32(MISSING))


def _identities(entries: Sequence[Entry]) -> NDArray[np.int64]:
    return np.fromiter(map(id, entries), np.int64, len(entries))
