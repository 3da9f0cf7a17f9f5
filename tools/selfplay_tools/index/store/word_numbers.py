"""Words of many texts at once: the words of `selfplay_tools.index.words`, as numbers of 64 bits.

Lines of ASCII are cut by array operations; lines with other characters go through `selfplay_tools.index.words` itself.
A word's number is a polynomial of its letters, mixed: the same wherever the word stands. Two words out of millions
share one with a chance of about one in a million, and then everywhere alike.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store.trigram_signatures import lower_ascii
from selfplay_tools.index.words import MAX_WORD_CHARS, MIN_PLURAL_CHARS, word_counts

MAX_BYTES = 1 << 18
"""The longest run of text that is cut at once: what comes of it stays in the processor's cache."""
MAX_COUNT = 255
Codes = NDArray[np.uint8]
Numbers = NDArray[np.uint64]
Places = NDArray[np.intp]

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_OTHER, _DIGIT, _UNDERSCORE, _LOWER, _UPPER = range(5)
_KINDS = np.zeros(256, np.uint8)
_KINDS[ord("0") : ord("9") + 1] = _DIGIT
_KINDS[ord("_")] = _UNDERSCORE
_KINDS[ord("a") : ord("z") + 1] = _LOWER
_KINDS[ord("A") : ord("Z") + 1] = _UPPER
_S, _U, _I, _E, _Y = (np.uint8(ord(letter)) for letter in "suiey")


