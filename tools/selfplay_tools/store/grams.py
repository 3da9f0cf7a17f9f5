"""Which texts may hold three bytes in a row: bit-sliced signatures.

Each text has a row of 2^12 to 2^18 bits, as many as it has bytes, rounded up; a trigram's hash says which bit stands
for it. Rows of one size are stored turned round, up to 1024 texts in a block: one bit of all of them lies together, so
that a question reads a few short runs of bytes. A text that holds the trigrams is never missed; one in some hundred
that lacks them is found too.

Case is folded (ASCII letters, and the two characters beyond ASCII that a case-insensitive search takes for them), so
one index serves searches of both kinds.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.store.container import Array
from selfplay_tools.store.leaving import carry_on

SMALLEST, LARGEST = 12, 18
"""Binary logarithms of the shortest and the longest row."""
BLOCK = 1024
GRAM = 3
MAX_GRAMS = 12
"""Of one literal that are asked for; more tell nothing new."""
_MULTIPLIER = np.uint32(0x9E3779B1)
_KELVIN, _LONG_S = "\u212a".encode(), "\u017f".encode()
_UPPER_A, _LETTERS, _CASE = np.uint8(65), np.uint8(26), np.uint8(32)

_ASCII = re.compile("[\\x00-\\x7f]+")

Bits = NDArray[np.bool_]


def row_class(size: int) -> int:
    """The binary logarithm of the row's length for a text of `size` bytes."""
    return min(max(SMALLEST, (size - 1).bit_length()), LARGEST)


def lowered(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy with ASCII letters in lower case."""
    is_upper = (codes - _UPPER_A) < _LETTERS
    return codes + is_upper.view(np.uint8) * _CASE


def hashes(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """For each three bytes in a row, of a text in lower case, the place of its bit."""
    wide = codes.astype(np.uint32)
    packed = wide[:-2] << np.uint32(16)
    packed |= wide[1:-1] << np.uint32(8)
    packed |= wide[2:]
    packed *= _MULTIPLIER
    packed >>= np.uint32(32 - bits)
    return packed.astype(np.int64)


def build(sizes: Sequence[int], text: Callable[[int], memoryview]) -> dict[str, Array]:
    """The signatures of texts that are sorted by `row_class` of their sizes, by names for a container."""
    arrays: dict[str, Array] = {}
    classes = np.array([row_class(size) for size in sizes], np.uint8)
    arrays["classes"] = classes
    for bits in range(SMALLEST, LARGEST + 1):
        first, last = np.searchsorted(classes, [bits, bits + 1]).tolist()
        whole = (last - first) // BLOCK * BLOCK
        if whole:
            blocks = [_block(range(at, at + BLOCK), bits, text) for at in range(first, first + whole, BLOCK)]
            arrays[f"whole{bits}"] = np.stack(blocks)
        if first + whole < last:
            arrays[f"rest{bits}"] = _block(range(first + whole, last), bits, text)[None]
    return arrays


def _block(numbers: range, bits: int, text: Callable[[int], memoryview]) -> NDArray[np.uint8]:
    """(2^bits, a bit for each text) of the signatures turned round."""
    groups = [numbers[at : at + 8] for at in range(0, len(numbers), 8)]
    turned = np.empty((len(groups), 1 << bits), np.uint8)
    flags = np.zeros((8, 1 << bits), np.uint8)
    for row, group in enumerate(groups):
        carry_on()
        flags[:] = 0
        for place, number in enumerate(group):
            _mark(flags[place], text(number), bits)
        turned[row] = flags[0]
        for place in range(1, len(group)):
            np.left_shift(flags[place], place, out=flags[place])
            np.bitwise_or(turned[row], flags[place], out=turned[row])
    return np.ascontiguousarray(turned.T)


def _mark(flags: NDArray[np.uint8], text: memoryview, bits: int) -> None:
    if len(text) < GRAM:
        return
    codes = lowered(np.frombuffer(text, np.uint8))
    flags[hashes(codes, bits)] = 1
    if int(codes.max()) > 127 and (extra := _also_as_ascii(text)):  # noqa: PLR2004  # the end of ASCII
        flags[hashes(lowered(np.frombuffer(extra, np.uint8)), bits)] = 1


def _also_as_ascii(text: memoryview) -> bytes:
    """The text with the Kelvin sign and the long s as the letters they fold to, if it holds any."""
    data = bytes(text)
    if _KELVIN not in data and _LONG_S not in data:
        return b""
    return data.replace(_KELVIN, b"k").replace(_LONG_S, b"s")


def ascii_runs(text: str) -> list[str]:
    """The runs of ASCII in a text: what a search without regard to case can rely on."""
    return _ASCII.findall(text)


def folded(literal: str) -> bytes:
    """A literal's bytes as the signatures know them."""
    return lowered(np.frombuffer(literal.encode("utf-8", "replace"), np.uint8)).tobytes()


class Grams:
    """The signatures of one segment."""

    def __init__(self, arrays: Mapping[str, Array], count: int) -> None:
        self._count = count
        classes = arrays["classes"]
        self._parts: list[tuple[int, int, int, Array]] = []
        for bits in range(SMALLEST, LARGEST + 1):
            first, last = np.searchsorted(classes, [bits, bits + 1]).tolist()
            middle = first + (last - first) // BLOCK * BLOCK
            if middle > first:
                self._parts.append((bits, first, middle, arrays[f"whole{bits}"]))
            if last > middle:
                self._parts.append((bits, middle, last, arrays[f"rest{bits}"]))

    def holding(self, literal: bytes) -> Bits:
        """For each text whether it may hold the literal, which is folded and has three bytes or more."""
        found = np.empty(self._count, np.bool_)
        grams = _spread(np.frombuffer(literal, np.uint8))
        for bits, first, last, blocks in self._parts:
            rows = blocks[:, (grams >> np.uint32(32 - bits)).astype(np.intp), :]
            slices = np.bitwise_and.reduce(rows, axis=1)
            flags = np.unpackbits(slices, axis=1, bitorder="little").reshape(-1)
            found[first:last] = flags[: last - first].view(np.bool_)
        return found


def _spread(codes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The full hashes of the literal's trigrams, at most `MAX_GRAMS` of them, spread over it."""
    wide = codes.astype(np.uint32)
    packed = (wide[:-2] << np.uint32(16)) | (wide[1:-1] << np.uint32(8)) | wide[2:]
    if len(packed) > MAX_GRAMS:
        packed = packed[np.linspace(0, len(packed) - 1, MAX_GRAMS).astype(np.intp)]
    return packed * _MULTIPLIER
