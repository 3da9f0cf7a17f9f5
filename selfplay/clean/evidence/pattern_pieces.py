"""What a pattern holds literally: the word pieces of a regular expression (RE2), of a glob, of plain text.

Patterns are read by hand, in one pass and without running them: a model wrote them, and no pattern may cost more
than its length. A pattern that no engine would accept is read as far as it makes sense.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from selfplay.clean.evidence.word_knowledge import WORD, is_mark

MAX_REGEX_CHARS = 4_000
"""Of an expression that are read."""
_WILDCARDS = "*?[]"
_GLOB_PIECE = re.compile(rf"\[[^\]/]*\]|[*?]+|{WORD.pattern}|[^\w*?\[]+|\[")
_COUNT = re.compile(r"\{\d*(?:,\d*)?\}")
_GROUP = re.compile(r"\((?:\?(?:P?<\w*>|[a-zA-Z-]*:|[a-zA-Z-]*(?=\))))?")
_BRACED = re.compile(r"\{[^}]*\}|.?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PatternPiece:
    """A run of letters, digits and underscores."""

    text: str
    start: int
    """Character of the pattern where it begins."""
    is_open_left: bool = False
    """Whether the word that is looked for may begin before it."""
    is_open_right: bool = False
    """Whether it may go on after it."""


class _AtomKind(Enum):
    LETTER = auto()
    ANY = auto()
    """Something that may be a letter: a class, a dot, a letter that may be missing."""
    BREAK = auto()
    """Something that ends a word: a sign, a blank, an anchor."""
    OPEN = auto()
    BAR = auto()
    CLOSE = auto()


_SIGNS = {"|": _AtomKind.BAR, ")": _AtomKind.CLOSE, ".": _AtomKind.ANY}


@dataclass(slots=True)
class _RegexAtom:
    kind: _AtomKind
    start: int
    end: int


def words_in(text: str) -> tuple[PatternPiece, ...]:
    """The words of plain text."""
    return tuple(PatternPiece(m.group(), m.start()) for m in WORD.finditer(text))


def pieces_of_regex(pattern: str) -> tuple[PatternPiece, ...]:
    """The word pieces that a match of the expression holds, those of all alternatives, in order."""
    atoms = list(_split_atoms(pattern[:MAX_REGEX_CHARS]))
    lefts, rights = _match_groups(atoms)
    found: list[PatternPiece] = []
    first = 0
    while first < len(atoms):
        if atoms[first].kind is not _AtomKind.LETTER:
            first += 1
            continue
        last = first
        while last + 1 < len(atoms) and atoms[last + 1].kind is _AtomKind.LETTER:
            last += 1
        start, end = atoms[first].start, atoms[last].end
        found.append(
            PatternPiece(
                pattern[start:end], start, _is_open(atoms, first - 1, -1, lefts), _is_open(atoms, last + 1, 1, rights)
            )
        )
        first = last + 1
    return tuple(found)


def _split_atoms(pattern: str) -> Iterator[_RegexAtom]:
    """The expression cut up; a letter that a quantifier makes optional is no letter any more."""
    at = 0
    before: _RegexAtom | None = None
    while at < len(pattern):
        atom = _read_atom(pattern, at)
        if atom is None:
            end = _find_quantifier_end(pattern, at)
            if before is not None and before.kind is _AtomKind.LETTER and _may_be_none(pattern[at:end]):
                before.kind = _AtomKind.ANY
            elif before is not None and before.kind in {_AtomKind.LETTER, _AtomKind.ANY}:
                yield before
                before = _RegexAtom(_AtomKind.ANY, at, end)
        else:
            if before is not None:
                yield before
            before, end = atom, atom.end
        at = max(end, at + 1)
    if before is not None:
        yield before


def _read_atom(pattern: str, at: int) -> _RegexAtom | None:
    """What begins there; None for a quantifier."""
    char = pattern[at]
    if char == "\\":
        return _read_escape(pattern, at)
    if char == "[":
        return _read_class(pattern, at)
    if char in "*+?" or (char == "{" and _COUNT.match(pattern, at)):
        return None
    head = _GROUP.match(pattern, at)
    if head:
        return _RegexAtom(_AtomKind.OPEN, at, head.end())
    kind = _SIGNS.get(char) or (_AtomKind.LETTER if char.isalnum() or char == "_" or is_mark(char) else _AtomKind.BREAK)
    return _RegexAtom(kind, at, at + 1)


def _read_escape(pattern: str, at: int) -> _RegexAtom:
    char = pattern[at + 1 : at + 2]
    if char in {"d", "w", "S", "D", "C"}:
        return _RegexAtom(_AtomKind.ANY, at, at + 2)
    if char in {"p", "P", "x"}:
        braced = _BRACED.match(pattern, at + 2)
        end = braced.end() if braced else at + 2
        is_bare_hex = char == "x" and pattern[at + 2 : at + 3] != "{"
        return _RegexAtom(_AtomKind.ANY, at, min(at + 4, len(pattern)) if is_bare_hex else end)
    return _RegexAtom(_AtomKind.ANY if char.isdigit() else _AtomKind.BREAK, at, at + 2)


def _read_class(pattern: str, at: int) -> _RegexAtom:
    """A class of signs alone ends a word; any other may be a letter."""
    end = at + 2 if pattern[at + 1 : at + 2] != "^" else at + 3
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    inner = pattern[at + 1 : end].replace("\\s", "").replace("\\t", "")
    has_letters = inner.startswith("^") or any(c.isalnum() or c == "_" for c in inner)
    return _RegexAtom(_AtomKind.ANY if has_letters else _AtomKind.BREAK, at, min(end + 1, len(pattern)))


def _find_quantifier_end(pattern: str, at: int) -> int:
    count = _COUNT.match(pattern, at)
    end = count.end() if count else at + 1
    return end + 1 if pattern[end : end + 1] == "?" else end


def _may_be_none(quantifier: str) -> bool:
    return quantifier[0] in "*?" or quantifier.startswith(("{0", "{,"))


def _match_groups(atoms: Sequence[_RegexAtom]) -> tuple[dict[int, int], dict[int, int]]:
    """For each bar: the bracket that opens its group and the one that closes it, or beyond the ends."""
    lefts: dict[int, int] = {}
    rights: dict[int, int] = {}
    groups: list[tuple[int, list[int]]] = [(-1, [])]
    for i, atom in enumerate(atoms):
        if atom.kind is _AtomKind.OPEN:
            groups.append((i, []))
        elif atom.kind is _AtomKind.BAR:
            lefts[i] = groups[-1][0]
            groups[-1][1].append(i)
        elif atom.kind is _AtomKind.CLOSE and len(groups) > 1:
            rights.update(dict.fromkeys(groups.pop()[1], i))
    for _, bars in groups:
        rights.update(dict.fromkeys(bars, len(atoms)))
    return lefts, rights


def _is_open(atoms: Sequence[_RegexAtom], at: int, step: int, partners: dict[int, int]) -> bool:
    """Whether a word may go on at that atom; going on by `step`, brackets at the edge of a group are passed over."""
    edge = _AtomKind.OPEN if step < 0 else _AtomKind.CLOSE
    while 0 <= at < len(atoms):
        kind = atoms[at].kind
        if kind is _AtomKind.BAR:
            at = partners[at] + step
        elif kind is edge:
            at += step
        else:
            return kind is not _AtomKind.BREAK
    return False


def has_wildcard(pattern: str) -> bool:
    """Whether a glob may match more than one path."""
    return any(sign in pattern for sign in "*?[{")


def fixed_folder(pattern: str) -> str:
    """The folders that a glob begins with, without their last slash: `src/app` of `src/app/**/*.py`."""
    parts = pattern.split("/")
    fixed = next((i for i, part in enumerate(parts) if has_wildcard(part)), len(parts))
    return "/".join(parts[:fixed])


def pieces_of_glob(pattern: str, start: int = 0) -> tuple[PatternPiece, ...]:
    """The word pieces of a glob from that character on; an extension after a dot is one of them."""
    tokens = [(m.group(), m.start()) for m in _GLOB_PIECE.finditer(pattern, start)]
    found: list[PatternPiece] = []
    for i, (text, at) in enumerate(tokens):
        if text[0].isalnum() or text[0] == "_":
            before = tokens[i - 1][0] if i else ""
            after = tokens[i + 1][0] if i + 1 < len(tokens) else ""
            found.append(PatternPiece(text, at, before[-1:] in set(_WILDCARDS), after[:1] in set(_WILDCARDS)))
    return tuple(found)
