"""Words of source text and of queries, so that `SERVER_HEADER`, `serverHeader` and "server headers" meet.

An identifier gives itself (lower-cased) and its parts; a plural gives its singular. Queries and texts go through the
same functions.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

MAX_WORD_CHARS = 64
"""Longer runs are data (hashes, base64), not words."""

_IDENTIFIER = re.compile(r"[^\W\d]\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_NO_PLURAL = ("ss", "us", "is")
MIN_PLURAL_CHARS = 4


def word_counts(text: str) -> Counter[str]:
    """How often each word occurs in `text`."""
    counts: Counter[str] = Counter()
    for identifier, count in Counter(_IDENTIFIER.findall(text)).items():
        for word in list_occurrences(identifier):
            counts[word] += count
    return counts


@lru_cache(maxsize=1 << 16)
def list_occurrences(identifier: str) -> tuple[str, ...]:
    """The identifier and its parts as a text counts them: a part that occurs twice twice, an only part once."""
    if len(identifier) > MAX_WORD_CHARS:
        return ()
    found = _split_parts(identifier)
    whole = identifier.strip("_")
    forms = found if found == [whole] else [whole, *found]
    return tuple(word for form in forms if len(form) > 1 and len(word := singular_of(form.lower())) > 1)


@lru_cache(maxsize=1 << 16)
def words_of(identifier: str) -> tuple[str, ...]:
    """The words that one identifier stands for, each once: `HTTPHeaders2` is httpheaders2, http, header."""
    return tuple(dict.fromkeys(list_occurrences(identifier)))


def find_identifiers(text: str) -> list[str]:
    """The identifiers and plain words of the text, as they stand there."""
    return _IDENTIFIER.findall(text)


def find_words(text: str) -> Iterator[str]:
    """Every word of the text, as often as it counts, in order."""
    return (word for identifier in _IDENTIFIER.findall(text) for word in list_occurrences(identifier))


def _split_parts(identifier: str) -> list[str]:
    return _PART.findall(identifier) if identifier.isascii() else _split_parts_beyond_ascii(identifier)


def _split_parts_beyond_ascii(identifier: str) -> list[str]:
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
    return tuple(dict.fromkeys(word for text in words for word in find_words(text)))


def singular_of(word: str) -> str:
    """`headers` is header, `entries` is entry; a short word, or one on -ss, -us, -is, stays."""
    if len(word) < MIN_PLURAL_CHARS or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]
