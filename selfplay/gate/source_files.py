"""Source files: the identifiers, literals and sentences of any, and the content of a target.

Read without a parser, since it has to do for any language.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfplay.core.task import Answer, Target
from selfplay.gate.text.view import words_of
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import Snapshot

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
    """The vocabulary of a file: its code, strings and comments are told apart by its extension."""
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
    """Lines that distinguish this file from others: long enough and of two words at least, stripped."""
    return frozenset(_filter_distinctive(lines))


def _filter_distinctive(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        bare = line.strip()
        if _MIN_LINE <= len(bare) <= _MAX_LINE and len(words_of(bare)) > 1:
            yield bare


_MAX_BYTES = 2 << 20
_MAX_LINES = 20_000
"""Lines read of a file that is larger than that."""
_BLOCK = 10
"""Lines after its first that stand for a definition, where a task does not say which lines it has."""


@dataclass(frozen=True, slots=True)
class TargetFile:
    """One file of the answer."""

    path: str
    text: str
    """Its content; of a repository that can't be read, what the patch shows of it."""
    vocabulary: SourceVocabulary
    lines: frozenset[str]
    """Distinctive lines of what the task is about in it."""


def read_target(answer: Answer, path: str, snapshot: Snapshot | None) -> TargetFile:
    """One file of the answer; without a snapshot, what the patch shows of it."""
    lines = _read_lines(answer, path, snapshot)
    text = "\n".join(lines)
    targets = [t for t in answer.targets if t.path == path]
    return TargetFile(
        path, text, parse_source(path, text), select_distinctive_lines(list(_select_target_lines(targets, lines)))
    )


def _read_lines(answer: Answer, path: str, snapshot: Snapshot | None) -> Sequence[str]:
    if snapshot is None:
        return _read_patch_lines(answer.patch or "", path)
    try:
        text = snapshot.text(path)
    except ToolsError:
        return ()
    return text.lines if text.size <= _MAX_BYTES else text.lines[:_MAX_LINES]


def _select_target_lines(targets: Sequence[Target], lines: Sequence[str]) -> Iterator[str]:
    """The lines that the targets in one file are about; all of them where a target is the whole file."""
    if any(t.lines is None and t.symbol is None for t in targets):
        yield from lines
        return
    for target in targets:
        first, last = target.lines or _locate_definition(target.symbol or "", lines)
        yield from lines[first - 1 : last]


def _locate_definition(symbol: str, lines: Sequence[str]) -> tuple[int, int]:
    """About where a symbol is defined: the line that first names it with a bracket or keyword, and ten after it."""
    name = re.escape(re.split(r"[.:#]+", symbol)[-1])
    pattern = re.compile(
        rf"\b(?:def|class|func|fn|function|type|struct|interface|enum|const|module|trait)\b.*\b{name}\b"
    )
    call = re.compile(rf"\b{name}\s*\(")
    for wanted in (pattern, call):
        for number, line in enumerate(lines, 1):
            if wanted.search(line):
                return number, number + _BLOCK
    return 1, len(lines)


def _read_patch_lines(patch: str, path: str) -> Sequence[str]:
    """What a unified diff shows of a file, added lines included."""
    lines: list[str] = []
    is_here = False
    for row in patch.splitlines():
        if row.startswith(("diff --git", "--- ")):
            is_here = row.rstrip().endswith(f"/{path}") or row.rstrip().endswith(f" {path}")
        elif row.startswith("+++ "):
            is_here = is_here or row.rstrip().endswith(f"/{path}") or row.rstrip().endswith(f" {path}")
        elif is_here and row[:1] in {"+", "-", " "}:
            lines.append(row[1:])
    return lines
