"""Ways to rank the files of a commit for a query: ours, plain BM25, and counting what ripgrep finds."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import bm25s  # pyright: ignore[reportMissingTypeStubs]  # it ships no types
import numpy as np
from mining import CommitTask
from numpy.typing import NDArray

from selfplay_tools.index.path_fields import make_path_fields
from selfplay_tools.index.query_terms import PLAIN_WORDS, QueryTerm, terms_of
from selfplay_tools.index.ranking import FORMULA, FieldRule, Ranking, RankingFormula
from selfplay_tools.index.store.word_index import Postings, WordIndex
from selfplay_tools.index.store.word_numbers import Numbers, WordCounts, count_words
from selfplay_tools.index.words import find_declared_names, find_words, word_counts

BM25: Any = cast("Any", bm25s)
STOP_WORDS = frozenset(cast("Sequence[str]", BM25.tokenization.STOPWORDS_EN))
_TOKEN = re.compile(r"(?u)\b\w\w+\b")
"""The default of bm25s."""
_OTHER = "\0"
"""Stands for every word that is in no query: it counts for a file's length only."""

Scores = NDArray[np.float64]
Tokens = tuple[dict[str, int], int]
"""How often words of some query stand in a text, and how many words it has."""


def plain_tokens(text: str) -> list[str]:
    """The words of bm25s with its defaults."""
    return [token for token in _TOKEN.findall(text.lower()) if token not in STOP_WORDS]


def split_tokens(text: str) -> list[str]:
    """The same words as ours: identifiers and their parts, in the singular."""
    return [word for word in find_words(text) if word not in STOP_WORDS]


@dataclass(frozen=True, slots=True)
class QueryWords:
    """All words of the queries about a repository: only these are kept of its texts."""

    numbers: Numbers
    plain: frozenset[str]
    split: frozenset[str]

    @classmethod
    def of_queries(cls, queries: Iterable[str]) -> "QueryWords":
        """The words of these queries."""
        queries = list(queries)
        terms = [
            term for query in queries for words in (PLAIN_WORDS, frozenset[str]()) for term in terms_of(query, words)
        ]
        numbers = np.unique(np.array([number for term in terms for number in term.numbers], np.uint64))
        plain = frozenset(token for query in queries for token in plain_tokens(query))
        return cls(numbers, plain, frozenset(token for query in queries for token in split_tokens(query)))


@dataclass(frozen=True, slots=True)
class TextCounts:
    """What is counted of one text."""

    words: WordCounts
    defined: WordCounts
    plain: Tokens
    split: Tokens

    @classmethod
    def of(cls, source: bytes, asked: QueryWords) -> "TextCounts":
        """Count a text in UTF-8."""
        words, defined = count_words([memoryview(source), memoryview(b"\n".join(find_declared_names(source)))])
        text = source.decode("utf-8", "replace")
        return cls(
            _keep_numbers(words, asked.numbers),
            _keep_numbers(defined, asked.numbers),
            _count_tokens(Counter(_TOKEN.findall(text.lower())), asked.plain),
            _count_tokens(word_counts(text), asked.split),
        )


def _keep_numbers(counts: WordCounts, numbers: Numbers) -> WordCounts:
    is_kept = np.isin(counts.numbers, numbers)
    return WordCounts(counts.numbers[is_kept], counts.counts[is_kept], counts.length)


def _count_tokens(counts: Counter[str], asked: frozenset[str]) -> Tokens:
    length = sum(count for word, count in counts.items() if word not in STOP_WORDS)
    return {word: count for word, count in counts.items() if word in asked}, length


@dataclass(frozen=True)
class Corpus:
    """The texts of one commit, in path order."""

    paths: Sequence[str]
    oids: Sequence[str]
    known: Mapping[str, TextCounts]
    folder: Path
    """Where each text is a file by its id."""

    @cached_property
    def ranking(self) -> Ranking:
        """Ours."""
        texts = [self.known[oid] for oid in self.oids]
        words, defined = (
            Postings.from_counts([text.words for text in texts]),
            Postings.from_counts([text.defined for text in texts]),
        )
        paths = make_path_fields(self.paths)
        return Ranking(WordIndex.from_fields(words, defined).fields, paths, np.arange(len(texts)))

    @cached_property
    def plain(self) -> Any:  # noqa: ANN401  bm25s ships no types
        """The index of bm25s over words as it splits them."""
        return bm25_index([self.known[oid].plain for oid in self.oids])

    @cached_property
    def split(self) -> Any:  # noqa: ANN401  bm25s ships no types
        """The same over our words."""
        return bm25_index([self.known[oid].split for oid in self.oids])

    @cached_property
    def split_with_path(self) -> Any:  # noqa: ANN401  bm25s ships no types
        """The same with the words of the path."""
        return bm25_index(
            [_add_path_words(self.known[oid].split, path) for path, oid in zip(self.paths, self.oids, strict=True)]
        )


