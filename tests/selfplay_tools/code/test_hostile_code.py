"""Texts made to tangle a parser are given up, or read as what they are, with bounded effort."""

import pytest

from selfplay_tools.code.code_file import CodeFile, parse_code
from selfplay_tools.code.syntax import MAX_ANGLES, MAX_BRACKETS, MAX_PARSED_BYTES, TANGLED, nests_too_deeply


def read(path: str, source: bytes) -> CodeFile:
    return parse_code(path, source, with_non_code=True)


@pytest.mark.parametrize("path", ["a.py", "a.js", "a.ts", "a.go", "a.rs", "A.java", "a.c", "a.cc", "a.rb"])
@pytest.mark.parametrize("text", [b"x = " + b"(" * 100_000 + b")" * 100_000, b"{" * 200_000, b"[{(" * 50_000])
def test_a_hundred_thousand_brackets_are_refused(path: str, text: bytes) -> None:
    assert read(path, text) == read(path, text)
    assert read(path, text).problem == TANGLED


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("A.java", b"a<" * 100_000),
        ("a.ts", b"a<b," * 50_000),
        ("a.py", b"\\\n" * 100_000),
        ("a.py", b"int " + b"*" * 50_000),
        ("a.rb", b"def a\n" * 50_000),
    ],
    ids=["angles", "type arguments", "line joints", "nonsense", "open methods"],
)
def test_a_tangle_is_given_up(path: str, text: bytes) -> None:
    code = read(path, text)
    assert code.problem == TANGLED
    assert code.definitions == ()


def test_depth_that_a_generator_reaches_is_still_read() -> None:
    text = b"def f():\n    return " + b"[" * 1_000 + b"]" * 1_000 + b"\n\ndef g(): pass\n"
    assert [one.name for one in read("a.py", text).definitions] == ["f", "g"]


def test_names_in_a_deep_nest_of_functions_stay_short() -> None:
    text = b"".join(b" " * depth + b"def a():\n" for depth in range(150)) + b" " * 150 + b"pass\n"
    found = read("a.py", text).definitions
    assert len(found) > 60
    assert max(one.qualified.count(".") for one in found) <= 16


def test_ten_thousand_names_on_one_line_are_read_once_each() -> None:
    text = b"int " + b", ".join(b"a%d" % number for number in range(10_000)) + b";"
    found = read("a.c", text).definitions
    assert len(found) == 10_000
    assert max(len(one.signature) for one in found) <= 240


def test_a_file_over_the_limit_is_not_parsed_and_says_so() -> None:
    code = read("a.py", b"x = 1\n" * (MAX_PARSED_BYTES // 6 + 1))
    assert "1.0 MB are not parsed" in code.problem


def test_nesting_counts_what_is_open_not_what_there_is() -> None:
    assert not nests_too_deeply(b"f(a[0], {});\n" * 10_000)
    assert not nests_too_deeply(b"List<Map<A, B>> x = a<b;\n" * 10_000)
    assert nests_too_deeply(b"(" * (MAX_BRACKETS + 1))
    assert nests_too_deeply(b"a<" * (MAX_ANGLES + 1))
