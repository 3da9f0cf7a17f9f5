"""What ranking must know of each of some thousand texts: its words, and those of the names that it defines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.declared import declared_names
from selfplay_tools.ranking import Field, Fields, Held
from selfplay_tools.store.container import Array, ints
from selfplay_tools.store.leaving import carry_on
from selfplay_tools.store.lexicon import Lexicon
from selfplay_tools.store.postings import Postings, Texts
from selfplay_tools.store.tokens import Counts, counted

_TOGETHER = 256
"""Texts whose words are counted at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The texts of every word of a lexicon, for one field."""

    starts: NDArray[np.uint32]
    """Where a word's texts begin in `texts`; one more at the end."""
    texts: Texts
    """Of each word, in order."""
    counts: NDArray[np.uint8]
    lengths: NDArray[np.uint32]
    """For each text how many words it has."""

    @classmethod
    def of(cls, postings: Postings, lexicon: Lexicon) -> "Listing":
        """The same for a lexicon that has all words of the postings."""
        sizes = np.zeros(len(lexicon) + 1, np.uint32)
        sizes[1 + np.searchsorted(lexicon.numbers, postings.numbers)] = np.diff(postings.starts)
        starts = np.cumsum(sizes, dtype=np.uint32)
        return cls(starts, postings.texts, postings.counts, postings.lengths)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of texts 0, 1, ... in two fields: in the text and in what it defines; or in a path's name and folder.

    One look finds a word in both.
    """

    lexicon: Lexicon
    first: Listing
    second: Listing

    @classmethod
    def of(cls, texts: Iterable[memoryview]) -> "Words":
        """Count the words of texts in UTF-8; fewer than 2^24."""
        words: list[Counts] = []
        defined: list[Counts] = []
        left = iter(texts)
        while some := list(islice(left, _TOGETHER)):
            carry_on()
            words += counted(some)
            defined += counted([memoryview(b"\n".join(declared_names(bytes(text)))) for text in some])
        return cls.both(Postings.of(words), Postings.of(defined))

    @classmethod
    def both(cls, first: Postings, second: Postings) -> "Words":
        """Of two fields of the same texts."""
        lexicon = Lexicon.of(first.numbers, second.numbers)
        return cls(lexicon, Listing.of(first, lexicon), Listing.of(second, lexicon))

    @classmethod
    def unpacked(cls, arrays: Mapping[str, Array]) -> "Words":
        """What `packed` gave."""
        first, second = ([arrays[f"{field}.{name}"] for name in Listing.__slots__] for field in ("first", "second"))
        lexicon = Lexicon(*(arrays[name] for name in Lexicon.__slots__))
        return cls(lexicon, Listing(*first), Listing(*second))

    def packed(self) -> dict[str, Array]:
        """The arrays, by names for a container."""
        arrays: dict[str, Array] = {name: getattr(self.lexicon, name) for name in Lexicon.__slots__}
        for field, listing in (("first", self.first), ("second", self.second)):
            arrays |= {f"{field}.{name}": getattr(listing, name) for name in Listing.__slots__}
        return arrays

    def holding(self, words: Sequence[int], /) -> tuple[Held, Held]:
        """As `Holders.holding`; the rows are the texts."""
        return joined([self], words, np.zeros(1, np.intp))

    @property
    def fields(self) -> Fields:
        """To be ranked by, each text once."""
        return Fields(self, Field(self.first.lengths), Field(self.second.lengths))


def joined(parts: Sequence[Words], words: Sequence[int], bases: NDArray[np.intp]) -> tuple[Held, Held]:
    """The texts that hold each of the words, in both fields; those of each part are numbered from its base."""
    keys = np.array(words, np.uint64)
    found = [part.lexicon.find(keys) for part in parts]
    return (
        _held([part.first for part in parts], found, len(words), bases),
        _held([part.second for part in parts], found, len(words), bases),
    )


def _held(
    parts: Sequence[Listing], found: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], words: int, bases: Array
) -> Held:
    starts, stops = np.zeros((2, words, len(parts)), np.intp)
    for number, (part, (which, at)) in enumerate(zip(parts, found, strict=True)):
        starts[which, number] = part.starts[at]
        stops[which, number] = part.starts[at + 1]
    sizes = stops - starts
    word, number = np.nonzero(sizes)
    first, last = ints(starts[word, number]), ints(stops[word, number])
    spans = list(zip(ints(number), first, last, strict=True))
    none = parts[0].texts[:0] if parts else np.zeros(0, np.uint16)
    rows = np.concatenate([none, *(parts[one].texts[start:stop] for one, start, stop in spans)], dtype=np.intp)
    counts = np.concatenate([np.zeros(0, np.uint8), *(parts[one].counts[start:stop] for one, start, stop in spans)])
    rows += np.repeat(bases[number], sizes[word, number])
    return Held(rows, counts, [0, *ints(np.cumsum(sizes.sum(axis=1)))])
