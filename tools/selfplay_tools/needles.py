"""Whether a text may meet a need, by looking for its literals."""

import re
from collections.abc import Callable

from selfplay_tools.literals import AllOf, AnyOf, LiteralNeed, Need

_ASCII_RUN = re.compile(r"[\x00-\x7f]+")
# The two characters beyond ASCII that a case-insensitive search takes for ASCII letters.
_KELVIN, _LONG_S = "\u212a".encode(), "\u017f".encode()

NeedTest = Callable[[bytes, bytes], bool]
"""Of a text and of the same without regard to case."""


def make_matcher(need: Need) -> Callable[[bytes], bool]:
    """A test of texts in UTF-8: True wherever the need may be met, sometimes where it is not."""
    test = _make_test(need)
    fold = _fold_case if _has_folded(need) else bytes
    return lambda text: test(text, fold(text))


def _make_test(need: Need) -> NeedTest:
    match need:
        case LiteralNeed(text, True):
            runs = [run.lower().encode() for run in _ASCII_RUN.findall(text)]
            return lambda _, folded: all(run in folded for run in runs)
        case LiteralNeed(text):
            wanted = text.encode("utf-8", "replace")
            return lambda exact, _: wanted in exact
        case AllOf(needs):
            each = [_make_test(one) for one in needs]
            return lambda exact, folded: all(test(exact, folded) for test in each)
        case AnyOf(needs):
            some = [_make_test(one) for one in needs]
            return lambda exact, folded: any(test(exact, folded) for test in some)


def _has_folded(need: Need) -> bool:
    return need.is_folded if isinstance(need, LiteralNeed) else any(map(_has_folded, need.needs))


def _fold_case(data: bytes) -> bytes:
    lower = data.lower()
    return lower if lower.isascii() else lower.replace(_KELVIN, b"k").replace(_LONG_S, b"s")
