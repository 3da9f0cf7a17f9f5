"""Where the contents of a commit's files are stored, and which pieces of them are to be searched."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store.array_file import as_ints
from selfplay_tools.index.store.blob_catalog import BlobCatalog
from selfplay_tools.index.store.blob_segment import BlobSegment, TextPieces
from selfplay_tools.index.store.trigram_signatures import Bits
from selfplay_tools.protocols import SnapshotEntry
from selfplay_tools.text.lines import TextSpan

PART_BYTES = 1 << 20
"""Of texts that are searched at once."""
_TEXTS = 32
"""Of one span: a search that ends does so after a span."""
GROUP_FILES = 1 << 12
"""Whose pieces are known together."""
_FIRST_FILES, _MOST_FILES = 512, 1 << 15
"""Files that are looked up at once: few at first, because a search often ends early."""


@dataclass(frozen=True, eq=False)
class CommitLayout:
    """The blobs of a commit's files."""

    catalog: BlobCatalog
    files: Sequence[SnapshotEntry]
    blobs: NDArray[np.int32]
    """For each file its blob, or `MISSING`, which is -1."""
    is_complete: bool
    """Whether no file that belongs here is missing, and all words are counted: it need not be looked up again."""
    _groups: dict[int, "FileGroup"] = field(default_factory=dict[int, "FileGroup"])
    """By their first files."""

    def _locate_pieces(self, first: int, last: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """For each of some files how many pieces those before it have, and one more; and the places of their flags."""
        stops: list[NDArray[np.int32]] = [np.zeros(1, np.int32)]
        places: list[NDArray[np.int32]] = []
        count = 0
        for start in range(first - first % GROUP_FILES, last, GROUP_FILES):
            group = self.group_from(start)
            some = group.stops[max(first - start, 0) : last - start + 1]
            stops.append(some[1:] - some[0] + count)
            places.append(group.places[some[0] : some[-1]])
            count += len(places[-1])
        return np.concatenate(stops), np.concatenate(places)

    def group_from(self, start: int) -> "FileGroup":
        """The pieces of the files from there on; commits that have the same files there share them."""
        group = self._groups.get(start)
        if group is None:
            blobs = self.blobs[start : start + GROUP_FILES]
            pieces = tuple(
                one.pieces for one in self.catalog.segments[: int(self.catalog.segment_numbers_of(blobs).max()) + 1]
            )
            key = (*map(id, pieces), blake2b(blobs.tobytes(), digest_size=16).digest())
            group = _SHARED.get(key) or FileGroup.from_blobs(
                pieces, blobs, self.catalog.segment_numbers_of(blobs), self.catalog.bases
            )
            self._groups[start] = _SHARED[key] = group
        return group

    def find_spans(self, bits: Bits | None, flags: Bits, first: int, last: int) -> Iterator[TextSpan]:
        """The pieces that `BlobCatalog.match_pieces` left of the flagged files from `first` up to `last`, exclusive."""
        count = _FIRST_FILES
        while first < last:
            until = min(first + count, last)
            yield from self._find_spans_between(bits, flags, first, until)
            first, count = until, min(4 * count, _MOST_FILES)

    def _find_spans_between(self, bits: Bits | None, flags: Bits, first: int, last: int) -> Iterator[TextSpan]:
        """The same for a few files."""
        stops, places = self._locate_pieces(first, last)
        found = np.arange(len(places)) if bits is None else np.flatnonzero(bits.take(places))
        owners = np.searchsorted(stops, found, side="right") - 1
        is_wanted = flags[first:last].take(owners)
        if not is_wanted.all():
            found, owners = found[is_wanted], owners[is_wanted]
        if not len(found):
            return iter(())
        return self._spans_of_pieces(owners + first, found - stops.take(owners))

    def _spans_of_pieces(self, owners: NDArray[np.intp], inside: NDArray[np.intp]) -> Iterator[TextSpan]:
        """Of pieces, by their files and their numbers within them."""
        blobs = self.blobs.take(owners)
        homes = self.catalog.segment_numbers_of(blobs)
        for first, last in pairwise([0, *as_ints(np.flatnonzero(homes[1:] != homes[:-1]) + 1), len(owners)]):
            home = int(homes[first])
            own = blobs[first:last] - int(self.catalog.bases[home])
            yield from self._spans_in_segment(self.catalog.segments[home], owners[first:last], own, inside[first:last])

    def _spans_in_segment(
        self, segment: BlobSegment, owners: NDArray[np.intp], blobs: NDArray[np.int32], inside: NDArray[np.intp]
    ) -> Iterator[TextSpan]:
        """The same within one segment, by its own numbers of blobs."""
        numbers = segment.pieces.first.take(blobs) + inside
        starts, ends = segment.pieces.starts.take(numbers), segment.pieces.starts.take(numbers + 1)
        is_text = np.append(True, owners[1:] != owners[:-1])  # the first piece of one
        group = np.cumsum(is_text) // _TEXTS
        is_span = np.append(True, (starts[1:] < ends[:-1]) | (group[1:] != group[:-1]))
        is_part = is_span.copy()
        is_part[1:] |= (starts[1:] != ends[:-1]) | (starts[1:] // PART_BYTES != starts[:-1] // PART_BYTES)
        texts, parts = np.flatnonzero(is_text), np.flatnonzero(is_part)
        ranges = list(
            zip(as_ints(starts.take(parts)), as_ints(ends.take(np.append(parts[1:], len(ends)) - 1)), strict=True)
        )
        text_starts = segment.table.offsets.take(blobs.take(texts))
        text_ends = text_starts + segment.table.lengths.take(blobs.take(texts))
        first, last, places = as_ints(text_starts), as_ints(text_ends), as_ints(owners.take(texts))
        text_at, part_at = as_ints(texts), as_ints(parts)
        for begin, end in pairwise([*as_ints(np.flatnonzero(is_span)), len(owners)]):
            one, other = bisect_left(text_at, begin), bisect_left(text_at, end)
            yield TextSpan(
                segment.buffer,
                [self.files[place].path for place in places[one:other]],
                first[one:other],
                last[one:other],
                ranges[bisect_left(part_at, begin) : bisect_left(part_at, end)],
            )


@dataclass(frozen=True, eq=False)
class FileGroup:
    """The pieces of some files."""

    pieces: Sequence[TextPieces]
    """Of the segments up to the last one that has any of the files; kept, so that they are what they are known by."""
    stops: NDArray[np.int32]
    """For each file how many pieces the files before it have, and one more."""
    places: NDArray[np.int32]
    """For each piece the place of its flag."""

    @classmethod
    def from_blobs(
        cls, pieces: Sequence[TextPieces], blobs: NDArray[np.int32], homes: NDArray[np.intp], bases: NDArray[np.intp]
    ) -> "FileGroup":
        """Of files whose blobs are in these segments; a blob that is missing has no home (-1) and no pieces."""
        first, counts = np.zeros(len(blobs), np.int32), np.zeros(len(blobs), np.int32)
        for home, one in enumerate(pieces):
            here = np.flatnonzero(homes == home)
            own = blobs.take(here) - bases[home]
            first[here] = one.first.take(own)
            counts[here] = one.first.take(own + 1) - first.take(here)
        stops = np.append(np.int32(0), np.cumsum(counts, dtype=np.int32))
        numbers = np.repeat(first - stops[:-1], counts) + np.arange(stops[-1], dtype=np.int32)
        owners, places = np.repeat(homes, counts), np.zeros(len(numbers), np.int32)
        flags = 0
        for home, one in enumerate(pieces):
            here = np.flatnonzero(owners == home)
            places[here] = one.places.take(numbers.take(here)) + flags
            flags += 8 * one.size
        return cls(pieces, stops, places)


_SHARED: WeakValueDictionary[tuple[int | bytes, ...], FileGroup] = WeakValueDictionary()
"""By the segments' pieces, and a digest of the blobs."""
