r"""A text in C cut between its definitions, so that a few lines of it can be parsed without the rest.

A cut is where something ended at the left margin (a line `}`, or one from `}` to `;`) and another thing begins there.
Whatever a grammar fails at then spoils one part, and a part reads the same however much is read of the others. A text
that is not laid out like that is one part: with statements at the left margin, or with `extern "C"`.
"""

import re
from collections.abc import Iterator
from itertools import chain

from selfplay_tools.lexing import REST_OF_ORDER, line_of_code, quiet_ranges
from selfplay_tools.linear import compiled
from selfplay_tools.spans import Spans

_CUT_LANGUAGES = frozenset({"c"})
_STATEMENT = compiled(r"(?m)^(?:if|else|for|while|do|switch|case|return|break|continue|goto)\b")
_CLOSED = b"\n}"
# Blank lines belong to what is above them. What an order to the preprocessor stands between is told by what follows.
_CUT = re.compile(
    rb"\n(\}(?:[^\n]*;)?)[ \t]*+\n(?:[ \t]*+\n)*+(?=(?:[ \t]*+\n|#[^\n]*+\n)*+(?:[A-Za-z_/]|\Z))", re.DOTALL
)
_CONDITION = re.compile(rb"^[ \t]*#[ \t]*(if|elif|else|endif)" + REST_OF_ORDER, re.DOTALL | re.MULTILINE)
_NOT_A_LINE_END = re.compile(rb"[^\n]")


def is_cut(language: str, source: bytes) -> bool:
    """Whether a text may have more than one part."""
    return language in _CUT_LANGUAGES and b'extern "C"' not in source and _STATEMENT.place(source, 0, len(source)) < 0


def parts(source: bytes, quiet: Spans) -> Iterator[tuple[int, int]]:
    """Where the parts of a text that `is_cut` begin and end, in order; `quiet` is all its `quiet_text`."""
    start = 0
    for end in (*_cuts(source, 0, len(source), zip(quiet.starts, quiet.ends, strict=True)), len(source)):
        if start < end:
            yield start, end
        start = end


def part_around(language: str, source: bytes, place: int) -> tuple[int, int]:
    """The one of `parts` that a place in code lies in."""
    start, until = 0, place
    while until and not start:
        begin = line_of_code(language, source, until)
        ranges = quiet_ranges(language, source, begin, until)
        start = max((end for end in _cuts(source, begin, until, ranges) if end <= place), default=0)
        until = begin
    ranges = quiet_ranges(language, source, start, len(source))
    return start, next(_cuts(source, start, len(source), ranges), len(source))


def _cuts(source: bytes, start: int, until: int, quiet: Iterator[tuple[int, int]]) -> Iterator[int]:
    """The cuts behind lines that end in that range; `quiet` are the comments and strings there."""
    none = len(source), len(source)
    first, last = next(quiet, none)
    at = source.find(_CLOSED, max(start - 1, 0), until)
    while at >= 0:
        if cut := _cut(source, at):
            while last <= cut.start(1):
                first, last = next(quiet, none)
            if first >= cut.end(1):
                yield cut.end()
        at = source.find(_CLOSED, at + 1, until)


def _cut(source: bytes, at: int) -> re.Match[bytes] | None:
    """The cut behind the line end at that place, if it is one wherever no comment or string touches its line."""
    return None if source[at - 1 : at] == b"\\" else _CUT.match(source, at)


def parsable(part: bytes) -> bytes:
    """The part with blanks, of the same length, for conditions of the preprocessor that end or begin elsewhere."""
    if b"#" not in part:
        return part
    opened: list[list[tuple[int, int]]] = []
    alone: list[tuple[int, int]] = []
    for order in _CONDITION.finditer(part):
        if order[1] == b"if":
            opened.append([])
        (opened[-1] if opened else alone).append(order.span())
        if order[1] == b"endif" and opened:
            opened.pop()
    text = bytearray(part)
    for start, end in chain(alone, *opened):
        text[start:end] = _NOT_A_LINE_END.sub(b" ", part[start:end])
    return bytes(text)
