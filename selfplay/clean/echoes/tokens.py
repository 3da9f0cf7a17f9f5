"""Words as they are compared: stems, and of scripts without blanks pairs of signs."""

import re
from functools import lru_cache
from importlib import resources

_TOKEN = re.compile(r"[^\W_]+(?:'[a-z]+)?")
IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A sign that is a word or a part of one without blanks around it."""
_ENDINGS = ("ings", "ing", "edly", "ed", "es", "s", "e")
MIN_STEM = 4
COMMON = frozenset(
    resources.files("selfplay.clean.echoes").joinpath("data/common_words.txt").read_text("utf-8").split()
)
"""Words that say nothing about where a thought comes from."""


def tokens_of(text: str) -> list[str]:
    """Stems of the words of a folded text in order; of scripts without blanks each pair of neighbouring signs."""
    words = _TOKEN.findall(text)
    if text.isascii() or not IDEOGRAPH.search(text):
        return [_stem(word) for word in words]
    found: list[str] = []
    for word in words:
        if IDEOGRAPH.search(word):
            found += [word[i : i + 2] for i in range(max(len(word) - 1, 1))]
        else:
            found.append(_stem(word))
    return found


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    if word in COMMON:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= MIN_STEM:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > MIN_STEM and word[-1] == word[-2] else word


def is_distinctive(token: str) -> bool:
    """Whether a token says something about where a thought comes from."""
    return token not in COMMON and not (token.isascii() and len(token) < MIN_STEM - 1)
