"""Syntax trees: parsed within bounds, in a way that lets other threads run."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import thread_time

import numpy as np
from numpy.typing import NDArray
from tree_sitter import Node, Parser, Query, QueryCursor, Tree

from selfplay_tools.code.c_source import blank_macros
from selfplay_tools.code.languages import Language, load_grammar, make_non_code_query
from selfplay_tools.errors import NotReadable
from selfplay_tools.output import format_size


@dataclass(frozen=True, slots=True)
class ByteRanges:
    """Byte ranges that do not overlap, in order."""

    starts: "array[int]"
    ends: "array[int]"

    @classmethod
    def from_ranges(cls, ranges: Iterable[tuple[int, int]]) -> "ByteRanges":
        """The ranges; one inside of another is dropped."""
        starts, ends = array("L"), array("L")
        for start, end in sorted(ranges, key=lambda span: (span[0], -span[1])):
            if not ends or start >= ends[-1]:
                starts.append(start)
                ends.append(end)
        return cls(starts, ends)

    def contains(self, place: int) -> bool:
        """Whether the byte lies in one of them."""
        index = bisect_right(self.starts, place) - 1
        return index >= 0 and place < self.ends[index]


MAX_BRACKETS = 3_000
"""Open round, square and curly brackets at one place. Brackets in strings and comments are counted too."""
MAX_ANGLES = 1_000
"""Open `<` right behind a word, within one statement: type arguments, or comparisons that look so."""

_OPENING, _CLOSING = b"([{", b")]}"
_STATEMENT_ENDS = b";{}"
_ANGLE = re.compile(rb"[;{}]|\w<|[^-=]>")


def nests_too_deeply(source: bytes) -> bool:
    """Whether more brackets are open somewhere than any code that people write has."""
    if sum(map(source.count, (b"(", b"[", b"{"))) > MAX_BRACKETS and _max_depth(source) > MAX_BRACKETS:
        return True
    return (
        source.count(b"<") > MAX_ANGLES and _max_angles_in_statement(source) > MAX_ANGLES and _has_nested_angles(source)
    )


def _max_depth(source: bytes) -> int:
    """The most brackets that are open at one place; closing ones that were never opened do not count."""
    steps = np.zeros(256, np.int8)
    steps[list(_OPENING)], steps[list(_CLOSING)] = 1, -1
    taken = steps[_codes_of(source)]
    heights = np.cumsum(taken[taken != 0], dtype=np.int32)
    floor = np.minimum(np.minimum.accumulate(heights), 0)
    return int((heights - floor).max(initial=0))


def _max_angles_in_statement(source: bytes) -> int:
    """The most `<` between two ends of statements: a quick look that needs no walk over the text."""
    codes = _codes_of(source)
    ends = np.flatnonzero(np.isin(codes, list(_STATEMENT_ENDS)))
    angles = np.flatnonzero(codes == ord("<"))
    return int(np.bincount(np.searchsorted(ends, angles)).max(initial=0))


def _codes_of(source: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(source, np.uint8)


def _has_nested_angles(source: bytes) -> bool:
    opened = 0
    for token in _ANGLE.finditer(source):
        mark = token[0][-1:]
        opened = opened + 1 if mark == b"<" else max(opened - 1, 0) if mark == b">" else 0
        if opened > MAX_ANGLES:
            return True
    return False


TANGLED = "its text is too tangled to be parsed"
MAX_PARSED_BYTES = 1 << 20
"""Larger files are not parsed: they are generated or data."""
MAX_PARSER_WORK = 25_000
"""Reports of progress after which a parser is stopped, one per hundred of its operations. Real code makes up to 20 per
KiB. Counted, not timed: an answer must not depend on the machine."""
MAX_READS = 5_000
"""How often a parser may ask for a piece of the text: some scanners look far ahead, again and again."""
MAX_PARSER_S = 5.0
"""Processor seconds of the thread. The last resort, fifty times what a file of that size needs: there are texts that
slow a parser down without more operations."""
MAX_BROKEN_WIDTH = 5_000
"""Pieces side by side that a parser could make nothing of: queries take time by the square of them."""
MAX_QUERIED_DEPTH = 200
"""Nothing is looked for deeper in a tree: queries take time by the square of the depth."""
QUERIED_BYTES = 96 << 10
"""Of a text that a query looks at in one go: the interpreter's lock is held for that long, some ten milliseconds."""
_CHUNK_BYTES = 1 << 14
_TIMED_EVERY = 64
"""Reports of progress after which a parser's time is looked at."""

