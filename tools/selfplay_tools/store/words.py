"""What ranking must know of each of some thousand texts: its words, and those of the names that it defines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.declared import find_declared_names
from selfplay_tools.ranking import WordField, FieldPair, WordRows
from selfplay_tools.store.container import Array, as_ints
from selfplay_tools.store.leaving import stop_if_exiting
from selfplay_tools.store.lexicon import WordLexicon
from selfplay_tools.store.postings import Postings, Texts
from selfplay_tools.store.tokens import WordCounts, count_words

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
        first, second = ([arrays[f"{field}.{name}"] for name in FieldPostings.__slots__] for field in ("first", "second"))
        lexicon = WordLexicon(*(arrays[name] for name in WordLexicon.__slots__))
        return cls(lexicon, FieldPostings(*first), FieldPostings(*second))

    def to_arrays(self) -> dict[str, Array]:
        """The arrays, by names for a container."""
        arrays: dict[str, Array] = {name: getattr(self.lexicon, name) for name in WordLexicon.__slots__}
        for field, listing in (("first", self.first), ("second", self.second)):
            arrays |= {f"{field}.{name}": getattr(listing, name) for name in FieldPostings.__slots__}
        return arrays

    def find_rows(self, words: Sequence[int], /) -> tuple[WordRows, WordRows]:
        """As `Holders.holding`; the rows are the texts."""
        return find_in_parts([self], words, np.zeros(1, np.intp))

    @property
    def fields(self) -> FieldPair:
        """To be ranked by, each text once."""
        return FieldPair(self, WordField(self.first.lengths), WordField(self.second.lengths))


def find_in_parts(parts: Sequence[WordIndex], words: Sequence[int], bases: NDArray[np.intp]) -> tuple[WordRows, WordRows]:
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
