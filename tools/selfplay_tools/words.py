"""Words of source text and of queries, so that `SERVER_HEADER`, `serverHeader` and "server headers" meet.

An identifier gives itself (lower-cased) and its parts; a plural gives its singular. Queries and texts go through the
same functions.
"""

import re
from collections import Counter
from functools import lru_cache

MAX_WORD_CHARS = 64
"""Longer runs are data (hashes, base64), not words."""

_IDENTIFIER = re.compile(r"[^\W\d]\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_NO_PLURAL = ("ss", "us", "is")
_MIN_PLURAL_CHARS = 4


def word_counts(text: str) -> Counter[str]:
    """How often each word occurs in `text`."""
    counts: Counter[str] = Counter()
    for identifier, count in Counter(_IDENTIFIER.findall(text)).items():
        for word in words_of(identifier):
            counts[word] += count
    return counts


@lru_cache(maxsize=1 << 16)
def words_of(identifier: str) -> tuple[str, ...]:
    """The words that one identifier stands for, each once: `HTTPHeaders2` is httpheaders2, http, header."""
    if len(identifier) > MAX_WORD_CHARS:
        return ()
    found = _PART.findall(identifier) if identifier.isascii() else _parts_beyond_ascii(identifier)
    parts = [singular(part.lower()) for part in found]
    whole = identifier.strip("_").lower()
    return tuple(dict.fromkeys(word for word in (singular(whole), *parts) if len(word) > 1))


def _parts_beyond_ascii(identifier: str) -> list[str]:
    """Letters up to the next capital that follows a small one: `größeÄndern` is größe, Ändern."""
    parts: list[str] = []
    for run in _LETTERS.findall(identifier):
        start = 0
        for at in range(1, len(run)):
            if run[at].isupper() and run[at - 1].islower():
                parts.append(run[start:at])
                start = at
        parts.append(run[start:])
    return parts


def query_words(words: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The words of a query, each once, in order."""
    found = (word for text in words for identifier in _IDENTIFIER.findall(text) for word in words_of(identifier))
    return tuple(dict.fromkeys(found))


def singular(word: str) -> str:
    """`headers` is header, `entries` is entry; a short word, or one on -ss, -us, -is, stays."""
    if len(word) < _MIN_PLURAL_CHARS or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]
