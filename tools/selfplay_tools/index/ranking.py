"""How well files answer the words of a query: BM25 over four fields of each file.

For each word of a query, a file gains

    weight of the word * rarity * sum over fields of  weight * often / (often + K * (1 - B + B * length / mean length))

    rarity = log(1 + (files - holding + 0.5) / (holding + 0.5))

The saturation and the rarity are those of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
and Beyond", 2009). Fields that saturate each for itself, rather than together as in BM25F (Zaragoza et al., TREC 2004),
ranked the files of real changes better: a file's name says once what its text says often. All fields share the rarity
of the field that most files hold the word in. Tests, documentation and the like (see `path_fields`) count for less. The
figures below were chosen on one half of the repositories in `docs/relevance.md` and measured on the other.

What must be known of a text, whatever other texts there are:

    text      how often each word occurs (`word_counts`), and how many words it has
    defined   the same of the names that it seems to define (`find_declared_names`)

The fields `name` and `folder`, and what counts for less, come from the path. All else (how many files, how many hold
a word, mean lengths) is summed over the files that are ranked, whatever else an index holds, and in one order: equal
files give equal scores, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.query_terms import QueryTerm

Scores = NDArray[np.float64]
Rows = NDArray[np.intp]
_GROUPS = 1024
"""Of scores, when the best are looked for: the best of each group limits which can be among them."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How a field counts."""

    weight: float
    """What a word gives at most."""
    k: float
    """How often a word must occur to give half of it."""
    b: float
    """How far a field's length divides that, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class RankingFormula:
    """All figures of the ranking."""

    text: FieldRule = field(default=FieldRule(1.0, 2.0, 0.25))
    defined: FieldRule = field(default=FieldRule(0.5, 0.3, 0.5))
    name: FieldRule = field(default=FieldRule(1.0, 0.3, 0.5))
    folder: FieldRule = field(default=FieldRule(0.4, 0.3, 0.5))
    variant: float = 0.5
    """What `handled` counts where the query says `handling`."""
    low_priority: float = 0.5
    """What the score of a test is multiplied by if the query does not ask for tests; likewise documentation and the
    like."""


FORMULA = RankingFormula()


@dataclass(frozen=True, slots=True, eq=False)
class WordRows:
    """Which rows hold some words, one word after another."""

    rows: Rows
    """Of each word, each once; only a row that stands for no file may come up again."""
    counts: NDArray[np.uint8]
    """How often each row holds it."""
    stops: Sequence[int]
    """Where each word's rows begin, and one more."""

    def rows_of(self, first: int, last: int) -> tuple[Rows, NDArray[np.uint8]]:
        """The rows and counts of some words in a row."""
        start, stop = self.stops[first], self.stops[last]
        return self.rows[start:stop], self.counts[start:stop]


class WordRowFinder(Protocol):
    """Finds the rows that hold words."""

    def find_rows(self, words: Sequence[int], /) -> tuple[WordRows, WordRows]:
        """The rows that hold each of the words, in both fields.

        Words are given by their numbers (`store.word_numbers`).
        """
        ...


@dataclass(frozen=True)
class WordField:
    """One field of all files. Files of equal content may share a row."""

    lengths: NDArray[np.integer]
    """Words of each row."""
    copies: NDArray[np.integer] | None = None
    """How many files each row stands for, fewer than 2^24 in all; one unless given. A row of no file is ignored."""

    @cached_property
    def _relative_lengths(self) -> Scores:
        """Each row's length by the mean of all files."""
        lengths = self.lengths.astype(np.int64)
        words = int(lengths.sum() if self.copies is None else (lengths * self.copies).sum())
        total = len(lengths) if self.copies is None else int(self.copies.sum())
        return np.asarray(lengths / (words / total if words else 1.0), np.float64)

    @cached_property
    def _copies(self) -> NDArray[np.float32] | None:
        """As `copies`, in the form that is summed up quickest, and exactly; None where it is one throughout."""
        return None if self.copies is None or (self.copies == 1).all() else self.copies.astype(np.float32)

    def count_files(self, rows: Rows) -> int:
        """How many files the rows stand for."""
        return len(rows) if self._copies is None else int(self._copies.take(rows).sum())

    def compute_gains(self, rows: Rows, often: Scores, rule: FieldRule) -> Scores:
        """What one word gives to each of the rows, before its rarity."""
        norms = self._norms_for(rule).take(rows)
        norms += often
        return np.divide(often if rule.weight == 1 else often * rule.weight, norms, out=norms)

    def _norms_for(self, rule: FieldRule) -> Scores:
        """For each row how often it must hold a word for half of its weight."""
        norms = self._norms_by_rule.get(rule)
        if norms is None:
            norms = self._norms_by_rule[rule] = rule.k * (1 - rule.b + rule.b * self._relative_lengths)
        return norms

    @cached_property
    def _norms_by_rule(self) -> dict[FieldRule, Scores]:
        return {}


@dataclass(frozen=True)
class FieldPair:
    """Two fields of the same rows, whose words are looked up together."""

    finder: WordRowFinder
    first: WordField
    second: WordField


