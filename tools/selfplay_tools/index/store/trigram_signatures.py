"""Which pieces of texts may hold three bytes in a row: bit-sliced signatures.

Texts are cut at line ends into pieces of at most `PIECE_BYTES`; a longer line is a piece of its own. So each line lies
in one piece, and what one line must hold is asked of pieces.

Each piece has a row of 2^12 bits or more, as many as it has bytes, rounded up; a trigram's hash says which bit stands
for it. Rows of one size are stored transposed: one bit of all of them lies together, so that a question reads a few
short runs of bytes. A piece that holds the trigrams is never missed; one in some dozen that lacks them is found too.

Case is folded (ASCII letters, and the two characters beyond ASCII that a case-insensitive search takes for them), so
one index serves searches of both kinds.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store.array_file import Array, as_ints
from selfplay_tools.index.store.background import stop_if_exiting
from selfplay_tools.text.lines import Buffer
from selfplay_tools.text.literals import AllOf, AnyOf, LiteralNeed, Need

SMALLEST, LARGEST = 12, 18
"""Binary logarithms of the shortest and the longest row."""
PIECE_BYTES = 1 << 13
GRAM = 3
MAX_GRAMS = 12
"""Of one literal that are asked for; more would exclude nothing more."""
_MULTIPLIER = np.uint32(0x9E3779B1)
_KELVIN, _LONG_S = "\u212a".encode(), "\u017f".encode()
_UPPER_A, _LETTERS, _CASE = np.uint8(65), np.uint8(26), np.uint8(32)

_ASCII = re.compile("[\\x00-\\x7f]+")

_BLOCK = 1024
"""Rows that are transposed at once."""

Bits = NDArray[np.bool_]
Packed = NDArray[np.uint8]
"""Eight flags in a byte, the first one lowest."""


def row_classes(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The binary logarithm of the row's length for pieces of those sizes in bytes."""
    return np.clip(np.frexp(np.maximum(sizes - 1, 0))[1], SMALLEST, LARGEST).astype(np.int64)


def find_piece_starts(buffer: Buffer, offsets: Sequence[int], lengths: Sequence[int]) -> NDArray[np.int64]:
    """Where pieces begin in texts that lie one after another from place 0 on, and where the last one ends."""
    starts: list[int] = []
    for offset, length in zip(offsets, lengths, strict=True):
        at, end = offset, offset + length
        while at < end:
            starts.append(at)
            at = _find_piece_end(buffer, at, end)
    starts.append(offsets[-1] + lengths[-1] if offsets else 0)
    return np.array(starts, np.int64)


def _find_piece_end(buffer: Buffer, at: int, end: int) -> int:
    if end - at <= PIECE_BYTES:
        return end
    return buffer.rfind(b"\n", at, at + PIECE_BYTES) + 1 or buffer.find(b"\n", at, end) + 1


