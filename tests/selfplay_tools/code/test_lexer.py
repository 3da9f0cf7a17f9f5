import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.code.lexer import can_lex, find_line_of_code, find_non_code_ranges, select_in_code
from selfplay_tools.code.syntax import ByteRanges

PIECES = (
    "/*",
    "*/",
    "//",
    '"',
    "'",
    "\\",
    "\n",
    "#define A ",
    "#include <",
    ">",
    'R"(',
    ')"',
    "`",
    "1'0",
    "word",
    " ",
    " */\n",
    "/*/\n",
    "\\\n",
    "#error a",
    '"""',
)


def quiet_text(language: str, source: bytes) -> ByteRanges:
    return ByteRanges.from_ranges(find_non_code_ranges(language, source))


def code_lines(language: str, text: str) -> list[int]:
    """Lines in which the name stands as code."""
    source = text.encode()
    quiet = quiet_text(language, source)
    places = [match.start() for match in re.finditer(rb"\bname\b", source)]
    return [source.count(b"\n", 0, place) + 1 for place in places if not quiet.contains(place)]


@pytest.mark.parametrize(
    ("language", "text", "lines"),
    [
        ("c", "/* name\n * name */ name\n// name \\\n name\nname", [2, 5]),
        ("c", "\"name\" name \"\\\" name\"\n'name' name '\\'' name", [1, 2, 2]),
        ("c", '"open name\nname "shut" name', [1, 2, 2]),
        ("c", "#include <name>\n# include  <a/name.h>\n#include NAME name", [3]),
        ("c", '#define A "name" \\\n  name "name" /* name\n name */ name // name\n"name"', [1, 2, 2, 3]),
        ("c", '#define A "a/*"\n"name" name /* name */', [2]),
        ("c", '#define A b // a/*\n"name" name /* name */', [2]),
        ("c", "#error don't /* name\n'name' name /* name */", [1, 2]),
        ("c", "#error don't name\n#if X == 'name' || name\nname", [1, 2, 3]),
        ("c", "/* name", []),
        ("cpp", 'R"x(name" )" name)x" name', [1]),
        ("cpp", "int a = 1'000'000, name = 0x1'f; char b = '\\'', name;", [1, 1]),
        ("go", '`name\n\\` name\n\'"\' name "name" // name', [2, 3]),
        ("java", '"""\n name "\n""" name\n\'"\' name /** name */', [3, 4]),
    ],
)
def test_comments_and_strings_are_no_code(language: str, text: str, lines: list[int]) -> None:
    assert code_lines(language, text) == lines


@given(st.sampled_from(["c", "cpp", "go", "java"]), st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_places_are_classified_without_reading_all_before_them(language: str, text: str) -> None:
    source = text.encode()
    quiet = quiet_text(language, source)
    code = [place for place in range(len(source)) if not quiet.contains(place)]
    assert list(select_in_code(language, source, range(len(source)))) == code
    for place in range(len(source)):
        assert list(select_in_code(language, source, [place])) == [place] * (place in code)
        begin = find_line_of_code(language, source, place)
        assert list(select_in_code(language, source, range(begin, len(source)), begin)) == [
            at for at in code if at >= begin
        ]
        found = find_non_code_ranges(language, source, begin)
        assert [*found] == [(first, last) for first, last in zip(quiet.starts, quiet.ends, strict=True) if last > begin]


@pytest.mark.parametrize("language", ["c", "cpp", "go", "java"])
@pytest.mark.parametrize(
    "text", ["/*", '"', "'\\", "#define a /*", "#define a \\\n", 'R"(', "`", '"""', "1'", "a' b\n"]
)
def test_texts_made_to_slow_it_down_are_read_once(language: str, text: str) -> None:
    source = text.encode() * 50_000 + b"\nname"
    quiet_text(language, source)
    assert len(list(select_in_code(language, source, [len(source) - 1] * 1_000))) in {0, 1_000}


def test_other_languages_need_a_syntax_tree() -> None:
    assert not any(map(can_lex, ("python", "javascript", "rust", "ruby")))
