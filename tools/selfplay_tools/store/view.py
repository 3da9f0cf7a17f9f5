"""One commit over a store: answers `Index` from segments, and reads what they do not hold yet from git."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Lock

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index import BaseIndex, Flags, ScanIndex, is_text, scanned
from selfplay_tools.literals import Need
from selfplay_tools.ranking import Field, Fields, Held, Ranking
from selfplay_tools.searched import Span
from selfplay_tools.snapshot import Entry, Text
from selfplay_tools.store.blobs import as_oids
from selfplay_tools.store.container import ints
from selfplay_tools.store.grams import Bits
from selfplay_tools.store.layout import Layout
from selfplay_tools.store.library import MAX_BYTES_AT_ONCE, Library
from selfplay_tools.store.placing import Placing
from selfplay_tools.store.segment import Segment
from selfplay_tools.store.shelf import MISSING, Shelf
from selfplay_tools.store.words import Listing, Words, joined

_MANY_OTHERS = 8
"""If less than this part of what is found belongs to other commits, to leave it in is quicker than to leave it out."""


class StoreIndex(BaseIndex):
    """Implements `Index` for the entries of one commit. Safe to use from several threads."""

    def __init__(self, entries: Sequence[Entry], library: Library) -> None:
        super().__init__(entries)
        self._library = library
        self._lock = Lock()
        self._layout: Layout | None = None
        self._flagged: Flags | None = None
        self._ranked: Ranking | None = None
        self._ready: Event | None = None
        """Set when the texts that were missing are stored."""

    def prepare(self) -> None:
        """Have the library store what is missing: now if that is little, else in the background."""
        if self._ready is not None and not self._ready.is_set():
            return  # it is being done
        layout = self._laid_out()
        missing = self._missing(layout)
        if missing or not layout.shelf.has_grams:
            size = sum(entry.size for entry in missing) if layout.shelf.has_grams else MAX_BYTES_AT_ONCE + 1
            self._ready = self._library.want([entry.oid for entry in missing], size)

    def _missing(self, layout: Layout) -> list[Entry]:
        """Files that belong in the store and are not there."""
        return [self._files[at] for at in ints(np.flatnonzero(layout.blobs == MISSING)) if self._is_small(at)]

    def _laid_out(self) -> Layout:
        """Where things are by now."""
        layout = self._layout
        if layout is not None and (layout.is_complete or layout.shelf is self._library.store.shelf):
            return layout
        with self._lock:
            self._layout = layout = self._find(self._library.store.shelf)
        return layout

    def _read_in(self) -> Layout:
        """Where things are once the texts that are being read from git are there: nobody reads them a second time."""
        ready = self._ready
        if ready is not None:
            ready.wait()
            self._ready = None
        return self._laid_out()

    def _find(self, shelf: Shelf) -> Layout:
        blobs = self._library.placing.find(shelf, self._files)
        unknown = [at for at in ints(np.flatnonzero(blobs == MISSING)) if self._is_small(at)]
        found = shelf.find(as_oids([self._files[at].oid for at in unknown]))
        blobs[unknown] = found
        self._library.placing = Placing.of(shelf, self._files, blobs)
        return Layout(shelf, self._files, blobs, bool((found != MISSING).all()) and shelf.has_words)

    def _searched(self) -> Flags:
        flags = self._flagged
        if flags is None:
            layout = self._read_in()
            flags = layout.blobs != MISSING
            flags[flags] = layout.shelf.encodings[layout.blobs[flags]] >= 0
            missing = [at for at in ints(np.flatnonzero(layout.blobs == MISSING)) if self._is_small(at)]
            contents = self._library.contents([self._files[at] for at in missing])
            for at, data in zip(missing, contents, strict=True):
                flags[at] = data is not None and is_text(data)
            self._flagged = flags
        return flags

    def _spans(self, need: Need, flags: Flags) -> Iterator[Span]:
        layout = self._read_in()
        bits = layout.shelf.holding(need)
        is_missing = flags & (layout.blobs == MISSING)
        if not is_missing.any():
            return layout.spans(bits, flags, 0, len(flags))
        return self._mixed(layout, bits, flags, is_missing, need)

    def _mixed(self, layout: Layout, bits: Bits | None, flags: Flags, is_missing: Flags, need: Need) -> Iterator[Span]:
        """Of files that are stored and of those that are not, in path order."""
        cuts = [0, *ints(np.flatnonzero(is_missing[1:] != is_missing[:-1]) + 1), len(flags)]
        for first, last in pairwise(cuts):
            if is_missing[first]:
                yield from scanned(self._files[first:last], need, self._library.contents)
            else:
                yield from layout.spans(bits, flags, first, last)

    def candidates(self, literals: Sequence[str], *, ignore_case: bool) -> Iterator[Entry]:
        """As `Index.candidates`. Literals may stand in different pieces of a file, so each is asked for by itself."""
        first, *others = literals or ("",)
        also = [
            {entry.path for entry in super(StoreIndex, self).candidates([one], ignore_case=ignore_case)}
            for one in others
        ]
        for entry in super().candidates([first], ignore_case=ignore_case):
            if all(entry.path in paths for paths in also):
                yield entry

    def stored(self, path: str) -> tuple[Segment, int] | None:
        """Where the text of that path lies; None if it is not stored, or no text."""
        layout = self._laid_out()
        at = self.place_of(path)
        blob = int(layout.blobs[at]) if at is not None else MISSING
        return layout.shelf.home(blob) if blob != MISSING and layout.shelf.encodings[blob] >= 0 else None

    def _ranking(self) -> Ranking:
        ranking = self._ranked
        if ranking is None:
            self._library.finish([entry.oid for at, entry in enumerate(self._files) if self._is_small(at)])
            ranking = self._ranked = self._count()
        return ranking

    def _count(self) -> Ranking:
        layout = self._laid_out()
        if not layout.is_complete:  # the store can't be written to, or git lacks a content
            return ScanIndex(self._files, self._library.contents).ranking()
        blobs, rows = np.unique(layout.blobs[self._searched()], return_inverse=True)
        table = np.full(len(layout.shelf.encodings), len(blobs), np.intp)
        table[blobs] = np.arange(len(blobs))
        words = [segment.words for segment in layout.shelf.segments if segment.words is not None]
        # One row more, of no file, stands for what only other commits hold.
        copies = np.bincount(rows, minlength=len(blobs) + 1).astype(np.int32)

        def field(listings: Sequence[Listing]) -> Field:
            lengths = np.concatenate([np.zeros(0, np.uint32), *(one.lengths for one in listings)])
            return Field(np.append(lengths[blobs], np.uint32(0)), copies)

        return Ranking(
            texts=Fields(
                _Words(words, layout.shelf.bases[: len(words)], table, len(blobs)),
                field([one.first for one in words]),
                field([one.second for one in words]),
            ),
            path=self._library.remembered(hash(self._searched_paths()), self._path_fields),
            rows=rows.astype(np.intp),
        )


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of a commit's texts, out of several segments."""

    words: Sequence[Words]
    bases: NDArray[np.intp]
    """For each segment the number of its first blob."""
    table: NDArray[np.intp]
    """For each blob its row among the commit's."""
    none: int
    """The row of those of other commits."""

    def holding(self, words: Sequence[int], /) -> tuple[Held, Held]:
        """As `Holders.holding`."""
        first, second = joined(self.words, words, self.bases)
        return self._among(first), self._among(second)

    def _among(self, held: Held) -> Held:
        """The commit's rows of what blobs hold."""
        rows = self.table.take(held.rows)
        if _MANY_OTHERS * np.count_nonzero(rows == self.none) <= len(rows):
            return Held(rows, held.counts, held.stops)
        here = np.flatnonzero(rows != self.none)
        return Held(rows.take(here), held.counts.take(here), ints(np.searchsorted(here, held.stops)))


def text_from(path: str, segment: Segment, blob: int) -> Text:
    """A stored file as `Snapshot.text` gives it."""
    table = segment.table
    lines = tuple(bytes(segment.source(blob)).decode("utf-8").split("\n")[:-1])
    lfs_size = int(table.lfs_sizes[blob])
    return Text(
        path,
        lines,
        int(table.sizes[blob]),
        lfs_size=lfs_size if lfs_size >= 0 else None,
        encoding=segment.encoding(blob),
    )


def span_from(path: str, segment: Segment, blob: int) -> Span:
    """The same as `Snapshot.source` gives it."""
    start = int(segment.table.offsets[blob])
    end = start + int(segment.table.lengths[blob])
    return Span(segment.buffer, (path,), (start,), (end,))