class WordFormTally:
    """Puts the forms of a word together. For one thread; its tables are as long as the most rows of a field."""

    def __init__(self, rows: int) -> None:
        self._often = np.zeros(rows)
        """All 0 between calls: to look at every row each time would take longer than all the rest."""
        self._owner = np.zeros(rows, np.intp)

    def add_up_forms(self, held: WordRows, first: int, last: int, variant: float) -> tuple[Rows, Scores]:
        """The rows that hold any of some words, each once, and how often; all words but the first count `variant`."""
        rows, counts = held.rows_of(first, first + 1)
        others, more = held.rows_of(first + 1, last)
        often = counts.astype(np.float64)
        if not len(others) or not variant:
            return rows, often
        weighed = more * np.float64(variant)
        self._often[rows] = often
        fresh = others.take(np.flatnonzero(self._often.take(others) == 0))
        # Of equal rows the one that was written last stands for all.
        order = np.arange(len(fresh))
        self._owner[fresh] = order
        fresh = fresh.take(np.flatnonzero(self._owner.take(fresh) == order))
        np.add.at(self._often, others, weighed)
        every = np.concatenate((rows, fresh))
        often = self._often.take(every)
        self._often[every] = 0
        return every, often


@dataclass(frozen=True, slots=True)
class PathFields:
    """What the paths of all files say."""

    words: FieldPair
    """Of a file's name, and of its folder. A row for each file."""
    low_priority: Sequence[tuple[frozenset[str], NDArray[np.intp]]]
    """Groups of files that count for less, each with the words with which a query asks for it."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Files by how well they answer a query."""

    texts: FieldPair
    """The words of a text, and of what it defines."""
    path: PathFields
    rows: Rows
    """For each file its row of `texts`."""

    def score_files(self, terms: Sequence[QueryTerm], formula: RankingFormula = FORMULA) -> Scores:
        """Each file's score; 0 for a file that holds none of the words."""
        of_texts, of_files = np.zeros(len(self.texts.first.lengths)), np.zeros(len(self.rows))
        words = [number for term in terms for number in term.numbers]
        (text, defined), (name, folder) = self.texts.finder.find_rows(words), self.path.words.finder.find_rows(words)
        every = (
            (self.texts.first, text, formula.text, of_texts),
            (self.texts.second, defined, formula.defined, of_texts),
            (self.path.words.first, name, formula.name, of_files),
            (self.path.words.second, folder, formula.folder, of_files),
        )
        fields = [one for one in every if one[2].weight]
        tally = WordFormTally(max(len(of_texts), len(of_files)))
        places = np.cumsum([0, *(len(term.numbers) for term in terms)]).tolist()
        for term, (start, stop) in zip(terms, pairwise(places), strict=True):
            found = [tally.add_up_forms(held, start, stop, formula.variant) for _, held, _, _ in fields]
            files = max((one.count_files(rows) for (one, *_), (rows, _) in zip(fields, found, strict=True)), default=0)
            rarity = term.weight * float(np.log(1 + (len(self.rows) - files + 0.5) / (files + 0.5)))
            for (one, _, rule, scores), (rows, often) in zip(fields, found, strict=True):
                if len(rows):
                    gained = one.compute_gains(rows, often, rule)
                    gained *= rarity
                    np.add.at(scores, rows, gained)
        scores = of_texts.take(self.rows)
        scores += of_files
        return self._discount_low_priority(scores, terms, formula.low_priority)

    def _discount_low_priority(self, scores: Scores, terms: Sequence[QueryTerm], factor: float) -> Scores:
        asked = frozenset(term.word for term in terms)
        for words, files in self.path.low_priority:
            if not words & asked:
                scores[files] *= factor
        return scores

    def are_held(self, terms: Sequence[QueryTerm]) -> list[bool]:
        """For each word whether any file holds it."""
        numbers = [number for term in terms for number in term.numbers]
        lasts = list(accumulate(len(term.numbers) for term in terms))
        found = [False] * len(terms)
        for one in (self.texts, self.path.words):
            for held in one.finder.find_rows(numbers):
                for at, (first, last) in enumerate(pairwise((0, *lasts))):
                    found[at] = found[at] or one.first.count_files(held.rows_of(first, last)[0]) > 0
        return found


def find_best(scores: Scores, limit: int) -> list[int]:
    """At most `limit` places of positive scores, the highest first, then in order."""
    least = _least_of_best(scores, limit)
    some = np.flatnonzero(scores >= least if least > 0 else scores > 0)
    return some[np.lexsort((some, -scores[some]))][: max(limit, 0)].tolist()


def _least_of_best(scores: Scores, limit: int) -> float:
    """What each of the best `limit` scores has at least; 0 where nothing is known."""
    size = len(scores) // _GROUPS
    if not size or not 0 < limit <= _GROUPS:
        return 0.0
    # As many groups as are asked for have a score of at least this.
    highest = scores[: size * _GROUPS].reshape(size, _GROUPS).max(axis=0)
    return float(np.partition(highest, _GROUPS - limit)[_GROUPS - limit])
