"""Which of some thousand texts hold a word and how often: their words, and those of the names that they define."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.ranking import FieldPair, WordField, WordRows
from selfplay_tools.index.store.array_file import Array, as_ints
from selfplay_tools.index.store.background import stop_if_exiting
from selfplay_tools.index.store.word_numbers import (
    MAX_BYTES,
    MAX_COUNT,
    Numbers,
    WordCounts,
    count_words,
    cut_words,
    numbers_of,
)
from selfplay_tools.index.words import find_declared_names, word_counts

_NAMES = 256
"""Names that are cut into words at once."""
Texts = NDArray[np.unsignedinteger]
_COUNT_BITS, _TEXT_BITS = np.uint64(8), np.uint64(24)


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The texts of every word."""

    numbers: Numbers
    """Of the words (see `word_numbers`), sorted."""
    starts: NDArray[np.uint32]
    """Where a word's texts begin in `texts`; one more at the end."""
    texts: Texts
    counts: NDArray[np.uint8]
    lengths: NDArray[np.uint32]
    """For each text how many words it has."""

    @classmethod
    def from_counts(cls, counted: Sequence[WordCounts]) -> "Postings":
        """The postings of texts 0, 1, ...; fewer than 2^24."""
        sizes = [len(counts.numbers) for counts in counted]
        lengths = np.array([counts.length for counts in counted], np.uint32)
        kind = np.uint16 if len(counted) <= 1 << 16 else np.uint32
        if not sum(sizes):
            starts = np.zeros(1, np.uint32)
            return cls(np.zeros(0, np.uint64), starts, np.zeros(0, kind), np.zeros(0, np.uint8), lengths)
        numbers = np.concatenate([counts.numbers for counts in counted])
        order = np.argsort(numbers)
        numbers = numbers[order]
        is_first = mark_changes(numbers)
        # One number holds word, text and count, so that one sort puts all in order.
        packed = np.repeat(np.arange(len(counted), dtype=np.uint64), sizes) << _COUNT_BITS
        packed |= np.concatenate([counts.counts for counts in counted])
        packed = packed[order]
        del order
        packed |= (np.cumsum(is_first, dtype=np.uint64) - np.uint64(1)) << (_COUNT_BITS + _TEXT_BITS)
        packed.sort()
        starts = np.append(np.flatnonzero(is_first), len(packed)).astype(np.uint32)
        texts = ((packed >> _COUNT_BITS) & np.uint64((1 << 24) - 1)).astype(kind)
        return cls(numbers[is_first], starts, texts, packed.astype(np.uint8), lengths)

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "Postings":
        """The postings of many short texts, such as paths; fewer than 2^24."""
        numbers, rows = _list_words(names)
        lengths = np.bincount(rows.astype(np.intp), minlength=len(names)).astype(np.uint32)
        if not len(numbers):
            return cls(numbers, np.zeros(1, np.uint32), np.zeros(0, np.uint32), np.zeros(0, np.uint8), lengths)
        order = np.argsort(numbers)
        numbers = numbers[order]
        is_first = mark_changes(numbers)
        packed = rows[order] | ((np.cumsum(is_first, dtype=np.uint64) - np.uint64(1)) << _TEXT_BITS)
        packed.sort()
        is_new = mark_changes(packed)
        places = np.flatnonzero(is_new)
        counts = np.minimum(np.diff(np.append(places, len(packed))), MAX_COUNT).astype(np.uint8)
        packed = packed[places]
        words = (packed >> _TEXT_BITS).astype(np.intp)
        starts = np.append(np.flatnonzero(mark_changes(words)), len(packed)).astype(np.uint32)
        texts = (packed & np.uint64((1 << 24) - 1)).astype(np.uint32)
        return cls(numbers[is_first], starts, texts, counts, lengths)


