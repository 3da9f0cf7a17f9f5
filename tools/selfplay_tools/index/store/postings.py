"""Which texts hold a word and how often, for some thousand texts, in rows of compressed sparse form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store.word_numbers import MAX_BYTES, MAX_COUNT, Numbers, WordCounts, cut_words, numbers_of
from selfplay_tools.index.words import word_counts

_NAMES = 256
"""Names that are cut into words at once."""
Texts = NDArray[np.unsignedinteger]
_COUNT_BITS, _TEXT_BITS = np.uint64(8), np.uint64(24)


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The texts of every word."""

    numbers: Numbers
    """Of the words (see `tokens`), sorted."""
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
