"""Whether a text may meet a need, by looking for its literals."""

import re
from collections.abc import Callable

from selfplay_tools.literals import AllOf, AnyOf, Literal, Need

_ASCII_RUN = re.compile(r"[\x00-\x7f]+")
# The two characters beyond ASCII that a case-insensitive search takes for ASCII letters.
_KELVIN, _LONG_S = "\u212a".encode(), "\u017f".encode()

Test = Callable[[bytes, bytes], bool]
"""Of a text and of the same without regard to case."""


def matcher(need: Need) -> Callable[[bytes], bool]:
    """A test of texts in UTF-8: True wherever the need may be met, sometimes where it is not."""
    test = _test(need)
    fold = _folded if _has_folded(need) else bytes
    return lambda text: test(text, fold(text))


def _test(need: Need) -> Test:
    match need:
        case Literal(text, True):
            runs = [run.lower().encode() for run in _ASCII_RUN.findall(text)]
            return lambda _, folded: all(run in folded for run in runs)
        case Literal(text):
            wanted = text.encode("utf-8", "replace")
            return lambda exact, _: wanted in exact
        case AllOf(needs):
            each = [_test(one) for one in needs]
            return lambda exact, folded: all(test(exact, folded) for test in each)
        case AnyOf(needs):
            some = [_test(one) for one in needs]
            return lambda exact, folded: any(test(exact, folded) for test in some)


def _has_folded(need: Need) -> bool:
    return need.is_folded if isinstance(need, Literal) else any(map(_has_folded, need.needs))


def _folded(data: bytes) -> bytes:
    lower = data.lower()
    return lower if lower.isascii() else lower.replace(_KELVIN, b"k").replace(_LONG_S, b"s")