def mark_changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a value differs from the one before; True at the first."""
    changes = np.empty(len(values), np.bool_)
    changes[:1] = True
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


def _list_words(names: Sequence[str]) -> tuple[Numbers, NDArray[np.uint64]]:
    """Every word of every name, with the name's number."""
    numbers: list[Numbers] = [np.zeros(0, np.uint64)]
    rows: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
    for number, name in enumerate(names):
        if not _is_plain(name):
            words = tuple(word_counts(name).elements())
            numbers.append(numbers_of(words))
            rows.append(np.full(len(words), number, np.uint64))
    for start in range(0, len(names), _NAMES):
        plain = [name.encode() if _is_plain(name) else b"" for name in names[start : start + _NAMES]]
        found = cut_words(np.frombuffer(b"\n".join(plain) + b"\n", np.uint8))
        stops = np.cumsum([len(name) + 1 for name in plain])
        for places, words in ((found.whole_places, found.wholes), (found.part_places, found.parts)):
            numbers.append(words)
            rows.append((np.searchsorted(stops, places, side="right") + start).astype(np.uint64))
    return np.concatenate(numbers), np.concatenate(rows)


def _is_plain(name: str) -> bool:
    return name.isascii() and len(name) <= MAX_BYTES // _NAMES - 1 and "\n" not in name


_WORDS_PER_FENCE = 4
"""Words between two fences, about: they lie in a line or two of the processor's cache."""
_MOST_BITS = 32


