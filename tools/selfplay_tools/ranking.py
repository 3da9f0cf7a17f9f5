"""BM25 over the words of many files (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

A file has two fields, its text and its path. Each is scored by itself, and the path counts more.
"""

import heapq
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence

K1 = 1.2
B = 0.75
PATH_WEIGHT = 1.5
_MAX_COUNT = 65_535


class Field:
    """One field of all files: for every word, the files that hold it and how often."""

    def __init__(self) -> None:
        self._files: dict[str, array[int]] = {}
        self._counts: dict[str, array[int]] = {}
        self._lengths: array[int] = array("Q")

    def add(self, counts: Mapping[str, int]) -> None:
        """Add the next file."""
        number = len(self._lengths)
        for word, count in counts.items():
            if word not in self._files:
                self._files[word], self._counts[word] = array("I"), array("H")
            self._files[word].append(number)
            self._counts[word].append(min(count, _MAX_COUNT))
        self._lengths.append(sum(counts.values()))

    def score(self, words: Sequence[str], weight: float, scores: dict[int, float]) -> None:
        """Add each file's score for the words to `scores`, by its number."""
        total = len(self._lengths)
        mean = sum(self._lengths) / total if total else 1.0
        for word in words:
            files = self._files.get(word)
            if files is None:
                continue
            rarity = math.log(1 + (total - len(files) + 0.5) / (len(files) + 0.5))
            for number, count in zip(files, self._counts[word], strict=True):
                norm = K1 * (1 - B + B * self._lengths[number] / (mean or 1.0))
                gain = weight * rarity * count * (K1 + 1) / (count + norm)
                scores[number] = scores.get(number, 0.0) + gain


class Ranking:
    """Files by how well they answer a query."""

    def __init__(self, files: Iterable[tuple[str, Mapping[str, int], Mapping[str, int]]]) -> None:
        """Take each file's path, the counts of its path's words and of its text's words, in path order."""
        self._paths: list[str] = []
        self._path_field = Field()
        self._text_field = Field()
        for path, path_words, text_words in files:
            self._paths.append(path)
            self._path_field.add(path_words)
            self._text_field.add(text_words)

    def best(self, words: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """At most `limit` paths with their scores, best first, ties by path."""
        scores: dict[int, float] = {}
        self._text_field.score(words, 1.0, scores)
        self._path_field.score(words, PATH_WEIGHT, scores)
        top = heapq.nsmallest(limit, scores.items(), key=lambda item: (-item[1], item[0]))
        return [(self._paths[number], score) for number, score in top]
