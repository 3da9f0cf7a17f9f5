"""Hopping from literal to literal finds the lines that a look at every line finds."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfplay_tools.index.literal_prefilter import find_required_literals
from selfplay_tools.index.patterns import LinePattern
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.literals import derive_need
from selfplay_tools.text.regex import compile_regex

SOURCES = st.sampled_from(
    [
        "abcd",
        "abcd|bcde",
        r"\babcd\b",
        "abcd.*x",
        "(ab|cd)cd_?x",
        "^abcd$",
        "abc[de]x*",
        "x?abcd+",
        "éabc",
        "abcd.{0,3}e",
    ]
)
LINES = st.lists(
    st.sampled_from(["abcd", "abcde x", "xabcd", "bcde", "", "é", "éabcd", "abcdabcd", "cdcd_x", "q" * 90])
)


def span_of(texts: Sequence[Sequence[str]]) -> TextSpan:
    sources = ["".join(f"{line}\n" for line in lines).encode() for lines in texts]
    ends = [sum(map(len, sources[: number + 1])) for number in range(len(sources))]
    starts = [end - len(source) for end, source in zip(ends, sources, strict=True)]
    return TextSpan(b"".join(sources), [str(number) for number in range(len(texts))], starts, ends)


@given(source=SOURCES, texts=st.lists(LINES, min_size=1, max_size=4), copies=st.sampled_from([1, 1, 70]))
@example(source="abcd.*x", texts=[["abcd", "abcde x"]], copies=70)
@settings(max_examples=300, deadline=None)
def test_hopping_finds_what_reading_every_line_finds(source: str, texts: list[list[str]], copies: int) -> None:
    texts = [lines * copies for lines in texts]
    span = span_of(texts)
    alone = compile_regex(source)
    expected = {
        (str(number), at, match.start())
        for number, lines in enumerate(texts)
        for at, line in enumerate(lines)
        if (match := alone.search(line.encode()))
    }
    found = {
        (span.paths[one.which], number, place - span.buffer.rfind(b"\n", 0, place) - 1)
        for one in LinePattern(source).find_texts(span)
        for number, place in span.lines_of(one.which).number_places(one.matches)
    }
    assert found == expected


@pytest.mark.parametrize(
    ("source", "marks"),
    [
        ("spin_lock", ("spin_lock",)),
        (r"\bfoo\(.*barbaz", ("barbaz",)),
        ("foo|barbaz", ("foo", "barbaz")),
        ("(get|set)_name", ("get_name", "set_name")),
        ("a|foo", ()),
        ("(?i)foo", ()),
        ("f.o", ()),
        ("abc|abd|abe|abf|abg", ()),
        ("xx", ()),
    ],
)
def test_landmarks_are_a_few_literals_as_they_are_written(source: str, marks: tuple[str, ...]) -> None:
    assert find_required_literals(derive_need(source, ignore_case=False)) == marks
