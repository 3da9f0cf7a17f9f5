"""Questions over all of a snapshot's text: what the two kinds of index share, and the one that keeps little."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.globs import matching
from selfplay_tools.literals import Need, all_literals
from selfplay_tools.needles import matcher
from selfplay_tools.path_words import path_fields
from selfplay_tools.ranking import PathFields, Ranking, best
from selfplay_tools.searched import Span
from selfplay_tools.snapshot import Entry, Kind, Place, Ranked
from selfplay_tools.store.cleaning import clean
from selfplay_tools.store.container import ints
from selfplay_tools.store.words import Words
from selfplay_tools.terms import terms_of
from selfplay_tools.text import decode, has_wide_mark, is_binary

MAX_INDEXED_BYTES = 2 << 20
"""Larger files are data rather than code."""
_MAX_PLACES = 64

Contents = Callable[[Sequence[Entry]], Iterator[bytes | None]]
"""Whole contents of small files, in order; None for one that can't be read."""
Flags = NDArray[np.bool_]


class BaseIndex(ABC):
    """Implements `Index` on top of texts in path order, and of words. Safe to use from several threads."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._files = entries
        """Links and submodules too, which no question looks into: a list without them would take as much memory."""
        self._places: dict[tuple[str, str], Place] = {}
        self._searched_at: NDArray[np.intp] | None = None
        self._guard = Lock()

    @abstractmethod
    def _searched(self) -> Flags:
        """For each file whether questions look into it."""

    @abstractmethod
    def _spans(self, need: Need, flags: Flags) -> Iterator[Span]:
        """The texts of the flagged files (all searched) that may meet the need, in path order."""

    @abstractmethod
    def _ranking(self) -> Ranking:
        """The words of all searched files, counted when first asked for."""

    def left_out(self) -> Sequence[Entry]:
        """As `Index.left_out`."""
        return self._files_at(~self._searched())

    def _files_at(self, flags: Flags) -> list[Entry]:
        return [entry for at in ints(np.flatnonzero(flags)) if _is_file(entry := self._files[at])]

    def _is_small(self, at: int) -> bool:
        """Whether that is a file whose text is searched, if it has one."""
        entry = self._files[at]
        return _is_file(entry) and entry.size <= MAX_INDEXED_BYTES

    def within(self, folder: str, glob: str = "") -> Place:
        """As `Index.within`."""
        key = folder, glob
        place = self._places.get(key)
        if place is None:
            place = self._place(folder, glob)
            with self._guard:
                while len(self._places) >= _MAX_PLACES:
                    self._places.pop(next(iter(self._places)))
                self._places[key] = place
        return place

    def _place(self, folder: str, glob: str) -> Place:
        first, last = self._range(folder)
        inside = np.zeros(len(self._files), np.bool_)
        inside[first:last] = True
        if glob:
            paths = [entry.path for entry in self._files[first:last]]
            wanted = frozenset(matching(paths, glob, folder))
            inside[first:last] = [path in wanted for path in paths]
        is_searched = self._searched()
        return Place(Paths(self._files, inside & is_searched), self._files_at(inside & ~is_searched))

    def _range(self, folder: str) -> tuple[int, int]:
        """First and last place, exclusive, of the files below a folder, or of the file of that path."""
        if not folder:
            return 0, len(self._files)
        alone = self.place_of(folder)
        if alone is not None:
            return alone, alone + 1
        first = bisect_left(self._files, f"{folder}/", key=_path)
        return first, bisect_left(self._files, f"{folder}0", first, key=_path)  # "0" is the character after "/"

    def place_of(self, path: str) -> int | None:
        """The place of the file of exactly that path."""
        at = place_of(path, self._files)
        return at if at is not None and _is_file(self._files[at]) else None

    def spans(self, need: Need, place: Place | None = None) -> Iterator[Span]:
        """As `Index.spans`."""
        return self._spans(need, self._flags(place))

    def _flags(self, place: Place | None) -> Flags:
        if place is None:
            return self._searched()
        if not isinstance(place.files, Paths) or place.files.entries is not self._files:
            raise ValueError("this place is one of another snapshot")
        return place.files.flags

    def candidates(self, literals: Sequence[str], *, ignore_case: bool) -> Iterator[Entry]:
        """As `Index.candidates`."""
        need = all_literals(literals, ignore_case=ignore_case)
        for span in self.spans(need):
            for path in span.paths:
                yield self._files[bisect_left(self._files, path, key=_path)]

    def rank(self, words: Sequence[str], limit: int, place: Place | None = None) -> Ranked:
        """As `Index.rank`."""
        terms = terms_of(" ".join(words))
        if not terms:
            return Ranked(0, [])
        places, scores = self._searched_places(), self._ranking().scores(terms)
        flags = self._flags(place)
        if place is not None and len(place.files) < len(places):
            scores *= flags.take(places)
        found = [(self._files[int(places[at])].path, float(scores[at])) for at in best(scores, limit)]
        return Ranked(int(np.count_nonzero(scores > 0)), found)

    def unknown(self, words: Sequence[str]) -> Sequence[str]:
        """As `Index.unknown`."""
        terms = [(word, term) for word in words for term in terms_of(word)]
        held = self._ranking().held([term for _, term in terms])
        known = {word for (word, _), is_held in zip(terms, held, strict=True) if is_held}
        return [word for word in words if word not in known]

    def ranked(self, words: Sequence[str], limit: int) -> Sequence[tuple[str, float]]:
        """As `Index.ranked`."""
        return self.rank(words, limit).best

    def _searched_places(self) -> NDArray[np.intp]:
        if self._searched_at is None:
            self._searched_at = np.flatnonzero(self._searched())
        return self._searched_at

    def _searched_paths(self) -> tuple[str, ...]:
        return tuple(self._files[at].path for at in ints(self._searched_places()))

    def _path_fields(self) -> PathFields:
        return path_fields(self._searched_paths())


class Paths(AbstractSet[str]):
    """Some of the paths of an index."""

    def __init__(self, entries: Sequence[Entry], flags: Flags) -> None:
        """Those of `entries` (sorted by path) whose flag is set."""
        self.entries = entries
        self.flags = flags
        self._count = int(np.count_nonzero(flags))

    def __contains__(self, path: object) -> bool:
        at = place_of(path, self.entries) if isinstance(path, str) else None
        return at is not None and bool(self.flags[at])

    def __iter__(self) -> Iterator[str]:
        return (self.entries[at].path for at in ints(np.flatnonzero(self.flags)))

    def __len__(self) -> int:
        return self._count


def place_of(path: str, entries: Sequence[Entry]) -> int | None:
    """Where the entry of that path stands among those sorted by path."""
    at = bisect_left(entries, path, key=_path)
    return at if at < len(entries) and entries[at].path == path else None


def _path(entry: Entry) -> str:
    return entry.path


def _is_file(entry: Entry) -> bool:
    return entry.kind is Kind.FILE


class ScanIndex(BaseIndex):
    """An index that keeps nothing but words: every other question reads all texts."""

    def __init__(self, entries: Sequence[Entry], contents: Contents) -> None:
        super().__init__(entries)
        self._contents = contents
        self._known: Flags | None = None
        self._counted: Ranking | None = None
        self._counting = Lock()

    def _searched(self) -> Flags:
        """The first call reads every file."""
        if self._known is None:
            small = [at for at in range(len(self._files)) if self._is_small(at)]
            flags = np.zeros(len(self._files), np.bool_)
            for at, data in zip(small, self._contents([self._files[at] for at in small]), strict=True):
                flags[at] = data is not None and is_text(data)
            self._known = flags
        return self._known

    def _spans(self, need: Need, flags: Flags) -> Iterator[Span]:
        entries: list[Entry] = [self._files[at] for at in ints(np.flatnonzero(flags))]
        return scanned(entries, need, self._contents)

    def ranking(self) -> Ranking:
        """The words of all searched files."""
        return self._ranking()

    def _ranking(self) -> Ranking:
        with self._counting:
            if self._counted is None:
                self._counted = self._count()
        return self._counted

    def _count(self) -> Ranking:
        files = [self._files[at] for at in ints(np.flatnonzero(self._searched()))]
        words = Words.of(_sources(self._contents(files)))
        return Ranking(words.fields, self._path_fields(), np.arange(len(files)))


def _sources(contents: Iterator[bytes | None]) -> Iterator[memoryview]:
    for data in contents:
        text = clean(data) if data else None
        yield memoryview(text.source if text else b"")


def scanned(entries: Sequence[Entry], need: Need, contents: Contents) -> Iterator[Span]:
    """The texts of the entries that may meet the need, read now."""
    may_match = matcher(need)
    for entry, data in zip(entries, contents(entries), strict=True):
        text = clean(data) if data else None
        if text and may_match(text.source):
            yield Span(text.source, (entry.path,), (0,), (len(text.source),))


def is_text(data: bytes) -> bool:
    """Whether a whole content has a text to search."""
    return decode(data) is not None if has_wide_mark(data) else not is_binary(data)
