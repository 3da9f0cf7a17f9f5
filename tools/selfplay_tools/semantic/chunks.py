"""A file's text in chunks for embedding: cut where definitions begin and end, else between paragraphs.

A chunk is made from a text and the kind of its name alone, never from its path: equal blobs have equal chunks.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from selfplay_tools.code.code_file import parse_code
from selfplay_tools.code.definitions import Definition
from selfplay_tools.code.languages import may_have_language, name_and_suffix
from selfplay_tools.output import clip

VERSION = 1
"""Of what this module makes: vectors of another version are never mixed with those of this one."""
MAX_CHARS = 1_600
"""Of a chunk's lines, with their ends: about 450 tokens of code, what small models read of a text."""
ALONE_CHARS = 240
"""A definition of so many characters is a chunk by itself; smaller ones share one with their neighbours."""
NAME_CHARS = 120


@dataclass(frozen=True, slots=True)
class CodeChunk:
    """Some lines of a text in a row."""

    first: int
    """1-based."""
    last: int
    name: str
    """The definition that it is, or is a part of (`Outer.name`); empty outside of all."""
    text: str
    """What is embedded: the name, then the lines."""

    @property
    def digest(self) -> int:
        """Stands for the text: equal texts share one vector, in whatever blobs they are."""
        return int.from_bytes(hashlib.sha256(self.text.encode()).digest()[:8], "little")


@dataclass(frozen=True, slots=True)
class _LineRun:
    """Lines from `start`, 0-based, up to `end`, exclusive."""

    start: int
    end: int
    name: str
    is_alone: bool
    is_head: bool = False
    """Whether it is the beginning of a definition whose parts follow."""


def kind_of(path: str) -> str:
    """The part of a path that decides its language: files with equal content and equal kind have the same chunks."""
    if not may_have_language(path):
        return ""
    name, suffix = name_and_suffix(path)
    return suffix or name


def cut_into_chunks(kind: str, source: bytes) -> tuple[CodeChunk, ...]:
    r"""The chunks of a text (UTF-8, every line ended by `\n`), in its order; together all its lines but blank ones.

    A text that can't be parsed, or is in no known language, is cut between paragraphs.
    """
    lines = source.decode("utf-8", "replace").split("\n")[:-1]
    text = _MeasuredLines(lines)
    # A suffix alone is no file name: the parser wants to see one.
    found = parse_code(f"file{kind}" if kind.startswith(".") else kind, source).definitions if kind else ()
    pieces = text.cut(0, len(lines), "", tuple(sorted(found, key=lambda one: (one.first, -one.last))))
    return tuple(chunk for piece in _join_small(pieces, text) for chunk in text.make_chunks(piece))


class _MeasuredLines:
    """Lines, and how many characters some of them have together."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._sums = list(accumulate((len(line) + 1 for line in lines), initial=0))

    def size(self, start: int, end: int) -> int:
        return self._sums[end] - self._sums[start]

    def cut(self, start: int, end: int, name: str, inside: Sequence[Definition]) -> Iterator[_LineRun]:
        """The lines in pieces, in order; `name` is the definition that they are, `inside` those that stand in it.

        A piece has at most `MAX_CHARS`, or a single line.
        """
        if not inside or (name and self.size(start, end) <= MAX_CHARS):
            yield from self._cut_paragraphs(start, end, name)
            return
        at = start
        for one, below in _nest_definitions(inside):
            first, last = max(self._include_comment(one.first - 1, at), at), min(one.last, end)
            if last <= first:
                continue  # it begins on the line where the one before ends
            before = self._cut_paragraphs(at, first, name)
            yield from (replace(piece, is_head=True) for piece in before) if name and at == start else before
            yield from self.cut(first, last, " ".join(one.qualified.split())[:NAME_CHARS], below)
            at = last
        yield from self._cut_paragraphs(at, end, name)

    def _include_comment(self, start: int, lowest: int) -> int:
        """Where what stands right above a definition, without a blank line, begins."""
        while start > lowest and self.lines[start - 1].strip() and self.lines[start - 1].lstrip()[:1] in _COMMENT:
            start -= 1
        return start

    def _cut_paragraphs(self, start: int, end: int, name: str) -> Iterator[_LineRun]:
        """Lines in pieces that end, where that is possible, with a blank line."""
        while start < end and not self.lines[start].strip():
            start += 1
        while start < end:
            stop = self._find_stop(start, end)
            is_alone = bool(name) and self.size(start, stop) >= ALONE_CHARS
            yield _LineRun(start, stop, name, is_alone)
            start = stop

    def _find_stop(self, start: int, end: int) -> int:
        """The end of a piece that begins there."""
        fits = start + 1
        paragraph = 0
        while fits < end and self.size(start, fits + 1) <= MAX_CHARS:
            fits += 1
            if not self.lines[fits - 1].strip() and self.size(start, fits) >= MAX_CHARS // 2:
                paragraph = fits
        return end if fits >= end else paragraph or fits

    def make_chunks(self, piece: _LineRun) -> Iterator[CodeChunk]:
        """The piece as a chunk, without blank lines around it; none if nothing in it is a word."""
        start, end = piece.start, piece.end
        while start < end and not self.lines[start].strip():
            start += 1
        while start < end and not self.lines[end - 1].strip():
            end -= 1
        body = "\n".join(clip(line, width=MAX_CHARS) for line in self.lines[start:end])
        if any(map(str.isalnum, body)):
            yield CodeChunk(start + 1, end, piece.name, f"{piece.name}\n{body}" if piece.name else body)


_COMMENT = frozenset("#/*@;-")
"""What lines above a definition begin with if they belong to it."""


def _nest_definitions(found: Sequence[Definition]) -> Iterator[tuple[Definition, Sequence[Definition]]]:
    """Those that stand in no other, each with what stands in it. `found` is sorted, the wider first."""
    at = 0
    while at < len(found):
        stop = at + 1
        while stop < len(found) and found[stop].first <= found[at].last and found[stop].last <= found[at].last:
            stop += 1
        yield found[at], found[at + 1 : stop]
        at = stop


def _join_small(pieces: Iterator[_LineRun], text: _MeasuredLines) -> Iterator[_LineRun]:
    """Neighbours that are small put together; what they have in common of their names becomes the name."""
    before: _LineRun | None = None
    for piece in pieces:
        is_apart = not before or before.is_alone or piece.is_alone or piece.is_head
        if before and not is_apart and text.size(before.start, piece.end) <= MAX_CHARS:
            before = replace(before, end=piece.end, name=_common_name(before.name, piece.name))
            continue
        if before:
            yield before
        before = piece
    if before:
        yield before


def _common_name(one: str, other: str) -> str:
    shared: list[str] = []
    for ours, theirs in zip(one.split("."), other.split("."), strict=False):
        if ours != theirs:
            break
        shared.append(ours)
    return ".".join(shared)
