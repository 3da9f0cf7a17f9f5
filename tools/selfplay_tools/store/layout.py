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
from selfplay_tools.store.segment import Segment
from selfplay_tools.store.shelf import Shelf

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
    """For each file its blob, or `MISSING`, which is -1."""
    is_complete: bool
    """Whether no file that belongs here is missing, and all words are counted: it need not be looked up again."""

    @cached_property
    def _stops(self) -> NDArray[np.int32]:
        """For each file how many pieces all files before it have, and one more."""
        counts = np.append(_joined([np.diff(one.pieces.first) for one in self.shelf.segments]), np.int32(0))
        return np.append(np.int32(0), np.cumsum(counts.take(self.blobs), dtype=np.int32))  # the last one is `MISSING`

    @cached_property
    def _places(self) -> NDArray[np.int32]:
        """For the pieces of all files, in their order, the places of their flags."""
        pieces = [one.pieces for one in self.shelf.segments]
        before = np.cumsum([0, *(len(one.places) for one in pieces)], dtype=np.int32)
        first = _joined([one.first[:-1] + more for one, more in zip(pieces, before, strict=False)])
        flags = np.cumsum([0, *(8 * one.size for one in pieces)], dtype=np.int32)
        places = _joined([one.places + more for one, more in zip(pieces, flags, strict=False)])
        numbers = np.repeat(np.append(first, np.int32(0)).take(self.blobs) - self._stops[:-1], np.diff(self._stops))
        return places.take(numbers + np.arange(len(numbers), dtype=np.int32))

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
        blobs = self.blobs.take(owners)
        homes = self.shelf.homes(blobs)
        for first, last in pairwise([0, *ints(np.flatnonzero(homes[1:] != homes[:-1]) + 1), len(owners)]):
            home = int(homes[first])
            own = blobs[first:last] - int(self.shelf.bases[home])
            yield from self._in_segment(self.shelf.segments[home], owners[first:last], own, inside[first:last])

    def _in_segment(
        self, segment: Segment, owners: NDArray[np.intp], blobs: NDArray[np.int32], inside: NDArray[np.intp]
    ) -> Iterator[Span]:
        """The same within one segment, by its own numbers of blobs."""
        numbers = segment.pieces.first.take(blobs) + inside
        starts, ends = segment.pieces.starts.take(numbers), segment.pieces.starts.take(numbers + 1)
        is_text = np.append(True, owners[1:] != owners[:-1])  # the first piece of one
        group = np.cumsum(is_text) // _TEXTS
        is_span = np.append(True, (starts[1:] < ends[:-1]) | (group[1:] != group[:-1]))
        is_part = is_span.copy()
        is_part[1:] |= (starts[1:] != ends[:-1]) | (starts[1:] // PART_BYTES != starts[:-1] // PART_BYTES)
        texts, parts = np.flatnonzero(is_text), np.flatnonzero(is_part)
        ranges = list(zip(ints(starts.take(parts)), ints(ends.take(np.append(parts[1:], len(ends)) - 1)), strict=True))
        text_starts = segment.table.offsets.take(blobs.take(texts))
        text_ends = text_starts + segment.table.lengths.take(blobs.take(texts))
        first, last, places = ints(text_starts), ints(text_ends), ints(owners.take(texts))
        text_at, part_at = ints(texts), ints(parts)
        for begin, end in pairwise([*ints(np.flatnonzero(is_span)), len(owners)]):
            one, other = bisect_left(text_at, begin), bisect_left(text_at, end)
            yield Span(
                segment.buffer,
                [self.files[place].path for place in places[one:other]],
                first[one:other],
                last[one:other],
                ranges[bisect_left(part_at, begin) : bisect_left(part_at, end)],
            )


def _joined(arrays: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate([np.zeros(0, np.int32), *arrays])
