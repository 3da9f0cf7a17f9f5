"""Texts that were said or could be seen so far, by word: what the player sees only grows, and is read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq

from selfplay.clean.echoes.folding import fold
from selfplay.clean.echoes.tokens import tokens_of

MOST_CHARS = 16_000_000
"""Characters of texts that are kept read; hints and results of the trace at hand always are."""
MOST_KEPT = 32
"""Rows of texts that are kept read: several traces may be cleaned at once."""
AT_HAND = 2
"""Rows that one trace needs: what hints told, and what could be seen."""


class _Texts:
    """A row of texts that grows."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.chars = 0
        self._rows: list[str] = []
        """Of each text its tokens in a row, each between blanks."""
        self._having: dict[str, list[int]] = {}
        """For each token the numbers of the texts that have it."""

    def agrees(self, texts: Sequence[str]) -> bool:
        """Whether one of the two rows begins with the other."""
        return all(map(eq, self.texts, texts))

    def grow(self, texts: Sequence[str]) -> None:
        """Take in what comes after the texts known so far."""
        for number, text in enumerate(texts[len(self.texts) :], len(self.texts)):
            tokens = tokens_of(fold(text))
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
class Known:
    """The first `count` of a row of texts."""

    of: _Texts
    count: int

    def has(self, token: str) -> bool:
        """Whether a token stands in one of them."""
        return self.of.has(token, self.count)

    def has_run(self, run: Sequence[str]) -> bool:
        """Whether these tokens follow one another in one of them."""
        return self.of.has_run(run, self.count)


_kept: list[_Texts] = []
"""The last used last."""


def known(texts: Sequence[str]) -> Known:
    """These texts. They cost their length once, and nothing when asked for again with more of them behind."""
    found = next((row for row in reversed(_kept) if row.agrees(texts)), None)
    if found is None:
        found = _Texts()
    else:
        _kept.remove(found)
    found.grow(texts)
    _kept.append(found)
    while len(_kept) > AT_HAND and (len(_kept) > MOST_KEPT or sum(row.chars for row in _kept) > MOST_CHARS):
        del _kept[0]
    return Known(found, len(texts))
