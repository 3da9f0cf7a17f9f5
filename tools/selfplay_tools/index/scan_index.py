"""Questions over all of a snapshot's text: what the two kinds of index share, and the one that keeps little."""

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.path_fields import make_path_fields
from selfplay_tools.index.query_terms import terms_of
from selfplay_tools.index.ranking import PathFields, Ranking, find_best
from selfplay_tools.index.store.array_file import as_ints
from selfplay_tools.index.store.blob_table import normalise
from selfplay_tools.index.store.word_index import WordIndex
from selfplay_tools.protocols import FileSelection, PathKind, RankedFiles, SnapshotEntry
from selfplay_tools.text.decoding import decode, has_wide_mark, is_binary
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.literals import AllOf, AnyOf, LiteralNeed, Need, need_literals
from selfplay_tools.text.paths import match_glob, path_of, position_of, range_below

_ASCII_RUN = re.compile(r"[\x00-\x7f]+")
# The two characters beyond ASCII that a case-insensitive search takes for ASCII letters.
_KELVIN, _LONG_S = "\u212a".encode(), "\u017f".encode()

NeedTest = Callable[[bytes, bytes], bool]
"""Of a text and of the same without regard to case."""


def make_matcher(need: Need) -> Callable[[bytes], bool]:
    """A test of texts in UTF-8: True wherever the need may be met, sometimes where it is not."""
    test = _make_test(need)
    fold = _fold_case if _has_folded(need) else bytes
    return lambda text: test(text, fold(text))


def _make_test(need: Need) -> NeedTest:
    match need:
        case LiteralNeed(text, True):
            runs = [run.lower().encode() for run in _ASCII_RUN.findall(text)]
            return lambda _, folded: all(run in folded for run in runs)
        case LiteralNeed(text):
            wanted = text.encode("utf-8", "replace")
            return lambda exact, _: wanted in exact
        case AllOf(needs):
            each = [_make_test(one) for one in needs]
            return lambda exact, folded: all(test(exact, folded) for test in each)
        case AnyOf(needs):
            some = [_make_test(one) for one in needs]
            return lambda exact, folded: any(test(exact, folded) for test in some)


def _has_folded(need: Need) -> bool:
    return need.is_folded if isinstance(need, LiteralNeed) else any(map(_has_folded, need.needs))


def _fold_case(data: bytes) -> bytes:
    lower = data.lower()
    return lower if lower.isascii() else lower.replace(_KELVIN, b"k").replace(_LONG_S, b"s")


MAX_INDEXED_BYTES = 2 << 20
"""Larger files are data rather than code."""
_MAX_SELECTIONS = 64

Contents = Callable[[Sequence[SnapshotEntry]], Iterator[bytes | None]]
"""Whole contents of small files, in order; None for one that can't be read."""
Flags = NDArray[np.bool_]


class BaseIndex(ABC):
    """Implements `TextIndex` on top of texts in path order, and of words. Safe to use from several threads."""

    def __init__(self, entries: Sequence[SnapshotEntry]) -> None:
        self._files = entries
        """Links and submodules too, which no question looks into: a list without them would take as much memory."""
        self._selections: dict[tuple[str, str], FileSelection] = {}
        self._searched_at: NDArray[np.intp] | None = None
        self._guard = Lock()

    @abstractmethod
    def _flag_searched(self) -> Flags:
        """For each file whether questions look into it."""

    @abstractmethod
    def _find_spans(self, need: Need, flags: Flags) -> Iterator[TextSpan]:
        """The texts of the flagged files (all searched) that may meet the need, in path order."""

    @abstractmethod
    def _get_ranking(self) -> Ranking:
        """The words of all searched files, counted when first asked for."""

    def list_unsearched(self) -> Sequence[SnapshotEntry]:
        """As `TextIndex.list_unsearched`."""
        return self._select_files(~self._flag_searched())

    def _select_files(self, flags: Flags) -> list[SnapshotEntry]:
        return [entry for at in as_ints(np.flatnonzero(flags)) if _is_file(entry := self._files[at])]

    def _is_small(self, at: int) -> bool:
        """Whether that is a file whose text is searched, if it has one."""
        entry = self._files[at]
        return _is_file(entry) and entry.size <= MAX_INDEXED_BYTES

    def select(self, folder: str, glob: str = "") -> FileSelection:
        """As `TextIndex.select`."""
        key = folder, glob
        place = self._selections.get(key)
        if place is None:
            place = self._make_selection(folder, glob)
            with self._guard:
                while len(self._selections) >= _MAX_SELECTIONS:
                    self._selections.pop(next(iter(self._selections)))
                self._selections[key] = place
        return place

    def _make_selection(self, folder: str, glob: str) -> FileSelection:
        first, last = self._find_range(folder)
        inside = np.zeros(len(self._files), np.bool_)
        inside[first:last] = True
        if glob:
            paths = [entry.path for entry in self._files[first:last]]
            wanted = frozenset(match_glob(paths, glob, folder))
            inside[first:last] = [path in wanted for path in paths]
        is_searched = self._flag_searched()
        return FileSelection(
            SelectedPaths(self._files, inside & is_searched), self._select_files(inside & ~is_searched)
        )

    def _find_range(self, folder: str) -> tuple[int, int]:
        """First and last place, exclusive, of the files below a folder, or of the file of that path."""
        if not folder:
            return 0, len(self._files)
        alone = self.position_of(folder)
        if alone is not None:
            return alone, alone + 1
        return range_below(folder, self._files)

    def position_of(self, path: str) -> int | None:
        """The place of the file of exactly that path."""
        at = position_of(path, self._files)
        return at if at is not None and _is_file(self._files[at]) else None

    def find_spans(self, need: Need, selection: FileSelection | None = None) -> Iterator[TextSpan]:
        """As `TextIndex.find_spans`."""
        return self._find_spans(need, self._flags_of(selection))

    def _flags_of(self, selection: FileSelection | None) -> Flags:
        if selection is None:
            return self._flag_searched()
        if not isinstance(selection.files, SelectedPaths) or selection.files.entries is not self._files:
            raise ValueError("this place is one of another snapshot")
        return selection.files.flags

    def find_candidates(self, literals: Sequence[str], *, ignore_case: bool) -> Iterator[SnapshotEntry]:
        """As `TextIndex.find_candidates`."""
        need = need_literals(literals, ignore_case=ignore_case)
        for span in self.find_spans(need):
            for path in span.paths:
                yield self._files[bisect_left(self._files, path, key=path_of)]

    def rank(self, words: Sequence[str], limit: int, selection: FileSelection | None = None) -> RankedFiles:
        """As `TextIndex.rank`."""
        terms = terms_of(" ".join(words))
        if not terms:
            return RankedFiles(0, [])
        places, scores = self._list_searched(), self._get_ranking().score_files(terms)
        flags = self._flags_of(selection)
        if selection is not None and len(selection.files) < len(places):
            scores *= flags.take(places)
        found = [(self._files[int(places[at])].path, float(scores[at])) for at in find_best(scores, limit)]
        return RankedFiles(int(np.count_nonzero(scores > 0)), found)

    def find_unknown(self, words: Sequence[str]) -> Sequence[str]:
        """As `TextIndex.find_unknown`."""
        terms = [(word, term) for word in words for term in terms_of(word)]
        held = self._get_ranking().are_held([term for _, term in terms])
        known = {word for (word, _), is_held in zip(terms, held, strict=True) if is_held}
        return [word for word in words if word not in known]

    def _list_searched(self) -> NDArray[np.intp]:
        if self._searched_at is None:
            self._searched_at = np.flatnonzero(self._flag_searched())
        return self._searched_at

    def _list_searched_paths(self) -> tuple[str, ...]:
        return tuple(self._files[at].path for at in as_ints(self._list_searched()))

    def _make_path_fields(self) -> PathFields:
        return make_path_fields(self._list_searched_paths())


