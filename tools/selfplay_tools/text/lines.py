"""Texts as an index hands them out to be searched, and the lines of one of them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap
from typing import overload

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.text.regex import Regex

Buffer = bytes | mmap
_FEW = 16


@dataclass(frozen=True, slots=True)
class TextSpan:
    r"""Texts that lie one after another in a buffer, in path order, in UTF-8, every line ended by `\n`."""

    buffer: Buffer
    paths: Sequence[str]
    starts: Sequence[int]
    ends: Sequence[int]
    parts: Sequence[tuple[int, int]] = ()
    """From where to where lines stand that may have what is asked for, whole lines, in order; anywhere if empty."""

    @property
    def searched_parts(self) -> Sequence[tuple[int, int]]:
        """The same, where the texts without gaps between them are one part by default."""
        return self.parts or ((self.starts[0], self.ends[-1]),)

    def lines_of(self, which: int) -> "TextLines":
        """One of the texts."""
        return TextLines(self.buffer, self.starts[which], self.ends[which])

    def find_texts(self, regex: Regex) -> Iterator[int]:
        """The texts with a match of what stands on one line, in order."""
        which = at = 0
        for start, end in self.searched_parts:
            at = max(at, start)
            while at < end and (place := regex.find(self.buffer, at, end)) >= 0:
                which = bisect_right(self.starts, place, which) - 1
                yield which
                at = self.ends[which]


class TextLines(Sequence[str]):
    """The lines of a text, without their ends; decoded as they are asked for."""

    def __init__(self, buffer: Buffer, start: int, end: int) -> None:
        self.buffer = buffer
        self.start = start
        self._end = end
        self._known: dict[int, tuple[int, int]] = {}
        """Where some lines begin and end, in the buffer."""

    @cached_property
    def _stops(self) -> NDArray[np.intp]:
        """Where each line ends, from the text's start."""
        codes = np.frombuffer(self.buffer, np.uint8, self._end - self.start, self.start)
        return np.flatnonzero(codes == ord("\n"))

    def number_places(self, places: Iterable[int]) -> Iterator[tuple[int, int]]:
        """The number, from 0, of the line that holds each place of the buffer, with the place."""
        found = list(places)
        if len(found) <= _FEW and found == sorted(found):
            return self._number_few(found)
        numbers = np.searchsorted(self._stops, np.array(found, np.int64) - self.start)
        return zip(numbers.tolist(), found, strict=True)

    def _number_few(self, places: Sequence[int]) -> Iterator[tuple[int, int]]:
        """As `number_places`, for a few places in order, without a look at the rest of the text."""
        number, counted_to = 0, self.start
        for place in places:
            codes = np.frombuffer(self.buffer, np.uint8, place - counted_to, counted_to)
            number += int(np.count_nonzero(codes == ord("\n")))
            counted_to = place
            start = self.buffer.rfind(b"\n", self.start, place) + 1 or self.start
            self._known[number] = start, self.buffer.find(b"\n", place, self._end)
            yield number, place

    def content(self, most_bytes: int | None = None) -> bytes:
        r"""The text in UTF-8, every line ended by `\n`; on demand only its first bytes."""
        return self.buffer[self.start : self._end if most_bytes is None else min(self._end, self.start + most_bytes)]

    def start_of(self, number: int) -> int:
        """Where the line begins in the buffer."""
        return self._line_span(number)[0]

    def remember_start(self, number: int, place: int) -> None:
        """Give where the line begins, which saves looking for it."""
        if number not in self._known:
            self._known[number] = place, self.buffer.find(b"\n", place, self._end)

    def column_of(self, number: int, place: int) -> int:
        """Characters of the line before a place of the buffer."""
        return len(self.buffer[self._line_span(number)[0] : place].decode("utf-8", "replace"))

    def __len__(self) -> int:
        return len(self._stops)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            return self._decode_run(first, last) if step == 1 else tuple(self)[index]
        if index in self._known:
            return self._decode_line(index)
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        return self._decode_line(number)

    def _decode_run(self, first: int, last: int) -> tuple[str, ...]:
        """Some lines in a row, decoded at once."""
        if first >= last:
            return ()
        end = self.start + int(self._stops[last - 1])
        return tuple(self.buffer[self._line_span(first)[0] : end].decode("utf-8").split("\n"))

    def _decode_line(self, number: int) -> str:
        start, end = self._line_span(number)
        return self.buffer[start:end].decode("utf-8")

    def _line_span(self, number: int) -> tuple[int, int]:
        if number in self._known:
            return self._known[number]
        start = int(self._stops[number - 1]) + 1 if number else 0
        return self.start + start, self.start + int(self._stops[number])

    def __iter__(self) -> Iterator[str]:
        text = self.buffer[self.start : self._end].decode("utf-8")
        return iter(text.split("\n")[:-1])
