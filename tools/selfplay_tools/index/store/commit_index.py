"""One commit over a store: implements `TextIndex` by segments, and reads what they do not hold yet from git."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Lock

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.ranking import FieldPair, Ranking, WordField, WordRows
from selfplay_tools.index.scan_index import BaseIndex, Flags, ScanIndex, is_text, scan_texts
from selfplay_tools.index.store.array_file import as_ints
from selfplay_tools.index.store.blob_catalog import MISSING, BlobCatalog, EntryBlobCache
from selfplay_tools.index.store.blob_segment import BlobSegment
from selfplay_tools.index.store.blob_table import parse_oids
from selfplay_tools.index.store.commit_layout import CommitLayout
from selfplay_tools.index.store.repository_index import MAX_BYTES_AT_ONCE, RepositoryIndex
from selfplay_tools.index.store.trigram_signatures import Bits
from selfplay_tools.index.store.word_index import FieldPostings, WordIndex, find_in_parts
from selfplay_tools.protocols import SnapshotEntry
from selfplay_tools.text.decoding import FileText
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.literals import Need

_MANY_OTHERS = 8
"""If less than this part of what is found belongs to other commits, to leave it in is quicker than to leave it out."""


class CommitIndex(BaseIndex):
    """Implements `TextIndex` for the entries of one commit. Safe to use from several threads."""

    def __init__(self, entries: Sequence[SnapshotEntry], repository_index: RepositoryIndex) -> None:
        super().__init__(entries)
        self._repository_index = repository_index
        self._lock = Lock()
        self._layout: CommitLayout | None = None
        self._search_flags: Flags | None = None
        self._counted_ranking: Ranking | None = None
        self._ready: Event | None = None
        """Set when the texts that were missing are stored."""

    def prepare(self) -> None:
        """Store what is missing: now if that is little, else in the background."""
        if self._ready is not None and not self._ready.is_set():
            return  # it is being done
        layout = self._update_layout()
        missing = self._list_missing(layout)
        if missing or not layout.catalog.has_signatures:
            size = sum(entry.size for entry in missing) if layout.catalog.has_signatures else MAX_BYTES_AT_ONCE + 1
            self._ready = self._repository_index.add_soon([entry.oid for entry in missing], size)

    def _list_missing(self, layout: CommitLayout) -> list[SnapshotEntry]:
        """Files that belong in the store and are not there."""
        return [self._files[at] for at in as_ints(np.flatnonzero(layout.blobs == MISSING)) if self._is_small(at)]

    def _update_layout(self) -> CommitLayout:
        """Where the files are stored, as of now."""
        layout = self._layout
        if layout is not None and (layout.is_complete or layout.catalog is self._repository_index.store.catalog):
            return layout
        with self._lock:
            self._layout = layout = self._make_layout(self._repository_index.store.catalog)
        return layout

    def _await_layout(self) -> CommitLayout:
        """The layout once the texts that are being read from git are stored, so that none is read a second time."""
        ready = self._ready
        if ready is not None:
            ready.wait()
            self._ready = None
        return self._update_layout()

    def _make_layout(self, catalog: BlobCatalog) -> CommitLayout:
        blobs = self._repository_index.blob_cache.find(catalog, self._files)
        unknown = [at for at in as_ints(np.flatnonzero(blobs == MISSING)) if self._is_small(at)]
        found = catalog.find(parse_oids([self._files[at].oid for at in unknown]))
        blobs[unknown] = found
        self._repository_index.blob_cache = EntryBlobCache.from_entries(catalog, self._files, blobs)
        return CommitLayout(catalog, self._files, blobs, bool((found != MISSING).all()) and catalog.has_words)

    def _flag_searched(self) -> Flags:
        flags = self._search_flags
        if flags is None:
            layout = self._await_layout()
            flags = layout.blobs != MISSING
            flags[flags] = layout.catalog.encodings[layout.blobs[flags]] >= 0
            missing = [at for at in as_ints(np.flatnonzero(layout.blobs == MISSING)) if self._is_small(at)]
            contents = self._repository_index.read_contents([self._files[at] for at in missing])
            for at, data in zip(missing, contents, strict=True):
                flags[at] = data is not None and is_text(data)
            self._search_flags = flags
        return flags

    def _find_spans(self, need: Need, flags: Flags) -> Iterator[TextSpan]:
        layout = self._await_layout()
        bits = layout.catalog.match_pieces(need)
        is_missing = flags & (layout.blobs == MISSING)
        if not is_missing.any():
            return layout.find_spans(bits, flags, 0, len(flags))
        return self._merge_spans(layout, bits, flags, is_missing, need)

    def _merge_spans(
        self, layout: CommitLayout, bits: Bits | None, flags: Flags, is_missing: Flags, need: Need
    ) -> Iterator[TextSpan]:
        """Of files that are stored and of those that are not, in path order."""
        cuts = [0, *as_ints(np.flatnonzero(is_missing[1:] != is_missing[:-1]) + 1), len(flags)]
        for first, last in pairwise(cuts):
            if is_missing[first]:
                yield from scan_texts(self._files[first:last], need, self._repository_index.read_contents)
            else:
                yield from layout.find_spans(bits, flags, first, last)

    def find_candidates(self, literals: Sequence[str], *, ignore_case: bool) -> Iterator[SnapshotEntry]:
        """As `TextIndex.find_candidates`.

        Literals may stand in different pieces of a file, so each is asked for by itself.
        """
        first, *others = literals or ("",)
        also = [
            {entry.path for entry in super(CommitIndex, self).find_candidates([one], ignore_case=ignore_case)}
            for one in others
        ]
        for entry in super().find_candidates([first], ignore_case=ignore_case):
            if all(entry.path in paths for paths in also):
                yield entry

    def locate_text(self, path: str) -> tuple[BlobSegment, int] | None:
        """Where the text of that path lies; None if it is not stored, or no text."""
        layout = self._update_layout()
        at = self.position_of(path)
        blob = int(layout.blobs[at]) if at is not None else MISSING
        return layout.catalog.locate(blob) if blob != MISSING and layout.catalog.encodings[blob] >= 0 else None

    def _get_ranking(self) -> Ranking:
        ranking = self._counted_ranking
        if ranking is None:
            self._repository_index.add_with_words(
                [entry.oid for at, entry in enumerate(self._files) if self._is_small(at)]
            )
            ranking = self._counted_ranking = self._count_words()
        return ranking

    def _count_words(self) -> Ranking:
        layout = self._update_layout()
        if not layout.is_complete:  # the store can't be written to, or git lacks a content
            return ScanIndex(self._files, self._repository_index.read_contents).get_ranking()
        blobs, rows = np.unique(layout.blobs[self._flag_searched()], return_inverse=True)
        table = np.full(len(layout.catalog.encodings), len(blobs), np.intp)
        table[blobs] = np.arange(len(blobs))
        words = [segment.words for segment in layout.catalog.segments if segment.words is not None]
        # One row more, of no file, stands for what only other commits hold.
        copies = np.bincount(rows, minlength=len(blobs) + 1).astype(np.int32)

        def field(listings: Sequence[FieldPostings]) -> WordField:
            lengths = np.concatenate([np.zeros(0, np.uint32), *(one.lengths for one in listings)])
            return WordField(np.append(lengths[blobs], np.uint32(0)), copies)

        return Ranking(
            texts=FieldPair(
                _CommitWords(words, layout.catalog.bases[: len(words)], table, len(blobs)),
                field([one.first for one in words]),
                field([one.second for one in words]),
            ),
            path=self._repository_index.get_or_make(hash(self._list_searched_paths()), self._make_path_fields),
            rows=rows.astype(np.intp),
        )


@dataclass(frozen=True, slots=True)
class _CommitWords:
    """The words of a commit's texts, out of several segments."""

    words: Sequence[WordIndex]
    bases: NDArray[np.intp]
    """For each segment the number of its first blob."""
    table: NDArray[np.intp]
    """For each blob its row among the commit's."""
    none: int
    """The row of those of other commits."""

    def find_rows(self, words: Sequence[int], /) -> tuple[WordRows, WordRows]:
        """As `WordRowFinder.find_rows`."""
        first, second = find_in_parts(self.words, words, self.bases)
        return self._select_rows(first), self._select_rows(second)

    def _select_rows(self, held: WordRows) -> WordRows:
        """The commit's rows of what blobs hold."""
        rows = self.table.take(held.rows)
        if _MANY_OTHERS * np.count_nonzero(rows == self.none) <= len(rows):
            return WordRows(rows, held.counts, held.stops)
        here = np.flatnonzero(rows != self.none)
        return WordRows(rows.take(here), held.counts.take(here), as_ints(np.searchsorted(here, held.stops)))


def stored_text(path: str, segment: BlobSegment, blob: int) -> FileText:
    """A stored file as `Snapshot.text` gives it."""
    table = segment.table
    lines = tuple(bytes(segment.source_of(blob)).decode("utf-8").split("\n")[:-1])
    lfs_size = int(table.lfs_sizes[blob])
    return FileText(
        path,
        lines,
        int(table.sizes[blob]),
        lfs_size=lfs_size if lfs_size >= 0 else None,
        encoding=segment.encoding_of(blob),
    )


def stored_span(path: str, segment: BlobSegment, blob: int) -> TextSpan:
    """The same as `Snapshot.text_span` gives it."""
    start = int(segment.table.offsets[blob])
    end = start + int(segment.table.lengths[blob])
    return TextSpan(segment.buffer, (path,), (start,), (end,))