class SelectedPaths(AbstractSet[str]):
    """Some of the paths of an index."""

    def __init__(self, entries: Sequence[SnapshotEntry], flags: Flags) -> None:
        """Those of `entries` (sorted by path) whose flag is set."""
        self.entries = entries
        self.flags = flags
        self._count = int(np.count_nonzero(flags))

    def __contains__(self, path: object) -> bool:
        at = position_of(path, self.entries) if isinstance(path, str) else None
        return at is not None and bool(self.flags[at])

    def __iter__(self) -> Iterator[str]:
        return (self.entries[at].path for at in as_ints(np.flatnonzero(self.flags)))

    def __len__(self) -> int:
        return self._count


def _is_file(entry: SnapshotEntry) -> bool:
    return entry.kind is PathKind.FILE


class ScanIndex(BaseIndex):
    """An index that keeps nothing but words: every other question reads all texts."""

    def __init__(self, entries: Sequence[SnapshotEntry], contents: Contents) -> None:
        super().__init__(entries)
        self._contents = contents
        self._searched_flags: Flags | None = None
        self._counted_ranking: Ranking | None = None
        self._counting = Lock()

    def _flag_searched(self) -> Flags:
        """The first call reads every file."""
        if self._searched_flags is None:
            small = [at for at in range(len(self._files)) if self._is_small(at)]
            flags = np.zeros(len(self._files), np.bool_)
            for at, data in zip(small, self._contents([self._files[at] for at in small]), strict=True):
                flags[at] = data is not None and is_text(data)
            self._searched_flags = flags
        return self._searched_flags

    def _find_spans(self, need: Need, flags: Flags) -> Iterator[TextSpan]:
        entries: list[SnapshotEntry] = [self._files[at] for at in as_ints(np.flatnonzero(flags))]
        return scan_texts(entries, need, self._contents)

    def get_ranking(self) -> Ranking:
        """The words of all searched files."""
        return self._get_ranking()

    def _get_ranking(self) -> Ranking:
        with self._counting:
            if self._counted_ranking is None:
                self._counted_ranking = self._count_words()
        return self._counted_ranking

    def _count_words(self) -> Ranking:
        files = [self._files[at] for at in as_ints(np.flatnonzero(self._flag_searched()))]
        words = WordIndex.from_texts(_read_sources(self._contents(files)))
        return Ranking(words.fields, self._make_path_fields(), np.arange(len(files)))


def _read_sources(contents: Iterator[bytes | None]) -> Iterator[memoryview]:
    for data in contents:
        text = normalise(data) if data else None
        yield memoryview(text.source if text else b"")


def scan_texts(entries: Sequence[SnapshotEntry], need: Need, contents: Contents) -> Iterator[TextSpan]:
    """The texts of the entries that may meet the need, read now."""
    may_match = make_matcher(need)
    for entry, data in zip(entries, contents(entries), strict=True):
        text = normalise(data) if data else None
        if text and may_match(text.source):
            yield TextSpan(text.source, (entry.path,), (0,), (len(text.source),))


def is_text(data: bytes) -> bool:
    """Whether a whole content has a text to search."""
    return decode(data) is not None if has_wide_mark(data) else not is_binary(data)
