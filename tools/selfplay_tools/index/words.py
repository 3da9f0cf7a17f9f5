"""Words of source text and of queries, so that `SERVER_HEADER`, `serverHeader` and "server headers" meet.

An identifier gives itself (lower-cased) and its parts; a plural gives its singular. Queries and texts go through the
same functions. The names that a text seems to define, which ranking counts apart from other words, are found from its
lines alone, without a syntax tree or a language: that must be many times as fast as a parser, and depend on the text
only, not on its path. A call at the beginning of a line can pass for a definition, which ranking tolerates. For exact
definitions see `selfplay_tools.code.definitions`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from selfplay_tools.text.regex import compile_regex

_MODIFIERS = (
    r"(?:(?:pub(?:\([^)]*\))?|export|default|async|static|public|private|protected|abstract|final|unsafe|inline|const"
    r"|extern(?:[ \t]+\"C\")?|virtual|override|declare|partial|internal|sealed|constexpr|open|typedef)[ \t]+)*"
)
_KEYWORDS = (
    r"(?:def|class|func|function\*?|fn|struct|enum(?:[ \t]+class)?|union|interface|trait|type|module|namespace"
    r"|macro_rules!|impl(?:<[^>]*>)?)"
)
_OF_MEMBERS = r"(?:public|private|protected|static|final|abstract|async|override|virtual|synchronized|get|set)"
# Each ends with the name.
_HEADS = (
    rf"^[ \t]*{_MODIFIERS}{_KEYWORDS}[ \t]+(?:\([^)]*\)[ \t]*)?(?:self\.)?\w+",  # def name, func (r *T) name
    r"^(?:export[ \t]+)?(?:const|let|var)[ \t]+\w+",
    r"^#[ \t]*define[ \t]+\w+",
)
# Each has its name before the first round bracket or equals sign.
_LINES = (
    r"^(?:[A-Za-z_][\w*&<>,: \t]*[ \t*&:])?[A-Za-z_]\w*[ \t]*\([^;]*$",  # static int name(int a)
    rf"^[ \t]+(?:{_OF_MEMBERS}[ \t]+)+(?:[\w<>\[\],.?]+[ \t]+)*\w+[ \t]*[(=]",
    r"^[ \t]+\w+[ \t]*\([^;()]*\)[ \t]*(?::[^;]*)?\{[ \t]*$",  # a method: name(a, b) {
    r"^[ \t]*(?:\w+\.)+\w+[ \t]*=[ \t]*(?:async[ \t]+)?(?:function|\()",  # exports.name = function
    r"^[A-Za-z_]\w*[ \t]*=[^=]",  # NAME = 1
)
_HEAD, _LINE = (compile_regex(f"(?m){'|'.join(forms)}") for forms in (_HEADS, _LINES))
_LAST = re.compile(rb"(?m)(\w+)$")
_BEFORE = re.compile(rb"(?m)^[^(=\n]*?(\w+)[ \t]*[(=]")
_NO_NAMES = frozenset(
    b"if for while switch catch return else with do elif struct enum union function func class import const var"
    b" pub".split()
)


def find_declared_names(text: bytes) -> list[bytes]:
    """The names in a text in UTF-8, each as often as it seems to be defined; only those of ASCII letters."""
    heads = b"\n".join([text[start:end] for start, end in _HEAD.find_spans(text)])
    lines = b"\n".join([text[start:end] for start, end in _LINE.find_spans(text)])
    return [name for name in (*_LAST.findall(heads), *_BEFORE.findall(lines)) if name not in _NO_NAMES]


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


def singular_of(word: str) -> str:
    """`headers` is header, `entries` is entry; a short word, or one on -ss, -us, -is, stays."""
    if len(word) < MIN_PLURAL_CHARS or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]
