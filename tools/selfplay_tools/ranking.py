"""How well files answer the words of a query: BM25 over four fields of each file.

For each word of a query, a file gains

    weight of the word * rarity * sum over fields of  weight * often / (often + K * (1 - B + B * length / mean length))

    rarity = log(1 + (files - holding + 0.5) / (holding + 0.5))

The saturation and the rarity are those of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
and Beyond", 2009). Fields that saturate each for itself, rather than together as in BM25F (Zaragoza et al., TREC 2004),
ranked the files of real changes better: a file's name says once what its text says often. All fields share the rarity
of the field that most files hold the word in. Files off the beaten track (`byways`) count for less. The figures below
were chosen on one half of the repositories in `docs/relevance.md` and measured on the other.

What must be known of a text, whatever other texts there are:

    text      how often each word occurs (`words.word_counts`), and how many words it has
    defined   the same of the names that it seems to define (`declared.declared_names`)

The fields `name` and `folder`, and what lies off the track, come from the path. All else (how many files, how many hold
a word, mean lengths) is summed over the files that are ranked, whatever else an index holds, and in one order: equal
files give equal scores, to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.terms import Term

Scores = NDArray[np.float64]
Rows = NDArray[np.integer]
Held = tuple[Rows, NDArray[np.unsignedinteger]]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a field counts."""

    weight: float
    """What a word gives at most."""
    k: float
    """How often a word must occur to give half of it."""
    b: float
    """How far a field's length divides that, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Formula:
    """All figures of the ranking."""

    text: Rule = field(default=Rule(1.0, 2.0, 0.25))
    defined: Rule = field(default=Rule(0.5, 0.3, 0.5))
    name: Rule = field(default=Rule(1.0, 0.3, 0.5))
    folder: Rule = field(default=Rule(0.4, 0.3, 0.5))
    variant: float = 0.5
    """What `handled` counts where the query says `handling`."""
    byway: float = 0.5
    """What the score of a test is multiplied by if nobody asked for tests; likewise documentation and the like."""


FORMULA = Formula()


class Holders(Protocol):
    """Finds the rows that hold words."""

    def holding(self, words: Sequence[int], /) -> Mapping[int, Held]:
        """For each word that some row holds: these rows, each once, and how often they do.

        Words are given by their numbers (see `store.tokens`).
        """
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
    def _relative(self) -> Scores:
        """Each row's length by the mean of all files."""
        lengths = self.lengths.astype(np.int64)
        words = int(lengths.sum() if self.copies is None else (lengths * self.copies).sum())
        total = len(lengths) if self.copies is None else int(self.copies.sum())
        return np.asarray(lengths / (words / total if words else 1.0), np.float64)

    def found(self, held: Mapping[int, Held], term: Term, variant: float) -> tuple[Rows, Scores]:
        """The rows that hold the term, and how often; its other forms count `variant` each."""
        parts = [
            (held[number][0], held[number][1].astype(np.float64) * (variant if at else 1.0))
            for at, number in enumerate(term.numbers)
            if number in held and (variant or not at)
        ]
        if len(parts) == 1:
            return parts[0]
        often = np.zeros(len(self.lengths) if parts else 0)
        for rows, counts in parts:
            often[rows] += counts
        rows = np.flatnonzero(often)
        return rows, often[rows]

    def files(self, rows: Rows) -> int:
        """How many files the rows stand for."""
        return len(rows) if self.copies is None else int(self.copies[rows].sum())

    def gains(self, rows: Rows, often: Scores, rule: Rule) -> Scores:
        """What one word gives to each of the rows, before its rarity."""
        return rule.weight * often / (often + rule.k * (1 - rule.b + rule.b * self._relative[rows]))


@dataclass(frozen=True, slots=True)
class PathFields:
    """What the paths of all files say."""

    name: Field
    folder: Field
    byways: Sequence[tuple[frozenset[str], NDArray[np.intp]]]
    """Files off the track, in groups: and the words with which a query asks for them."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Files by how well they answer a query."""

    text: Field
    defined: Field
    """As many rows as `text`."""
    path: PathFields
    """A row for each file."""
    rows: Rows
    """For each file its row of `text` and `defined`."""

    def scores(self, terms: Sequence[Term], formula: Formula = FORMULA) -> Scores:
        """Each file's score; 0 for a file that holds none of the words."""
        of_texts, of_files = np.zeros(len(self.text.lengths)), np.zeros(len(self.rows))
        every = (
            (self.text, formula.text, of_texts),
            (self.defined, formula.defined, of_texts),
            (self.path.name, formula.name, of_files),
            (self.path.folder, formula.folder, of_files),
        )
        fields = [one for one in every if one[1].weight]
        words = [number for term in terms for number in term.numbers]
        held = [one.holders.holding(words) for one, _, _ in fields]
        for term in terms:
            found = [
                one.found(by_word, term, formula.variant) for (one, _, _), by_word in zip(fields, held, strict=True)
            ]
            files = max((one.files(rows) for (one, _, _), (rows, _) in zip(fields, found, strict=True)), default=0)
            rarity = term.weight * float(np.log(1 + (len(self.rows) - files + 0.5) / (files + 0.5)))
            for (one, rule, scores), (rows, often) in zip(fields, found, strict=True):
                if len(rows):
                    scores[rows] += rarity * one.gains(rows, often, rule)
        scores = of_texts[self.rows] + of_files
        return self._weighed(scores, terms, formula.byway)

    def _weighed(self, scores: Scores, terms: Sequence[Term], byway: float) -> Scores:
        asked = frozenset(term.word for term in terms)
        for words, files in self.path.byways:
            if not words & asked:
                scores[files] *= byway
        return scores

    def holds(self, term: Term) -> bool:
        """Whether any file holds the word."""
        fields = (self.text, self.path.name, self.path.folder)
        return any(one.holders.holding(term.numbers) for one in fields)


def best(scores: Scores, limit: int) -> list[int]:
    """At most `limit` places of positive scores, the highest first, then in order."""
    if 0 < limit < len(scores):
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        some = np.flatnonzero((scores >= least) & (scores > 0))
    else:
        some = np.flatnonzero(scores > 0)
    return some[np.lexsort((some, -scores[some]))][: max(limit, 0)].tolist()