def _powers_of(base: int) -> Numbers:
    powers = np.full(MAX_BYTES + 1, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


_POWERS, _INVERSES = _powers_of(_BASE), _powers_of(_INVERSE)


def _mix(sums: Numbers) -> Numbers:
    sums ^= sums >> np.uint64(32)
    sums *= np.uint64(0xD6E8FEB86659FD93)
    sums ^= sums >> np.uint64(32)
    return sums


def numbers_of(words: Sequence[str]) -> Numbers:
    """The number of each word, which is in its final form."""
    sums: list[int] = []
    for word in words:
        total = 0
        for code in reversed(word.encode("utf-8", "replace")):
            total = (total * _BASE + code) & 0xFFFFFFFFFFFFFFFF
        sums.append(total)
    return _mix(np.array(sums, np.uint64))


@dataclass(frozen=True, slots=True)
class WordOccurrences:
    """Words where they stand: wholes in order of their places, then parts in order of theirs."""

    whole_places: Places
    wholes: Numbers
    part_places: Places
    parts: Numbers


def cut_words(text: Codes) -> WordOccurrences:
    """Every word in a text of ASCII (other bytes part words), of at most `MAX_BYTES`."""
    kinds = _KINDS[text]
    small = lower_ascii(text)
    starts, ends = _find_identifiers(kinds)
    terms = small * _POWERS[: len(small)]
    sums = np.zeros(len(small) + 1, np.uint64)
    np.cumsum(terms, out=sums[1:])
    found = _find_parts(kinds)
    whole_starts, whole_ends = _strip_underscores(text, starts, ends)
    kept = _has_other_parts(len(text), whole_starts, whole_ends, found)
    wholes = _number_words(small, sums, whole_starts[kept], whole_ends[kept])
    parts = _number_words(small, sums, *found)
    return WordOccurrences(*wholes, *parts)


def _find_identifiers(kinds: Codes) -> tuple[Places, Places]:
    """Runs of letters, digits and underscores without their leading digits, of 2 to `MAX_WORD_CHARS` characters.

    Longer ones are struck out of `kinds`.
    """
    is_word = kinds != _OTHER
    starts, ends = _find_runs(is_word)
    is_digit = kinds == _DIGIT
    late = np.flatnonzero(is_digit[starts])
    if len(late):
        _, digits_end = _find_runs(is_digit)
        starts[late] = digits_end[np.searchsorted(digits_end, starts[late], side="right")]
    sizes = ends - starts
    too_long = sizes > MAX_WORD_CHARS
    for start, end in zip(starts[too_long].tolist(), ends[too_long].tolist(), strict=True):
        kinds[start:end] = _OTHER
    good = (sizes > 1) & ~too_long
    return starts[good], ends[good]


def _find_runs(flags: NDArray[np.bool_]) -> tuple[Places, Places]:
    edges = np.empty(len(flags) + 1, np.bool_)
    if not len(flags):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    edges[0], edges[-1] = flags[0], flags[-1]
    np.not_equal(flags[1:], flags[:-1], out=edges[1:-1])
    places = np.flatnonzero(edges)
    return places[::2], places[1::2]


def _find_parts(kinds: Codes) -> tuple[Places, Places]:
    """The parts of identifiers: `HTTP`, `Headers`, `of` in `HTTPHeaders_of2`."""
    is_letter = kinds >= _LOWER
    begins = np.zeros(len(kinds) + 1, np.bool_)
    begins[:-1] = is_letter
    if len(kinds):
        is_upper = kinds == _UPPER
        begins[1:-1] &= ~is_letter[:-1] | (is_upper[1:] & ~is_upper[:-1])
        begins[1:-2] |= is_upper[1:-1] & is_letter[:-2] & (kinds[2:] == _LOWER)
    # A part ends where a letter is followed by another part or by none.
    ends = begins[1:].copy()
    ends[:-1] |= ~is_letter[1:]
    ends[-1:] = True
    ends &= is_letter
    return np.flatnonzero(begins), np.flatnonzero(ends) + 1


def _strip_underscores(text: Codes, starts: Places, ends: Places) -> tuple[Places, Places]:
    """Identifiers without the underscores around them; what is nothing else becomes empty."""
    starts, ends = starts.copy(), ends.copy()
    underscore = np.uint8(ord("_"))
    ahead = np.flatnonzero(text[starts] == underscore) if len(starts) else starts
    while len(ahead):
        starts[ahead] += 1
        ahead = ahead[starts[ahead] < ends[ahead]]
        ahead = ahead[text[starts[ahead]] == underscore]
    behind = np.flatnonzero(starts < ends)
    behind = behind[text[ends[behind] - 1] == underscore]
    while len(behind):
        ends[behind] -= 1
        behind = behind[text[ends[behind] - 1] == underscore]
    return starts, ends


def _has_other_parts(size: int, starts: Places, ends: Places, parts: tuple[Places, Places]) -> NDArray[np.bool_]:
    """False for an identifier that is its only part: it counts once."""
    part_end = np.zeros(size + 1, np.int32)
    part_end[parts[0]] = parts[1]
    return part_end[starts] != ends


def _number_words(small: Codes, sums: Numbers, starts: Places, ends: Places) -> tuple[Places, Numbers]:
    """Where each word stands, and its number in the singular; words of one letter are dropped."""
    sizes = ends - starts
    good = sizes > 1
    starts, ends, sizes = starts[good], ends[good], sizes[good]
    last, before = small[ends - 1], small[ends - 2]
    plural = (last == _S) & (sizes >= MIN_PLURAL_CHARS) & (before != _S) & (before != _U) & (before != _I)
    on_ies = plural & (before == _E) & (small[ends - 3] == _I)
    cut_ends = ends - plural - 2 * on_ies
    totals = sums[cut_ends] - sums[starts]
    totals *= _INVERSES[starts]
    which = np.flatnonzero(on_ies)
    totals[which] += np.uint64(_Y) * _POWERS[(cut_ends - starts)[which]]
    return starts, _mix(totals)


@dataclass(frozen=True, slots=True)
class WordCounts:
    """The words of one text."""

    numbers: Numbers
    """Sorted, each once."""
    counts: NDArray[np.uint8]
    """How often, up to `MAX_COUNT`."""
    length: int
    """How many words the text has, repetitions included."""


def count_words(texts: Sequence[memoryview]) -> list[WordCounts]:
    """The words of each text."""
    found: list[WordCounts] = []
    at = 0
    while at < len(texts):
        size, end = len(texts[at]) + 1, at + 1
        while end < len(texts) and size + len(texts[end]) + 1 <= MAX_BYTES:
            size += len(texts[end]) + 1
            end += 1
        found += _count_together(texts[at:end]) if size <= MAX_BYTES else [_count_in_pieces(texts[at])]
        at = end
    return found


def _count_in_pieces(text: memoryview) -> WordCounts:
    """The words of a long text, cut at line ends."""
    data = bytes(text)
    numbers, counts, length = np.zeros(0, np.uint64), np.zeros(0, np.int64), 0
    at = 0
    while at < len(data):
        end = data.rfind(b"\n", at, at + MAX_BYTES - 1) + 1 if len(data) - at >= MAX_BYTES else len(data)
        if end <= at:  # a line that is longer still
            line_end = data.find(b"\n", at)
            end = line_end + 1 if line_end >= 0 else len(data)
            words = word_counts(data[at:end].decode("utf-8", "replace"))
            piece = _UnboundedCounts(numbers_of(tuple(words)), np.array(tuple(words.values()), np.int64), words.total())
        else:
            (piece,) = _count_unbounded_together([memoryview(data)[at:end]])
        numbers, counts = _merge_counts(numbers, counts, piece.numbers, piece.counts)
        length += piece.length
        at = end
    return _UnboundedCounts(numbers, counts, length).bound()


@dataclass(frozen=True, slots=True)
class _UnboundedCounts:
    """As `WordCounts`, before counts are bounded."""

    numbers: Numbers
    counts: NDArray[np.int64]
    length: int

    def bound(self) -> WordCounts:
        return WordCounts(self.numbers, np.minimum(self.counts, MAX_COUNT).astype(np.uint8), self.length)


def _count_together(texts: Sequence[memoryview]) -> Iterable[WordCounts]:
    return [piece.bound() for piece in _count_unbounded_together(texts)]


def _count_unbounded_together(texts: Sequence[memoryview]) -> Iterable[_UnboundedCounts]:
    joined = np.frombuffer(b"\n".join(texts) + b"\n", np.uint8)
    stops = np.cumsum([len(text) + 1 for text in texts])
    others = _count_non_ascii_words(joined, stops, len(texts))
    words = cut_words(_blank_non_ascii_lines(joined) if others else joined)
    whole_stops = np.searchsorted(words.whole_places, stops).tolist()
    part_stops = np.searchsorted(words.part_places, stops).tolist()
    whole_at = part_at = 0
    for number, (whole_to, part_to) in enumerate(zip(whole_stops, part_stops, strict=True)):
        numbers = np.concatenate((words.wholes[whole_at:whole_to], words.parts[part_at:part_to]))
        yield _count_numbers(numbers, others.get(number))
        whole_at, part_at = whole_to, part_to


def _count_numbers(numbers: Numbers, more: Counter[str] | None) -> _UnboundedCounts:
    numbers.sort()
    edges = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1]))) if len(numbers) else np.zeros(0, int)
    unique, counts = numbers[edges], np.diff(np.append(edges, len(numbers)))
    length = len(numbers)
    if more:
        length += more.total()
        unique, counts = _merge_counts(unique, counts, numbers_of(tuple(more)), np.array(tuple(more.values())))
    return _UnboundedCounts(unique, counts, length)


