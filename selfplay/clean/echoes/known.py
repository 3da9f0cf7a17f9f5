"""Texts that were said or could be seen so far, by word: what the player sees only grows, and is read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq

from selfplay.clean.echoes.folding import fold_characters
from selfplay.clean.echoes.tokens import tokens_of

MOST_CHARS = 16_000_000
"""Characters of texts that are kept read; hints and results of the trace at hand always are."""
MOST_KEPT = 32
"""Rows of texts that are kept read: several traces may be cleaned at once."""
AT_HAND = 2
"""Rows that one trace needs: what hints told, and what could be seen."""


class _TokenIndex:
    """A row of texts that grows."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.chars = 0
        self._rows: list[str] = []
        """Of each text its tokens in a row, each between blanks."""
        self._having: dict[str, list[int]] = {}
        """For each token the numbers of the texts that have it."""

    def has_common_start(self, texts: Sequence[str]) -> bool:
        """Whether one of the two rows begins with the other."""
        return all(map(eq, self.texts, texts))

    def extend(self, texts: Sequence[str]) -> None:
        """Take in what comes after the texts known so far."""
        for number, text in enumerate(texts[len(self.texts) :], len(self.texts)):
            tokens = tokens_of(fold_characters(text))
            self.texts.append(text)
            self.chars += len(text)
            self._rows.append(f" {' '.join(tokens)} ")
            for token in frozenset(tokens):
                self._having.setdefault(token, []).append(number)

    def has(self, token: str, count: int) -> bool:
        return token in self._having and self._having[token][0] < count

    def has_run(self, run: Sequence[str], count: int) -> bool:
        having = min((self._having.get(token, []) for token in run), key=len)
        row = f" {' '.join(run)} "
        return any(number < count and row in self._rows[number] for number in having)


@dataclass(frozen=True, slots=True)
class KnownTexts:
    """The first `count` of a row of texts."""

    index: _TokenIndex
    count: int

    def has(self, token: str) -> bool:
        """Whether a token stands in one of them."""
        return self.index.has(token, self.count)

    def has_run(self, run: Sequence[str]) -> bool:
        """Whether these tokens follow one another in one of them."""
        return self.index.has_run(run, self.count)


_indexes: list[_TokenIndex] = []
"""The last used last."""


def index_texts(texts: Sequence[str]) -> KnownTexts:
    """These texts. They cost their length once, and nothing when asked for again with more of them behind."""
    found = next((row for row in reversed(_indexes) if row.has_common_start(texts)), None)
    if found is None:
        found = _TokenIndex()
    else:
        _indexes.remove(found)
    found.extend(texts)
    _indexes.append(found)
    while len(_indexes) > AT_HAND and (len(_indexes) > MOST_KEPT or sum(row.chars for row in _indexes) > MOST_CHARS):
        del _indexes[0]
    return KnownTexts(found, len(texts))
