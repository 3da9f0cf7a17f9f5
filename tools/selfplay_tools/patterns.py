"""Regular expressions that models write: compiled by a linear-time engine, refused in words, searched by line.

Matching is RE2's (https://github.com/google/re2/wiki/Syntax), so no pattern can take more than time linear in the
text. Every line is matched on its own.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from selfplay_tools.errors import BadArgument
from selfplay_tools.hopping import Hopper, Hops, finders
from selfplay_tools.linear import BadRegex, Regex, compiled
from selfplay_tools.literals import Need, required
from selfplay_tools.output import quoted
from selfplay_tools.searched import Span

MAX_PATTERN_CHARS = 2_000

LONGEST_ESCAPED = 100
"""Characters of a pattern whose escaped form is still told."""

ADVICE = tuple(
    (re.compile(complaint), advice)
    for complaint, advice in (
        (
            r"invalid perl operator: \(\?<?[=!]",
            "Look-ahead and look-behind are not supported: match the text itself, and use context to see around it.",
        ),
        (
            r"invalid perl operator: \(\?P|invalid escape sequence: \\\d",
            "Back-references are not supported: match each side loosely, for example with \\w+, and compare the rows.",
        ),
        (
            r"invalid perl operator",
            "Of the (?...) forms only (?:...), (?P<name>...) and flags such as (?i) are supported.",
        ),
        (r"invalid escape sequence: \\Z", "Write $ for the end of a line."),
        (
            r"invalid repetition size|pattern too large",
            "Repeat at most 1000 times, nested repetitions multiplied; use * or + instead.",
        ),
    )
)
"""What to write instead, by the engine's complaint."""

# What reads differently in one text of many lines than line by line: ends of text, single bytes, and flags that turn
# many-line mode off. A false alarm only costs time.
_PER_LINE = re.compile(r"\\[AzC]|\(\?[a-zA-Z]*-")


@dataclass(frozen=True)
class Pattern:
    """A pattern as a model wrote it, ready to search with."""

    source: str
    ignore_case: bool = False

    def __post_init__(self) -> None:
        """Compile at once. Raises BadArgument."""
        if len(self.source) > MAX_PATTERN_CHARS:
            raise BadArgument(
                f"the pattern has {len(self.source):,} characters; at most {MAX_PATTERN_CHARS:,} are allowed"
            )
        try:
            _ = self._alone
        except BadRegex as refused:
            raise BadArgument(_refusal(self.source, str(refused))) from None

    @cached_property
    def _alone(self) -> Regex:
        return compiled(self.source, ignore_case=self.ignore_case)

    @cached_property
    def _among_lines(self) -> Regex | None:
        """The pattern for a text of many lines, or None where that would not be the same."""
        return None if _PER_LINE.search(self.source) else compiled(f"(?m){self.source}", ignore_case=self.ignore_case)

    def lines_of(self, text: bytes) -> Iterator[tuple[int, int, int]]:
        r"""For each matching line of `text` (UTF-8, lines parted by `\n`): number from 0, its start, its first match.

        Positions are in bytes from the beginning of the text.
        """
        source = text + b"\n"
        number = counted_to = 0
        for found in self.hits(Span(source, ("",), (0,), (len(source),))):
            for match in found.matches:
                start = source.rfind(b"\n", 0, match) + 1
                number += source.count(b"\n", counted_to, start)
                counted_to = start
                yield number, start, match

    def hits(self, span: Span) -> Iterator["Found"]:
        """The texts of a span with a matching line, in order."""
        hops = self._hops
        return self._one_by_one(span) if hops is None else _found(Hopper(hops, span.buffer), span)

    @cached_property
    def need(self) -> Need:
        """What every matching line holds."""
        return required(self.source, ignore_case=self.ignore_case)

    @cached_property
    def _hops(self) -> Hops | None:
        regex = self._among_lines
        return Hops(regex, finders(self.need)) if regex else None

    def _one_by_one(self, span: Span) -> Iterator["Found"]:
        for which, (start, end) in enumerate(zip(span.starts, span.ends, strict=True)):
            matches = self._in_each_line(span.buffer[start:end], start)
            first = next(matches, None)
            if first is not None:
                yield Found(span, which, chain((first,), matches))

    def _in_each_line(self, text: bytes, start: int) -> Iterator[int]:
        for line in text.split(b"\n")[:-1]:
            if match := self._alone.search(line):
                yield start + match.start()
            start += len(line) + 1


@dataclass(frozen=True, slots=True)
class Found:
    """A text with at least one matching line."""

    span: Span
    which: int
    """Its place in the span."""
    matches: Iterator[int]
    """The first match of each matching line, as a place in the span's buffer; found as they are asked for."""


def _found(hopper: Hopper, span: Span) -> Iterator[Found]:
    """All texts of a part are searched at once, which costs less than one by one."""
    starts, ends = span.starts, span.ends
    which = at = 0
    for number, (first, end) in enumerate(span.searched):
        at = max(at, first)
        while at < end:
            hopper.enter(end)
            place = hopper.place(at, end - 1)
            if place < 0:
                break
            which = bisect_right(starts, place, which) - 1
            yield Found(span, which, _matches(hopper, span, which, number, place))
            at = ends[which]


def _matches(hopper: Hopper, span: Span, which: int, number: int, place: int) -> Iterator[int]:
    """The first match of each line of a text, from a match at `place` in a part on."""
    parts, end = span.searched, span.ends[which]
    while True:
        last = min(parts[number][1], end) - 1
        while place >= 0:
            yield place
            line_end = span.buffer.find(b"\n", place, last)
            place = hopper.place(line_end + 1, last) if line_end >= 0 else -1
        number += 1
        if number == len(parts) or parts[number][0] >= end:
            return
        start, stop = parts[number]
        hopper.enter(stop)
        place = hopper.place(start, min(stop, end) - 1)


def _refusal(source: str, engine: str) -> str:
    """The engine's words, and what to write instead."""
    return f"the pattern {quoted(source)} can't be used: {engine}. {_advice(source, engine)}"


def _advice(source: str, engine: str) -> str:
    for complaint, advice in ADVICE:
        if complaint.match(engine):
            return advice
    if len(source) > LONGEST_ESCAPED:
        return "Put a backslash before each of . ^ $ * + ? ( ) [ ] { } | \\ that stands for itself."
    return f"To search for this text as it is, the JSON string is {quoted(_escaped(source), 2 * LONGEST_ESCAPED)}."


def _escaped(source: str) -> str:
    return "".join(f"\\{char}" if char in ".^$*+?()[]{}|\\" else char for char in source)
