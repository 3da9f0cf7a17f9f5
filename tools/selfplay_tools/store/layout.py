"""Where the contents of a commit's files are stored, and which pieces of them are to be searched."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.searched import Span
from selfplay_tools.snapshot import Entry
from selfplay_tools.store.container import ints
from selfplay_tools.store.grams import Bits
from selfplay_tools.store.shelf import MISSING, Shelf

PART_BYTES = 1 << 20
"""Of texts that are searched at once."""
_TEXTS = 32
"""Of one span: a search that ends does so after a span."""
_FIRST_FILES, _MOST_FILES = 512, 1 << 15
"""Files that are looked up at once: few at first, because a search often ends early."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The blobs of a commit's files."""

    shelf: Shelf
    files: Sequence[Entry]
    blobs: NDArray[np.int32]
    """For each file its blob, or `MISSING`."""
    is_complete: bool
    """Whether no file that belongs here is missing, and all words are counted: it need not be looked up again."""

    @cached_property
    def _stops(self) -> NDArray[np.int32]:
        """For each file how many pieces all files before it have, and one more."""
        counts = np.where(self.blobs != MISSING, _taken(self.shelf.pieces.counts, self.blobs), 0)
        return np.append(np.int32(0), np.cumsum(counts, dtype=np.int32))

    @cached_property
    def _places(self) -> NDArray[np.int32]:
        """For the pieces of all files, in their order, the places of their flags."""
        stops = self._stops
        numbers = np.repeat(_taken(self.shelf.pieces.first, self.blobs) - stops[:-1], np.diff(stops))
        return self.shelf.pieces.places.take(numbers + np.arange(stops[-1], dtype=np.int32))

    def spans(self, bits: Bits | None, flags: Bits, first: int, last: int) -> Iterator[Span]:
        """Of the flagged files from `first` up to `last`, exclusive, the pieces that `Shelf.holding` left."""
        count = _FIRST_FILES
        while first < last:
            until = min(first + count, last)
            yield from self._between(bits, flags, first, until)
            first, count = until, min(4 * count, _MOST_FILES)

    def _between(self, bits: Bits | None, flags: Bits, first: int, last: int) -> Iterator[Span]:
        """The same for a few files."""
        stops, begin = self._stops, int(self._stops[first])
        places = self._places[begin : int(stops[last])]
        found = np.arange(len(places)) if bits is None else np.flatnonzero(bits.take(places))
        found += begin
        owners = np.searchsorted(stops, found, side="right") - 1
        is_wanted = flags.take(owners)
        if not is_wanted.all():
            found, owners = found[is_wanted], owners[is_wanted]
        if not len(found):
            return iter(())
        return self._spans(owners, found - stops.take(owners))

    def _spans(self, owners: NDArray[np.intp], inside: NDArray[np.intp]) -> Iterator[Span]:
        """Of pieces, by their files and their numbers within them."""
        shelf = self.shelf
        blobs = self.blobs.take(owners)
        numbers = shelf.pieces.first.take(blobs) + inside
        starts, ends = shelf.pieces.starts.take(numbers), shelf.pieces.starts.take(numbers + 1)
        homes = shelf.homes(blobs)
        is_text = np.append(True, owners[1:] != owners[:-1])  # the first piece of one
        group = np.cumsum(is_text) // _TEXTS
        is_span = np.append(True, (homes[1:] != homes[:-1]) | (starts[1:] < ends[:-1]) | (group[1:] != group[:-1]))
        is_part = is_span.copy()
        is_part[1:] |= (starts[1:] != ends[:-1]) | (starts[1:] // PART_BYTES != starts[:-1] // PART_BYTES)
        parts, texts = np.flatnonzero(is_part), np.flatnonzero(is_text)
        part_ends = ends.take(np.append(parts[1:], len(ends)) - 1)
        ranges = list(zip(ints(starts.take(parts)), ints(part_ends), strict=True))
        text_starts = shelf.starts.take(blobs.take(texts))
        text_ends = text_starts + shelf.lengths.take(blobs.take(texts))
        first, last, places = ints(text_starts), ints(text_ends), ints(owners.take(texts))
        text_at, part_at = ints(texts), ints(parts)
        for begin, end in pairwise([*ints(np.flatnonzero(is_span)), len(owners)]):
            one, other = bisect_left(text_at, begin), bisect_left(text_at, end)
            yield Span(
                shelf.segments[int(homes[begin])].buffer,
                [self.files[place].path for place in places[one:other]],
                first[one:other],
                last[one:other],
                ranges[bisect_left(part_at, begin) : bisect_left(part_at, end)],
            )


def _taken(values: NDArray[np.int32], blobs: NDArray[np.int32]) -> NDArray[np.int32]:
    """The value of each blob, anything for those that are missing."""
    return values.take(blobs, mode="clip") if len(values) else np.zeros(len(blobs), np.int32)
