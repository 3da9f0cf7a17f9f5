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
from selfplay_tools.index.literal_prefilter import LiteralPrefilter, PrefilterState, compile_literals
from selfplay_tools.output import quote
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.literals import Need, derive_need
from selfplay_tools.text.regex import BadRegex, Regex, compile_regex

MAX_PATTERN_CHARS = 2_000

LONGEST_ESCAPED = 100
"""Characters of a pattern whose escaped form is still shown."""

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
class LinePattern:
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
            _ = self._single_line_regex
        except BadRegex as refused:
            raise BadArgument(_describe_refusal(self.source, str(refused))) from None

    @cached_property
    def _single_line_regex(self) -> Regex:
        return compile_regex(self.source, ignore_case=self.ignore_case)

    @cached_property
    def _multiline_regex(self) -> Regex | None:
        """The pattern for a text of many lines, or None where that would not be the same."""
        return (
            None if _PER_LINE.search(self.source) else compile_regex(f"(?m){self.source}", ignore_case=self.ignore_case)
        )

    def find_texts(self, span: TextSpan) -> Iterator["MatchedText"]:
        """The texts of a span with a matching line, in order."""
        state = self._prefilter_state
        return (
            self._search_line_by_line(span)
            if state is None
            else _find_matched_texts(LiteralPrefilter(state, span.buffer), span)
        )

    @cached_property
    def need(self) -> Need:
        """What every matching line holds."""
        return derive_need(self.source, ignore_case=self.ignore_case)

    @cached_property
    def _prefilter_state(self) -> PrefilterState | None:
        regex = self._multiline_regex
        return PrefilterState(regex, compile_literals(self.need)) if regex else None

    def _search_line_by_line(self, span: TextSpan) -> Iterator["MatchedText"]:
        for which, (start, end) in enumerate(zip(span.starts, span.ends, strict=True)):
            matches = self._match_each_line(span.buffer[start:end], start)
            first = next(matches, None)
            if first is not None:
                yield MatchedText(span, which, chain((first,), matches))

    def _match_each_line(self, text: bytes, start: int) -> Iterator[int]:
        for line in text.split(b"\n")[:-1]:
            if match := self._single_line_regex.search(line):
                yield start + match.start()
            start += len(line) + 1


@dataclass(frozen=True, slots=True)
class MatchedText:
    """A text with at least one matching line."""

    span: TextSpan
    which: int
    """Its place in the span."""
    matches: Iterator[int]
    """The first match of each matching line, as a place in the span's buffer; found as they are asked for."""


def _find_matched_texts(prefilter: LiteralPrefilter, span: TextSpan) -> Iterator[MatchedText]:
    """All texts of a part are searched at once, which costs less than one by one."""
    starts, ends = span.starts, span.ends
    which = at = 0
    for number, (first, end) in enumerate(span.searched_parts):
        at = max(at, first)
        while at < end:
            prefilter.enter_part(end)
            place = prefilter.find_match(at, end - 1)
            if place < 0:
                break
            which = bisect_right(starts, place, which) - 1
            yield MatchedText(span, which, _find_matches(prefilter, span, which, number, place))
            at = ends[which]


def _find_matches(prefilter: LiteralPrefilter, span: TextSpan, which: int, number: int, place: int) -> Iterator[int]:
    """The first match of each line of a text, from a match at `place` in a part on."""
    parts, end = span.searched_parts, span.ends[which]
    while True:
        last = min(parts[number][1], end) - 1
        while place >= 0:
            yield place
            line_end = span.buffer.find(b"\n", place, last)
            place = prefilter.find_match(line_end + 1, last) if line_end >= 0 else -1
        number += 1
        if number == len(parts) or parts[number][0] >= end:
            return
        start, stop = parts[number]
        prefilter.enter_part(stop)
        place = prefilter.find_match(start, min(stop, end) - 1)


def _describe_refusal(source: str, engine: str) -> str:
    """The engine's words, and what to write instead."""
    return f"the pattern {quote(source)} can't be used: {engine}. {_advise(source, engine)}"


def _advise(source: str, engine: str) -> str:
    for complaint, advice in ADVICE:
        if complaint.match(engine):
            return advice
    if len(source) > LONGEST_ESCAPED:
        return "Put a backslash before each of . ^ $ * + ? ( ) [ ] { } | \\ that stands for itself."
    return (
        f"To search for this text as it is, the JSON string is {quote(_escape_pattern(source), 2 * LONGEST_ESCAPED)}."
    )


def _escape_pattern(source: str) -> str:
    return "".join(f"\\{char}" if char in ".^$*+?()[]{}|\\" else char for char in source)
