"""Whether a sentence repeats what only the hints had said; and an index of texts, so that each is read once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import eq

from selfplay.clean.echoes.prose import fold_characters, is_distinctive, tokens_of

MOST_CHARS = 16_000_000
"""Characters of texts whose indexes are kept; those of the present trace always are."""
MOST_KEPT = 32
"""Sequences of texts whose indexes are kept: several traces may be cleaned at once."""
AT_HAND = 2
"""Sequences that one trace needs: its hints, and what could be seen."""


class _TokenIndex:
    """A sequence of texts that grows, by token."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.chars = 0
        self._rows: list[str] = []
        """The tokens of each text as one string, each between blanks."""
        self._having: dict[str, list[int]] = {}
        """For each token the numbers of the texts that have it."""

    def has_common_start(self, texts: Sequence[str]) -> bool:
        """Whether one of the two sequences begins with the other."""
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
    """The first `count` of an index's texts."""

    index: _TokenIndex
    count: int

    def has(self, token: str) -> bool:
        """Whether a token stands in one of them."""
        return self.index.has(token, self.count)

    def has_run(self, run: Sequence[str]) -> bool:
        """Whether these tokens follow one another in one of them."""
        return self.index.has_run(run, self.count)


_indexes: list[_TokenIndex] = []
"""The most recently used last."""


def index_texts(texts: Sequence[str]) -> KnownTexts:
    """An index of these texts. It costs their length once, and nothing when asked for again with more of them after."""
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


_RUN = 5
"""Consecutive words that do not come in this order by chance, if two of them are distinctive."""
_MOST = 0.6
_MUCH = 0.4
"""Shares of the hint's distinctive words."""
_FEW = 2
_MANY = 4


def _word_runs(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(tokens[i : i + _RUN]) for i in range(len(tokens) - _RUN + 1))


class HintRestatement:
    """What only hints had: distinctive words of the last one, turns of phrase of all."""

    def __init__(self, hint: str | None, hints_so_far: Sequence[str] = (), visible: Sequence[str] = ()) -> None:
        """`hint` stood right before, `hints_so_far` any time before; `visible` could be seen without them."""
        self.is_hinted = bool(hint and hint.strip())
        tokens = tokens_of(fold_characters(hint or ""))
        self._hints, self._visible = index_texts(hints_so_far), index_texts(visible)
        self._distinctive = {token for token in tokens if is_distinctive(token) and not self._visible.has(token)}
        self._hint_runs = frozenset(_word_runs(tokens))

    def is_restated_in(self, sentence: str) -> bool:
        """Whether a folded sentence has most of the distinctive words, many of them, or a turn of phrase."""
        tokens = tokens_of(sentence)
        shared = self._distinctive.intersection(tokens)
        share = len(shared) / len(self._distinctive) if shared else 0.0
        if (len(shared) >= _FEW and share >= _MOST) or (len(shared) >= _MANY and share >= _MUCH):
            return True
        return any(self._is_hint_run(run) for run in _word_runs(tokens))

    def _is_hint_run(self, run: tuple[str, ...]) -> bool:
        if len({token for token in run if is_distinctive(token)}) < _FEW:
            return False
        return (run in self._hint_runs or self._hints.has_run(run)) and not self._visible.has_run(run)
