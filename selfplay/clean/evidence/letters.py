"""Words outside ASCII: written with or without composed letters, without blanks between them, with other endings.

English words have their forms by rule (`forms`). Of other languages only this is known: which scripts write no blanks,
and that a word in another case or number mostly begins alike.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile

MARKS = "\u0300-\u036f\u3099\u309a"
"""Marks on the letter before them, as a range of a regular expression."""
WORD = re.compile(rf"\w+(?:[{MARKS}]+\w*)*")
"""A run of letters, digits and underscores, with the marks on them."""
_IS_MARK = re.compile(f"[{MARKS}]")
_SIGN = r"[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
_SIGNS = re.compile(f"{_SIGN}+")
_BETWEEN = re.compile("[\u3041-\u309f\u7684\u4e4b\u548c\u4e0e]")
"""What ties words to each other: kana that end words, and the commonest particles of Chinese."""
MIN_SIGNS = 2
"""Of a script without blanks that are a word."""
_MIN_COMMON = 4
"""Letters that two forms of one word begin with, at least."""
_MOST = 0.75
"""The share of the longer that they are, where they are that few."""
_MUCH = 0.66
"""Where they are more, or where the longer only adds an ending."""
_MIN_STEM = 3
"""Letters of a word that only gets an ending."""
_PARTICLE = re.compile(
    "(?<=[\uac00-\ud7af]{2})(?:에서|으로|에게|까지|부터|처럼|은|는|이|가|을|를|의|에|로|와|과|도|만|들)$"
)
"""What Korean puts behind a noun."""
KEY_CHARS = 2
"""Letters that all forms of a word are taken to begin with."""


def is_mark(char: str) -> bool:
    """Whether it is a mark on the letter before it."""
    return _IS_MARK.match(char) is not None


@lru_cache(maxsize=1 << 14)
def compose(word: str) -> str:
    """In lower case, each letter with its marks as one character where there is one."""
    return unicodedata.normalize("NFC", word).lower()


def prefix_key_of(word: str) -> str:
    """How a composed word begins: forms of one word have the same."""
    return word[:KEY_CHARS]


def is_form_of(word: str, other: str) -> bool:
    """Whether two words, composed, look like the same with other endings: `заголовок`, `заголовке`."""
    if _SIGNS.match(word):
        return _without_particle(word) == _without_particle(other)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    shorter, longer = sorted((len(word), len(other)))
    least, share = (_MIN_STEM, _MUCH) if common == shorter else (_MIN_COMMON, _MOST if common <= _MIN_COMMON else _MUCH)
    return common >= least and common >= share * longer


def _without_particle(word: str) -> str:
    return _PARTICLE.sub("", word)


def has_signs(word: str) -> bool:
    """Whether it has a word of a script that writes no blanks between them (or, like Korean, none before endings)."""
    return any(len(signs) >= MIN_SIGNS for signs in _SIGNS.findall(word))


def spellings_of(word: str) -> tuple[str, ...]:
    """The word as it is, with composed letters, and with their marks apart."""
    return tuple(dict.fromkeys((word, *(unicodedata.normalize(form, word) for form in ("NFC", "NFD")))))


def is_made_of(word: str, text: str) -> bool:
    """Whether a word of signs is pieces of a text put together, each of two signs at least, perhaps tied by others."""
    word, text = compose(word), compose(text)
    reached = {0}
    for start in range(len(word)):
        if start in reached:
            reached.update(_piece_ends(word, start, text))
    return len(word) in reached


def _piece_ends(word: str, start: int, text: str) -> Iterator[int]:
    if _BETWEEN.match(word, start):
        yield start + 1
    for end in range(start + MIN_SIGNS, len(word) + 1):
        if word[start:end] not in text:
            return
        yield end
