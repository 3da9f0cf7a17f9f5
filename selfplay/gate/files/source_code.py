"""Identifiers, literals and lines of a source file, without a parser: it has to do for any language."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfplay.gate.text.view import words_of

_HASH_COMMENTS = frozenset(
    "py pyi rb rake sh bash zsh yaml yml toml pl pm r ex exs ps1 nim cmake mk tf conf properties".split()
)
_DASH_COMMENTS = frozenset("sql lua hs".split())
_PROSE = frozenset("md rst txt adoc".split())
_PROSE_NAMES = frozenset(
    "readme changes changelog history news license licence copying authors contributing todo".split()
)
# What is not closed runs to the end, so that no file takes longer than it is long.
_STRINGS = (
    r'""".*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?P<d>(?:[^"\\\n]|\\.)*)"|\'(?P<s>(?:[^\'\\\n]|\\.)*)\'|`(?P<b>[^`\n]*)`'
)
_SLASH_COMMENTS = r"//[^\n]*|/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)"
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"(?<![\w.])(?:0x[0-9a-fA-F]{4,}|\d[\d_]{4,}(?:\.\d+)?)(?!\w)")
_COMPOUND = re.compile(r"(?<![\w/.-])[A-Za-z]\w*(?:[-._]\w+)+(?![\w/])")
"""A name inside a longer literal: `Content-Length` in `"Content-Length: {n}"`."""
_SLOT = re.compile(r"\{[^{}]*\}|%[sdrif]|\\[nrt0]|\$\{?\w+\}?")
"""What a program fills in, and escapes."""
_MENTION = re.compile(r"(?<!\w)[A-Za-z]\w*_\w+")
"""A word of a comment that can only be a name."""
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n\s*(?:[#/*]+\s*)?(?:\n|$)")
_COMMENT_SIGNS = re.compile(
    r"^[ \t]*(?:#+|//+[/!]?|/\*+!?|\*+/?|--+|<!--)[ \t]?|\*+/\s*$|-->\s*$|\"\"\"|'''", re.MULTILINE
)
_MIN_LINE = 10
_MAX_LINE = 400
"""Longer lines reach the player cut."""
_MAX_LITERAL = 120
MIN_NAME = 3
"""Letters and digits of the shortest identifier or literal that is looked for."""


@dataclass(frozen=True, slots=True)
class SourceVocabulary:
    """What a file's text holds."""

    identifiers: frozenset[str]
    """Words of its code, comments and strings left out."""
    literals: frozenset[str]
    """Contents of its strings on one line, and long numbers."""
    comment_names: frozenset[str] = frozenset()
    """Words of comments and of strings over several lines that have an underscore inside."""
    sentences: frozenset[tuple[str, ...]] = frozenset()
    """The words of each sentence of those, in lower case; of a text file, of all its sentences."""


def is_prose(path: str) -> bool:
    """Whether a file is written for people: what it mentions is not defined or used there."""
    stem, _, extension = path.rpartition("/")[2].lower().rpartition(".")
    return extension in _PROSE or (stem or extension) in _PROSE_NAMES


def parse_source(path: str, text: str) -> SourceVocabulary:
    """Tell code, strings and comments of a file apart, by its extension."""
    extension = path.rpartition(".")[2].lower()
    if extension in _PROSE:
        words = (w for w in _IDENTIFIER.findall(text) if "_" in w or not (w.islower() or w.istitle() or w.isupper()))
        return SourceVocabulary(frozenset(words), frozenset(), sentences=frozenset(_split_sentences(text)))
    literals: set[str] = set()
    code: list[str] = []
    quiet: list[str] = []
    end = 0
    for match in _comment_and_string_pattern(extension).finditer(text):
        code.append(text[end : match.start()])
        end = match.end()
        values = match.group("d", "s", "b")
        literals.update(v for v in values if v and "\n" not in v and len(v) <= _MAX_LITERAL)
        if values == (None, None, None):
            quiet.append(match.group())
    code.append(text[end:])
    for literal in tuple(literals):
        literals.update(_COMPOUND.findall(literal))
        literals.update(piece for piece in _SLOT.split(literal) if len(words_of(piece)) > 1)
    rest = " ".join(code)
    words = "\n".join(quiet)
    return SourceVocabulary(
        frozenset(_IDENTIFIER.findall(rest)),
        frozenset(literals) | frozenset(_NUMBER.findall(rest)),
        frozenset(_MENTION.findall(words)),
        frozenset(_split_sentences(words)),
    )


def _split_sentences(text: str) -> Iterator[tuple[str, ...]]:
    """The words of each sentence; signs of comments left out, a blank line ends one too."""
    for sentence in _SENTENCE_END.split(_COMMENT_SIGNS.sub("", text)):
        if words := tuple(words_of(sentence)):
            yield words


def _comment_and_string_pattern(extension: str) -> re.Pattern[str]:
    comment = _SLASH_COMMENTS
    if extension in _HASH_COMMENTS or extension == "":
        comment = r"\#[^\n]*"
    elif extension in _DASH_COMMENTS:
        comment = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
    elif extension == "php":
        comment = rf"{_SLASH_COMMENTS}|\#[^\n]*"
    return re.compile(f"{comment}|{_STRINGS}", re.DOTALL)


def select_distinctive_lines(lines: Sequence[str]) -> frozenset[str]:
    """Lines that tell this file from others: long enough and of two words at least, without the space around them."""
    return frozenset(_filter_distinctive(lines))


def _filter_distinctive(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        bare = line.strip()
        if _MIN_LINE <= len(bare) <= _MAX_LINE and len(words_of(bare)) > 1:
            yield bare