QueryMatch = dict[str, list[Node]]
"""Captured nodes of one match, by the captures' names."""


class _ParserEffort:
    """What a parser has done so far, and whether that is too much."""

    def __init__(self, text: bytes, most_work: int, until: float) -> None:
        self._text = text
        self._steps_left = most_work
        self._reads_left = MAX_READS
        self._until = until

    def read_chunk(self, offset: int, _point: object) -> bytes:
        self._reads_left -= 1
        return self._text[offset : offset + _CHUNK_BYTES] if self._reads_left > 0 else b""

    def is_too_much(self, _offset: int, _has_error: bool, /) -> bool:  # noqa: FBT001  # the parser calls it so
        self._steps_left -= 1
        if self._steps_left <= 0 or self._reads_left <= 0:
            return True
        return self._steps_left % _TIMED_EVERY == 0 and thread_time() > self._until

    @property
    def is_cut_short(self) -> bool:
        """Whether the parser was not given the whole text."""
        return self._reads_left <= 0


def require_parsable(source: bytes) -> None:
    """Raises NotReadable for a text that is too large or nests too deeply to be parsed, whatever its language."""
    if len(source) > MAX_PARSED_BYTES:
        raise NotReadable(
            f"{format_size(len(source))} of text; files over {format_size(MAX_PARSED_BYTES)} are not parsed"
        )
    if nests_too_deeply(source):
        raise NotReadable(TANGLED)


def parse(language: Language, source: bytes, *, most_work: int = MAX_PARSER_WORK, until: float | None = None) -> Tree:
    """The syntax tree of a text; given up after `most_work`, or when `thread_time` is `until`.

    Raises NotReadable where the text is too large or too tangled for that.
    """
    require_parsable(source)
    text = blank_macros(source) if language.name in ("c", "cpp") else source
    effort = _ParserEffort(text, most_work, thread_time() + MAX_PARSER_S if until is None else until)
    try:
        # By callback, because the parser holds the interpreter's lock in between.
        tree = Parser(load_grammar(language)).parse(effort.read_chunk, progress_callback=effort.is_too_much)
    except ValueError as error:
        raise NotReadable(TANGLED) from error
    if effort.is_cut_short or _is_shattered(tree):
        raise NotReadable(TANGLED)
    return tree


def _is_shattered(tree: Tree) -> bool:
    """Whether somewhere in the tree too many pieces that make no sense stand side by side."""
    broken = [tree.root_node] if tree.root_node.has_error else []
    while broken:
        node = broken.pop()
        if node.is_error and node.child_count > MAX_BROKEN_WIDTH:
            return True
        broken += [child for child in node.children if child.has_error]
    return False


def find_matches(query: Query, tree: Tree, piece_bytes: int = QUERIED_BYTES) -> Iterator[tuple[int, QueryMatch]]:
    """The number of the pattern and the captured nodes of each match, each once.

    The text is looked at in pieces, so that other threads can run in between; what comes out is the same for all sizes.
    """
    cursor = _make_cursor(query)
    for start, end in cut_pieces(tree.root_node.end_byte, piece_bytes):
        cursor.set_byte_range(start, end)
        for number, match in cursor.matches(tree.root_node):
            # Also found are matches that reach into the piece, or stand beside it in the same node.
            if start <= next(iter(match.values()))[0].start_byte < end:
                yield number, match


def cut_pieces(length: int, piece_bytes: int) -> Iterator[tuple[int, int]]:
    """Byte ranges, one after another, that cover a text and the place right behind it."""
    cuts = range(0, max(length, 1), piece_bytes)
    yield from zip(cuts, (*cuts[1:], length + 1), strict=True)


def _make_cursor(query: Query) -> QueryCursor:
    """A cursor; never with a progress callback: tree-sitter 0.26.1 crashes the process then."""
    cursor = QueryCursor(query)
    cursor.set_max_start_depth(MAX_QUERIED_DEPTH)
    return cursor


def find_non_code(language: Language, tree: Tree, piece_bytes: int = QUERIED_BYTES) -> ByteRanges:
    """Where the text is not code: comments, and the text in strings."""
    cursor = _make_cursor(make_non_code_query(language))
    ranges: list[tuple[int, int]] = []
    for start, end in cut_pieces(tree.root_node.end_byte, piece_bytes):
        cursor.set_byte_range(start, end)
        ranges += ((node.start_byte, node.end_byte) for node in cursor.captures(tree.root_node).get("quiet", ()))
    return ByteRanges.from_ranges(ranges)
