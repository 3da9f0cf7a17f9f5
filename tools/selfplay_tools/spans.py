"""Ranges of bytes in a text, kept in little memory."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


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