def _add_path_words(tokens: Tokens, path: str) -> Tokens:
    of_path = split_tokens(path)
    return dict(Counter(tokens[0]) + Counter(of_path)), tokens[1] + len(of_path)


def bm25_index(texts: Sequence[Tokens]) -> Any:  # noqa: ANN401  bm25s ships no types
    """An index of bm25s with its defaults. The scores are those of the whole texts: their lengths are kept."""
    ids = {_OTHER: 0}
    for counts, _ in texts:
        for word in counts:
            ids.setdefault(word, len(ids))
    documents = [
        np.repeat(
            [0, *(ids[word] for word in counts)], [max(length - sum(counts.values()), 0), *counts.values()]
        ).tolist()
        for counts, length in texts
    ]
    index = BM25.BM25()
    index.index(BM25.tokenization.Tokenized(documents, ids), show_progress=False)
    return index


RankingMethod = Callable[[Corpus, str], Scores]


def rank_by_bm25(which: str, tokens: Callable[[str], list[str]]) -> RankingMethod:
    def rank(corpus: Corpus, query: str) -> Scores:
        index = getattr(corpus, which)
        said = [token for token in tokens(query) if token in index.vocab_dict]
        return np.asarray(index.get_scores(said), np.float64) if said else np.zeros(len(corpus.paths))

    return rank


def rank_by_ripgrep(corpus: Corpus, query: str) -> Scores:
    """Files by how many distinct words of the query they hold, then by how often."""
    words = sorted({token for token in plain_tokens(query) if len(token) > 2}, key=lambda word: (-len(word), word))  # noqa: PLR2004  shorter ones are in every file
    if not words:
        return np.zeros(len(corpus.paths))
    options = "--no-config --no-ignore --hidden -a -oiFNH --no-heading --color=never -j1".split()
    patterns = [part for word in words for part in ("-e", word)]
    command = ["rg", *options, *patterns, "--", *sorted(set(corpus.oids))]
    output = subprocess.run(command, cwd=corpus.folder, capture_output=True, check=False).stdout
    found: dict[str, Counter[str]] = {}
    for line, count in Counter(output.split(b"\n")).items():
        oid, _, word = line.decode("utf-8", "replace").partition(":")
        found.setdefault(oid, Counter())[word.lower()] += count
    scores = {oid: len(counts) + 1 - 1 / (1 + counts.total()) for oid, counts in found.items()}
    return np.array([scores.get(oid, 0.0) for oid in corpus.oids])


def rank_by_ours(
    formula: RankingFormula = FORMULA, terms: Callable[[str], Sequence[QueryTerm]] = terms_of
) -> RankingMethod:
    return lambda corpus, query: corpus.ranking.score_files(terms(query), formula)


METHODS: Mapping[str, RankingMethod] = {
    "ripgrep, words counted": rank_by_ripgrep,
    "bm25s, its defaults": rank_by_bm25("plain", plain_tokens),
    "bm25s, identifiers split": rank_by_bm25("split", split_tokens),
    "bm25s, split, path in the text": rank_by_bm25("split_with_path", split_tokens),
    "ours": rank_by_ours(),
}


def _without_field(field: str) -> RankingFormula:
    rule: FieldRule = getattr(FORMULA, field)
    return replace(FORMULA, **{field: replace(rule, weight=0.0)})


ABLATION: Mapping[str, RankingMethod] = {
    "without the file's name": rank_by_ours(_without_field("name")),
    "without the folder": rank_by_ours(_without_field("folder")),
    "without the names it defines": rank_by_ours(_without_field("defined")),
    "text alone": rank_by_ours(replace(_without_field("name"), folder=FieldRule(0, 1, 0), defined=FieldRule(0, 1, 0))),
    "K and B of plain BM25 for the text": rank_by_ours(replace(FORMULA, text=FieldRule(1.0, 1.5, 0.75))),
    "without other forms of words": rank_by_ours(replace(FORMULA, variant=0.0)),
    "plain English words kept": rank_by_ours(terms=lambda query: terms_of(query, frozenset())),
    "a repeated word counts once": rank_by_ours(
        terms=lambda query: [replace(term, weight=1.0) for term in terms_of(query)]
    ),
    "tests, docs and the like in full": rank_by_ours(replace(FORMULA, low_priority=1.0)),
}


def ranks_of(scores: Scores, paths: Sequence[str], task: CommitTask) -> list[float]:
    """The rank of each target, from 1, in ascending order; infinite for one that was not found."""
    order = np.lexsort((np.arange(len(paths)), -scores))
    ranks = {paths[at]: float(rank) for rank, at in enumerate(order.tolist(), 1) if scores[at] > 0}
    return sorted(ranks.get(target, float("inf")) for target in task.targets)
