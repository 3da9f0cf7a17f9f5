"""BM25 over the words of many files (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

A file has two fields, its text and its path. Each is scored by itself, and the path counts more. All figures (how many
files, how many hold a word, how long they are on average) are those of the files that are ranked, whatever else an
index holds, and are summed in one order: equal files give equal scores, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
PATH_WEIGHT = 1.5

Scores = NDArray[np.float64]
Rows = NDArray[np.integer]


class Holders(Protocol):
    """Finds the rows that hold a word."""

    def holding(self, number: int, /) -> tuple[Rows, NDArray[np.unsignedinteger]]:
        """Each row once, and how often it holds the word. `number` is the word's (see `store.tokens`)."""
        ...


@dataclass(frozen=True)
class Field:
    """One field of all files. Files of equal content may share a row."""

    holders: Holders
    lengths: NDArray[np.integer]
    """Words of each row."""
    copies: NDArray[np.integer] | None = None
    """How many files each row stands for; one unless given."""

    @cached_property
    def _total(self) -> int:
        return len(self.lengths) if self.copies is None else int(self.copies.sum())

    @cached_property
    def _norms(self) -> Scores:
        lengths = self.lengths.astype(np.int64)
        words = int(lengths.sum() if self.copies is None else (lengths * self.copies).sum())
        mean = words / self._total if self._total else 1.0
        return np.asarray(K1 * (1 - B + B * lengths / (mean or 1.0)), np.float64)

    def scores(self, words: Sequence[int], weight: float) -> Scores:
        """Each row's score for the words, by their numbers."""
        scores = np.zeros(len(self.lengths))
        for word in words:
            rows, counts = self.holders.holding(word)
            if len(rows):
                held = len(rows) if self.copies is None else int(self.copies[rows].sum())
                rarity = float(np.log(1 + (self._total - held + 0.5) / (held + 0.5)))
                often = counts.astype(np.float64)
                scores[rows] += weight * rarity * often * (K1 + 1) / (often + self._norms[rows])
        return scores


@dataclass(frozen=True, slots=True)
class Ranking:
    """Files by how well they answer a query."""

    text: Field
    path: Field
    """A row for each file."""
    rows: Rows
    """For each file its row of `text`."""

    def scores(self, words: Sequence[int]) -> Scores:
        """Each file's score for the words, by their numbers; 0 for a file that holds none."""
        return self.text.scores(words, 1.0)[self.rows] + self.path.scores(words, PATH_WEIGHT)

    def holds(self, word: int) -> bool:
        """Whether any file holds the word."""
        return any(len(field.holders.holding(word)[0]) for field in (self.text, self.path))


def best(scores: Scores, limit: int) -> list[int]:
    """At most `limit` places of positive scores, the highest first, then in order."""
    if 0 < limit < len(scores):
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        some = np.flatnonzero((scores >= least) & (scores > 0))
    else:
        some = np.flatnonzero(scores > 0)
    return some[np.lexsort((some, -scores[some]))][: max(limit, 0)].tolist()
