"""Where words stand among many: a sorted list of their numbers, with fences that lead straight to the place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.store.postings import mark_changes
from selfplay_tools.store.tokens import Numbers

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
