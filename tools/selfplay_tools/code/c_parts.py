r"""A text in C cut between its definitions, so that a few lines of it can be parsed without the rest.

A cut is where something ended at the left margin (a line `}`, or one from `}` to `;`) and another thing begins there.
Whatever a grammar fails at then spoils one part, and a part reads the same however much is read of the others. A text
that is not laid out like that is one part: with statements at the left margin, or with `extern "C"`.
"""

import re
from collections.abc import Iterator
from itertools import chain

from selfplay_tools.code.lexer import find_directive_end, find_line_of_code, select_in_code
from selfplay_tools.text.regex import compile_regex

_CUT_LANGUAGES = frozenset({"c"})
_STATEMENT = compile_regex(r"(?m)^(?:if|else|for|while|do|switch|case|return|break|continue|goto)\b")
_CLOSED = b"\n}"
# No comment or string begins on the line. Blank lines belong to what is above them. What an order to the preprocessor
# stands between is told by what follows. No label is defined outside of functions.
_CUT = re.compile(
    rb"\n(\}(?:[^\n\"'/]*;)?)[ \t]*+\n(?:[ \t]*+\n)*+(?=(?:[ \t]*+\n|#[^\n]*+\n)*+(?:(?!\w+[ \t]*:)[A-Za-z_/]|\Z))",
    re.DOTALL,
)
_CONDITION = re.compile(rb"(?<!\\\n)^[ \t]*#[ \t]*(if|elif|else|endif)", re.MULTILINE)
_NOT_A_LINE_END = re.compile(rb"[^\n]")


def may_have_parts(language: str, source: bytes) -> bool:
    """Whether a text may have more than one part."""
    return language in _CUT_LANGUAGES and b'extern "C"' not in source and _STATEMENT.find(source, 0, len(source)) < 0


def split_parts(language: str, source: bytes) -> Iterator[tuple[int, int]]:
    """Where the parts of a text that `is_cut` begin and end, in order."""
    start = 0
    for end in (*_find_cuts(language, source, 0, len(source)), len(source)):
        if start < end:
            yield start, end
        start = end


def find_part_around(language: str, source: bytes, place: int) -> tuple[int, int]:
    """The one of `parts` that a place in code lies in."""
    start, until = 0, place
    while until and not start:
        begin = find_line_of_code(language, source, until)
        start = max((end for end in _find_cuts(language, source, begin, until) if end <= place), default=0)
        until = begin
    return start, next(_find_cuts(language, source, start, len(source)), len(source))


def _find_cuts(language: str, source: bytes, start: int, until: int) -> Iterator[int]:
    """The cuts behind lines that begin in that range; at its start a line of code begins."""
    ends: dict[int, int] = {}

    def find_closings() -> Iterator[int]:
        at = source.find(_CLOSED, max(start - 1, 0), until)
        while at >= 0:
            if source[at - 1 : at] != b"\\" and (cut := _CUT.match(source, at)) and not _is_nested(source, cut.end()):
                ends[cut.start(1)] = cut.end()
                yield cut.start(1)
            at = source.find(_CLOSED, at + 1, until)

    return (ends[place] for place in select_in_code(language, source, find_closings(), start))


def _is_nested(source: bytes, place: int) -> bool:
    """Whether what ends next at the left margin began before: bodies without indent are one in another."""
    closed = source.find(_CLOSED, place)
    return closed >= 0 and source.find(b"{", place, closed) < 0


def blank_unmatched_conditions(part: bytes) -> bytes:
    """The part with blanks, of the same length, for conditions of the preprocessor that end or begin elsewhere."""
    if b"#" not in part:
        return part
    opened: list[list[tuple[int, int]]] = []
    alone: list[tuple[int, int]] = []
    orders = {order.start(1): order for order in _CONDITION.finditer(part)}
    for order in map(orders.__getitem__, select_in_code("c", part, orders)):
        if order[1] == b"if":
            opened.append([])
        (opened[-1] if opened else alone).append((order.start(), find_directive_end(part, order.end())))
        if order[1] == b"endif" and opened:
            opened.pop()
    text = bytearray(part)
    for start, end in chain(alone, *opened):
        text[start:end] = _NOT_A_LINE_END.sub(b" ", part[start:end])
    return bytes(text)