def lower_ascii(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy with ASCII letters in lower case."""
    is_upper = (codes - _UPPER_A) < _LETTERS
    return codes + is_upper.view(np.uint8) * _CASE


def hash_trigrams(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """For each three bytes in a row, of a text in lower case, the place of its bit."""
    wide = codes.astype(np.uint32)
    packed = wide[:-2] << np.uint32(16)
    packed |= wide[1:-1] << np.uint32(8)
    packed |= wide[2:]
    packed *= _MULTIPLIER
    packed >>= np.uint32(32 - bits)
    return packed.astype(np.int64)


def build_signatures(text: memoryview, starts: NDArray[np.int64]) -> dict[str, Array]:
    """The signatures of a text's pieces (see `find_piece_starts`), by their names in an array file."""
    arrays: dict[str, Array] = {"starts": starts}
    classes = row_classes(np.diff(starts))
    for bits in range(SMALLEST, LARGEST + 1):
        numbers = np.flatnonzero(classes == bits)
        if len(numbers):
            arrays[f"rows{bits}"] = _build_rows(text, starts, numbers, bits)
    return arrays


def _build_rows(text: memoryview, starts: NDArray[np.int64], numbers: NDArray[np.intp], bits: int) -> Packed:
    """(2^bits, a bit for each of those pieces) of the transposed signatures."""
    pieces = [
        text[start:end] for start, end in zip(as_ints(starts[numbers]), as_ints(starts[numbers + 1]), strict=True)
    ]
    rows = np.empty((1 << bits, _bytes_for_flags(len(pieces))), np.uint8)
    for at in range(0, len(pieces), _BLOCK):
        block = _build_block(pieces[at : at + _BLOCK], bits)
        rows[:, at // 8 : at // 8 + len(block)] = block.T
    return rows


def _bytes_for_flags(flags: int) -> int:
    return -(-flags // 8)


def _build_block(pieces: Sequence[memoryview], bits: int) -> NDArray[np.uint8]:
    """(a bit for each piece, 2^bits) of the signatures."""
    groups = [pieces[at : at + 8] for at in range(0, len(pieces), 8)]
    packed = np.empty((len(groups), 1 << bits), np.uint8)
    flags = np.zeros((8, 1 << bits), np.uint8)
    for row, group in enumerate(groups):
        stop_if_exiting()
        flags[:] = 0
        for place, piece in enumerate(group):
            _mark_trigrams(flags[place], piece, bits)
        packed[row] = flags[0]
        for place in range(1, len(group)):
            np.left_shift(flags[place], place, out=flags[place])
            np.bitwise_or(packed[row], flags[place], out=packed[row])
    return packed


def _mark_trigrams(flags: NDArray[np.uint8], text: memoryview, bits: int) -> None:
    if len(text) < GRAM:
        return
    codes = lower_ascii(np.frombuffer(text, np.uint8))
    flags[hash_trigrams(codes, bits)] = 1
    if int(codes.max()) > 127 and (extra := _fold_to_ascii(text)):  # noqa: PLR2004  # the end of ASCII
        flags[hash_trigrams(lower_ascii(np.frombuffer(extra, np.uint8)), bits)] = 1


def _fold_to_ascii(text: memoryview) -> bytes:
    """The text with the Kelvin sign and the long s as the letters they fold to, if it holds any."""
    data = bytes(text)
    if _KELVIN not in data and _LONG_S not in data:
        return b""
    return data.replace(_KELVIN, b"k").replace(_LONG_S, b"s")


def find_ascii_runs(text: str) -> list[str]:
    """The runs of ASCII in a text: what a search without regard to case can rely on."""
    return _ASCII.findall(text)


def fold_case(literal: str) -> bytes:
    """A literal's bytes as the signatures know them."""
    return lower_ascii(np.frombuffer(literal.encode("utf-8", "replace"), np.uint8)).tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class TrigramQuery:
    """What a piece must hold to meet a need, as far as signatures show it."""

    hashes: NDArray[np.uint32]
    """Full hashes of trigrams, all of which must be there."""
    choices: tuple[tuple["TrigramQuery", ...], ...] = ()
    """Of each of these, one must be met too."""

    def match_pieces(self, rows: Packed, bits: int) -> Packed:
        """For each piece of a class whether it may hold this."""
        found: list[Packed] = [
            np.bitwise_or.reduce([one.match_pieces(rows, bits) for one in some]) for some in self.choices
        ]
        if len(self.hashes):
            found.append(np.bitwise_and.reduce(rows.take(self.hashes >> np.uint32(32 - bits), axis=0), axis=0))
        return found[0] if len(found) == 1 else np.bitwise_and.reduce(found)


@lru_cache(maxsize=256)
def query_for(need: Need) -> TrigramQuery | None:
    """What to ask signatures about a need that one line must meet; None if they exclude nothing."""
    match need:
        case LiteralNeed(text, is_folded):
            return _query_for_literal(text, is_folded=is_folded)
        case AllOf(needs):
            each = [one for need in needs if (one := query_for(need)) is not None]
            hashes = np.unique(np.concatenate([np.zeros(0, np.uint32), *(one.hashes for one in each)]))
            choices = tuple(choice for one in each for choice in one.choices)
            return TrigramQuery(hashes, choices) if each else None
        case AnyOf(needs):
            some = [one for need in needs if (one := query_for(need)) is not None]
            return TrigramQuery(np.zeros(0, np.uint32), (tuple(some),)) if len(some) == len(needs) else None


def _query_for_literal(text: str, *, is_folded: bool) -> TrigramQuery | None:
    if "\n" in text:  # its parts may lie in two pieces
        return None
    # Without regard to case, only ASCII is the same in all its forms.
    runs = find_ascii_runs(text) if is_folded else [text]
    each = [_hash_literal(literal) for run in runs if len(literal := fold_case(run)) >= GRAM]
    return TrigramQuery(np.unique(np.concatenate(each))) if each else None


def _hash_literal(literal: bytes) -> NDArray[np.uint32]:
    """The full hashes of a folded literal's trigrams, at most `MAX_GRAMS` of them, spread over it."""
    wide = np.frombuffer(literal, np.uint8).astype(np.uint32)
    packed = (wide[:-2] << np.uint32(16)) | (wide[1:-1] << np.uint32(8)) | wide[2:]
    if len(packed) > MAX_GRAMS:
        packed = packed[np.linspace(0, len(packed) - 1, MAX_GRAMS).astype(np.intp)]
    return packed * _MULTIPLIER


class TrigramSignatures:
    """The signatures of one segment."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.starts = np.array(arrays["starts"])
        """Where each piece begins in the segment's text, and where the last one ends."""
        classes = row_classes(np.diff(self.starts))
        self.places = np.empty(len(classes), np.int32)
        """For each piece its place among the flags of `match_pieces`."""
        self._parts: list[tuple[int, Packed]] = []
        size = 0
        for bits in range(SMALLEST, LARGEST + 1):
            here = np.flatnonzero(classes == bits)
            if len(here):
                rows = arrays[f"rows{bits}"]
                self._parts.append((bits, rows))
                self.places[here] = 8 * size + np.arange(len(here))
                size += rows.shape[1]
        self.size = size
        """Bytes of the flags of `match_pieces`."""

    def match_pieces(self, query: TrigramQuery) -> Packed:
        """For each piece, at its place, whether it may hold what is asked for; a few places are of no piece."""
        each = [query.match_pieces(rows, bits) for bits, rows in self._parts]
        return np.concatenate(each) if each else np.zeros(0, np.uint8)