@dataclass(frozen=True, slots=True, eq=False)
class WordLexicon:
    """The words of some thousand texts."""

    numbers: Numbers
    """Of the words (see `tokens`), sorted, each once. They are spread evenly over 64 bits."""
    fences: NDArray[np.uint32]
    """How many numbers are below each multiple of 2^64 / (how many fences)."""
    widest: NDArray[np.uint32]
    """(1,): the most numbers between two fences."""

    @classmethod
    def from_lists(cls, *lists: Numbers) -> "WordLexicon":
        """Of the words of several sorted lists."""
        numbers = np.concatenate(lists)
        numbers.sort(kind="stable")  # lists that are in order by themselves are only put together
        numbers = numbers[mark_changes(numbers)]
        bits = min(max((len(numbers) // _WORDS_PER_FENCE).bit_length(), 1), _MOST_BITS)
        between = np.bincount((numbers >> np.uint64(64 - bits)).astype(np.intp), minlength=1 << bits)
        fences = np.cumsum(between) - between
        return cls(numbers, fences.astype(np.uint32), between.max(keepdims=True).astype(np.uint32))

    def __len__(self) -> int:
        return len(self.numbers)

    def find(self, words: Numbers) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which of the words are here, by their places in `words`, and the place of each of these."""
        if not len(self.numbers):
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        bits = len(self.fences).bit_length() - 1
        first = self.fences.take((words >> np.uint64(64 - bits)).astype(np.intp))
        widest = int(self.widest[0])
        near = np.minimum(first, len(self.numbers) - widest).astype(np.intp)[:, None] + np.arange(widest)
        which, column = np.nonzero(self.numbers.take(near) == words[:, None])
        return which, near[which, column]


_TOGETHER = 256
"""Texts whose words are counted at once."""


@dataclass(frozen=True, slots=True, eq=False)
class FieldPostings:
    """The texts of every word of a lexicon, for one field."""

    starts: NDArray[np.uint32]
    """Where a word's texts begin in `texts`; one more at the end."""
    texts: Texts
    """Of each word, in order."""
    counts: NDArray[np.uint8]
    lengths: NDArray[np.uint32]
    """For each text how many words it has."""

    @classmethod
    def from_postings(cls, postings: Postings, lexicon: WordLexicon) -> "FieldPostings":
        """The same for a lexicon that has all words of the postings."""
        sizes = np.zeros(len(lexicon) + 1, np.uint32)
        sizes[1 + np.searchsorted(lexicon.numbers, postings.numbers)] = np.diff(postings.starts)
        starts = np.cumsum(sizes, dtype=np.uint32)
        return cls(starts, postings.texts, postings.counts, postings.lengths)


@dataclass(frozen=True, slots=True, eq=False)
class WordIndex:
    """The words of texts 0, 1, ... in two fields: in the text and in what it defines; or in a path's name and folder.

    One look finds a word in both.
    """

    lexicon: WordLexicon
    first: FieldPostings
    second: FieldPostings

    @classmethod
    def from_texts(cls, texts: Iterable[memoryview]) -> "WordIndex":
        """Count the words of texts in UTF-8; fewer than 2^24."""
        words: list[WordCounts] = []
        defined: list[WordCounts] = []
        left = iter(texts)
        while some := list(islice(left, _TOGETHER)):
            stop_if_exiting()
            words += count_words(some)
            defined += count_words([memoryview(b"\n".join(find_declared_names(bytes(text)))) for text in some])
        return cls.from_fields(Postings.from_counts(words), Postings.from_counts(defined))

    @classmethod
    def from_fields(cls, first: Postings, second: Postings) -> "WordIndex":
        """Of two fields of the same texts."""
        lexicon = WordLexicon.from_lists(first.numbers, second.numbers)
        return cls(lexicon, FieldPostings.from_postings(first, lexicon), FieldPostings.from_postings(second, lexicon))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "WordIndex":
        """What `packed` gave."""
        first, second = (
            [arrays[f"{field}.{name}"] for name in FieldPostings.__slots__] for field in ("first", "second")
        )
        lexicon = WordLexicon(*(arrays[name] for name in WordLexicon.__slots__))
        return cls(lexicon, FieldPostings(*first), FieldPostings(*second))

    def to_arrays(self) -> dict[str, Array]:
        """The arrays, by names for a container."""
        arrays: dict[str, Array] = {name: getattr(self.lexicon, name) for name in WordLexicon.__slots__}
        for field, listing in (("first", self.first), ("second", self.second)):
            arrays |= {f"{field}.{name}": getattr(listing, name) for name in FieldPostings.__slots__}
        return arrays

    def find_rows(self, words: Sequence[int], /) -> tuple[WordRows, WordRows]:
        """As `WordRowFinder.find_rows`; the rows are the texts."""
        return find_in_parts([self], words, np.zeros(1, np.intp))

    @property
    def fields(self) -> FieldPair:
        """To be ranked by, each text once."""
        return FieldPair(self, WordField(self.first.lengths), WordField(self.second.lengths))


def find_in_parts(
    parts: Sequence[WordIndex], words: Sequence[int], bases: NDArray[np.intp]
) -> tuple[WordRows, WordRows]:
    """The texts that hold each of the words, in both fields; those of each part are numbered from its base."""
    keys = np.array(words, np.uint64)
    found = [part.lexicon.find(keys) for part in parts]
    return (
        _collect_rows([part.first for part in parts], found, len(words), bases),
        _collect_rows([part.second for part in parts], found, len(words), bases),
    )


def _collect_rows(
    parts: Sequence[FieldPostings], found: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], words: int, bases: Array
) -> WordRows:
    starts, stops = np.zeros((2, words, len(parts)), np.intp)
    for number, (part, (which, at)) in enumerate(zip(parts, found, strict=True)):
        starts[which, number] = part.starts[at]
        stops[which, number] = part.starts[at + 1]
    sizes = stops - starts
    word, number = np.nonzero(sizes)
    first, last = as_ints(starts[word, number]), as_ints(stops[word, number])
    spans = list(zip(as_ints(number), first, last, strict=True))
    none = parts[0].texts[:0] if parts else np.zeros(0, np.uint16)
    rows = np.concatenate([none, *(parts[one].texts[start:stop] for one, start, stop in spans)], dtype=np.intp)
    counts = np.concatenate([np.zeros(0, np.uint8), *(parts[one].counts[start:stop] for one, start, stop in spans)])
    rows += np.repeat(bases[number], sizes[word, number])
    return WordRows(rows, counts, [0, *as_ints(np.cumsum(sizes.sum(axis=1)))])
