"""How deeply a text nests, counted before it is parsed: some grammars take memory by the square of that."""

import re

import numpy as np
from numpy.typing import NDArray

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
    return source.count(b"<") > MAX_ANGLES and _max_angles_in_statement(source) > MAX_ANGLES and _has_nested_angles(source)


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
