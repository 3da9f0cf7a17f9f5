"""Does a sentence repeat what only the hint had said?"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources

from selfplay.clean.echoes.folding import fold

_TOKEN = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ENDINGS = ("ings", "ing", "edly", "ed", "es", "s", "e")
_MIN_STEM = 4
COMMON = frozenset(
    resources.files("selfplay.clean.echoes").joinpath("data/common_words.txt").read_text("utf-8").split()
)
"""Words that say nothing about where a thought comes from."""
_RUN = 5
"""Words in a row that nobody says in this order by chance, if two of them say something."""
_MOST = 0.6
_MUCH = 0.4
_FEW = 2
_MANY = 4
_REMEMBERED = 1024
"""Texts whose words are kept: a trace's results are asked about once for each later turn."""


def tokens_of(text: str) -> list[str]:
    """Stems of the words of a folded text in order; of scripts without blanks each pair of neighbouring signs."""
    words = _TOKEN.findall(text)
    if text.isascii() or not _IDEOGRAPH.search(text):
        return [_stem(word) for word in words]
    found: list[str] = []
    for word in words:
        if _IDEOGRAPH.search(word):
            found += [word[i : i + 2] for i in range(max(len(word) - 1, 1))]
        else:
            found.append(_stem(word))
    return found


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    if word in COMMON:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > _MIN_STEM and word[-1] == word[-2] else word


@lru_cache(maxsize=_REMEMBERED)
def _stems(text: str) -> tuple[frozenset[str], str]:
    """The stems of a text as it is written, and all of them in a row, each between blanks."""
    tokens = tokens_of(fold(text))
    return frozenset(tokens), f" {' '.join(tokens)} "


def _runs(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(tokens[i : i + _RUN]) for i in range(len(tokens) - _RUN + 1))


class Restating:
    """What a hint said that the player could not know otherwise: telling words, and turns of phrase."""

    def __init__(self, hint: str, visible: Sequence[str] = ()) -> None:
        """`visible` are texts that the player could see without the hint."""
        seen = [_stems(text) for text in visible]
        tokens = tokens_of(fold(hint))
        words = {t for t in tokens if t not in COMMON and not (t.isascii() and len(t) < _MIN_STEM - 1)}
        self._telling = {word for word in words if not any(word in known for known, _ in seen)}
        self._turns = {
            run
            for run in _runs(tokens)
            if len(words.intersection(run)) >= _FEW and not any(f" {' '.join(run)} " in row for _, row in seen)
        }

    def is_in(self, sentence: str) -> bool:
        """Whether a folded sentence has most of the telling words, many of them, or a turn of phrase."""
        tokens = tokens_of(sentence)
        said = self._telling.intersection(tokens)
        share = len(said) / len(self._telling) if said else 0.0
        if (len(said) >= _FEW and share >= _MOST) or (len(said) >= _MANY and share >= _MUCH):
            return True
        return any(run in self._turns for run in _runs(tokens))