def _merge_counts(
    numbers: Numbers, counts: NDArray[np.int64], more: Numbers, more_counts: NDArray[np.int64]
) -> tuple[Numbers, NDArray[np.int64]]:
    every, place = np.unique(np.concatenate((numbers, more)), return_inverse=True)
    return every, np.bincount(place, np.concatenate((counts, more_counts)), len(every)).astype(np.int64)


def _find_line_stops(joined: Codes) -> Places:
    return np.flatnonzero(joined == ord("\n"))


def _find_non_ascii_lines(joined: Codes) -> tuple[Places, Places]:
    """First and last places of lines with a byte beyond ASCII."""
    stops = _find_line_stops(joined)
    lines = np.unique(np.searchsorted(stops, np.flatnonzero(joined > 127)))  # noqa: PLR2004  # the end of ASCII
    starts = np.where(lines > 0, stops[lines - 1] + 1, 0)
    return starts, stops[lines]


def _count_non_ascii_words(joined: Codes, stops: Places, count: int) -> dict[int, Counter[str]]:
    """By text the words of its lines that are not ASCII."""
    if not len(joined) or int(joined.max()) <= 127:  # noqa: PLR2004  # the end of ASCII
        return {}
    starts, ends = _find_non_ascii_lines(joined)
    data = joined.tobytes()
    lines: dict[int, list[bytes]] = {}
    for start, end, text in zip(
        starts.tolist(), ends.tolist(), np.searchsorted(stops, starts, side="right").tolist(), strict=True
    ):
        if text < count:
            lines.setdefault(text, []).append(data[start:end])
    return {text: word_counts(b"\n".join(found).decode("utf-8", "replace")) for text, found in lines.items()}


def _blank_non_ascii_lines(joined: Codes) -> Codes:
    """The texts without their lines that are not ASCII."""
    edges = np.zeros(len(joined) + 1, np.int8)
    starts, ends = _find_non_ascii_lines(joined)
    np.add.at(edges, starts, 1)
    np.add.at(edges, ends, -1)
    inside = np.cumsum(edges[:-1]).astype(np.bool_)
    return np.where(inside, np.uint8(ord(" ")), joined)
