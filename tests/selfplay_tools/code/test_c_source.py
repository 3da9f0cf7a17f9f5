from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.code.c_source import (
    ATTRIBUTES,
    blank_macros,
    blank_unmatched_conditions,
    find_part_around,
    may_have_parts,
    split_parts,
)
from selfplay_tools.code.code_file import clear_cache, code_of, parse_code
from selfplay_tools.code.lexer import find_non_code_ranges
from selfplay_tools.code.syntax import ByteRanges
from selfplay_tools.tools.find_references import FindReferences, find_references
from selfplay_tools.tools.find_symbol import FindSymbol, find_symbol
from selfplay_tools.tools.toolbox import Toolbox

WORDS = (
    *("__init", "__packed", "__printf(1, 2)", "asmlinkage", "API_X", "EXPORT", "struct", "class", "static", "int", "f"),
    *("(void)", "(", ")", "{", "}", ";", "\n", " ", "#define ", "*", "é"),
)


def format_definitions(path: str, text: str) -> list[str]:
    return [f"{one.kind} {one.name} {one.line}" for one in parse_code(path, text.encode()).definitions]


def test_attributes_of_a_kernel_are_no_names() -> None:
    text = (
        "static int __init start(void)\n{\n\treturn 0;\n}\n"
        "struct packet {\n\tint size;\n} __packed;\n"
        "static unsigned int timeout __read_mostly = 3;\n"
        "int __must_check check(int) __printf(1, 2);\n"
        'static u8 table[] __section(".init") = { 1 };\n'
        "asmlinkage void notrace enter(void)\n{\n}\n"
    )
    assert format_definitions("a.c", text) == [
        *("function start 1", "struct packet 5", "variable timeout 8", "declaration check 9", "variable table 10"),
        "function enter 11",
    ]


def test_an_attribute_is_defined_where_a_macro_defines_it() -> None:
    text = "#ifndef __packed\n# define __packed __attribute__((__packed__))\n#endif\n"
    assert format_definitions("a.h", text) == ["macro __packed 2"]


def test_words_that_begin_like_attributes_stay() -> None:
    text = b"__initcall(f); __u32 x; int notraced; int noinline;"
    assert blank_macros(text) == text


def test_macros_in_capitals_around_a_prototype_are_skipped() -> None:
    text = (
        "LUA_API int (lua_absindex) (lua_State *L, int idx);\n"
        "LUA_API const char *(lua_tolstring) (lua_State *L);\n"
        "MODULE_API void * (*Module_Alloc)(size_t bytes) MODULE_ATTR;\n"
        "MODULE_API int (*Module_Log)(char *format, ...) MODULE_ATTR MODULE_ATTR_PRINTF(1,2);\n"
    )
    assert format_definitions("a.h", text) == [
        *("declaration lua_absindex 1", "declaration lua_tolstring 2", "variable Module_Alloc 3"),
        "variable Module_Log 4",
    ]


def test_a_cast_of_a_macro_stays() -> None:
    text = b"int f(void)\n{\n\treturn (int) SOME_FLAG;\n}\n"
    assert blank_macros(text) == text


@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_nothing_moves_when_macros_are_blanked(text: str) -> None:
    before = text.encode()
    after = blank_macros(before)
    assert len(after) == len(before)
    assert all(new in (old, ord(" ")) for old, new in zip(before, after, strict=True))
    assert after.count(b"\n") == before.count(b"\n")


def test_every_attribute_is_blanked() -> None:
    assert [word for word in ATTRIBUTES if blank_macros(f"int {word} x;".encode()).split() != [b"int", b"x;"]] == []


PIECES = (
    "int f(void)\n{\n\tname();\n}\n",
    "struct a {\n\tint b;\n};\n",
    "static int t[] = {\n{\n1 },\n{\n}\n};\n",
    "#define X(a) do { \\\n\ta; \\\n} while (0)\n",
    "#define Y { \\\n}\n",
    "#ifdef A\n",
    "#else\n",
    "#endif\n",
    "/* a\n}\nint */\n",
    "/*\n}\n",
    " */\n",
    "}\n",
    "{\n",
    "} /* a */;\n",
    "} a;\n",
    '"a\\\n}\n"\n',
    "\tname = 1;\n",
    "broken(((;\n",
    "\n",
    " ",
)
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def split_text(text: str) -> list[str]:
    source = text.encode()
    return [source[start:end].decode() for start, end in split_parts("c", source)]


@pytest.mark.parametrize(
    "pieces",
    [
        ["int f(void)\n{\n}\n\n", "struct a {\n};\n", "int x;\n"],
        ["struct a {\n} __packed;\n", "#define A\nint x;\n"],
        ["/*\n}\nint x;\n*/\nvoid f(void)\n{\n}\n", "// last\n"],
        ["int a[] = {\n{\n}\n,\n{\n}\n};\n", "int x;\n"],
        ["int a[] = {\n#if A\n{\n}\n#endif\n};\n", "int x;\n"],
        ["#define A { \\\n}\nint x;\n"],
        ["int f(void)\n{\n\tint a[] = {\n};\n\treturn a[0];\n}\n"],
        ["int f(void)\n{\n\tint a[] = {\n};\nagain:\n\tgoto again;\n}\n", "int x;\n"],
        ["int f(void)\n{\nstruct a b = {\n};\ng(b);\n}\n", "int x;\n"],
        ["struct a {\nstruct {\nint b;\n} c;\nint d;\n};\n", "int x;\n"],
        ["int a[] = {\n} /* none */ ;\nint x;\n"],
    ],
)
def test_a_text_is_cut_between_what_it_defines(pieces: list[str]) -> None:
    assert split_text("".join(pieces)) == pieces


@pytest.mark.parametrize(
    "text", ["int f(void)\n{\nif (x)\n{\n}\ny();\n}\n", 'extern "C" {\nint f(void)\n{\n}\nint x;\n}\n']
)
def test_a_text_that_is_laid_out_in_another_way_is_not_cut(text: str) -> None:
    assert may_have_parts("c", b"int x;\n")
    assert not may_have_parts("cpp", b"int x;\n")
    assert not may_have_parts("c", text.encode())


@given(texts)
def test_parts_cover_the_text_and_each_is_found_from_any_place_in_it(text: str) -> None:
    source = text.encode()
    quiet = ByteRanges.from_ranges(find_non_code_ranges("c", source))
    found = list(split_parts("c", source))
    assert b"".join(source[start:end] for start, end in found) == source
    for start, end in found:
        for place in range(start, end):
            if not source[place : place + 1].isspace() and not quiet.contains(place):
                assert find_part_around("c", source, place) == (start, end)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("#endif\nint x;\n", "      \nint x;\n"),
        ("#if A\nint x;\n#endif\n", "#if A\nint x;\n#endif\n"),
        ("#else /* a\n b */\n# ifdef A \\\n  && B\n#elif C\n", "          \n     \n           \n      \n       \n"),
        ("#if A\n#if B\n#endif\n", "     \n#if B\n#endif\n"),
        ("#endif // a/*.c\nint x; /* b */\n", "               \nint x; /* b */\n"),
        ("#if A\n/*\n#endif\n*/\n#endif\n", "#if A\n/*\n#endif\n*/\n#endif\n"),
        ("/*\n#if A /* b\n*/\n#endif\n", "/*\n#if A /* b\n*/\n      \n"),
        ("#define A \\\n#if B\nint x;\n", "#define A \\\n#if B\nint x;\n"),
    ],
)
def test_conditions_that_end_elsewhere_are_blank(part: str, text: str) -> None:
    assert blank_unmatched_conditions(part.encode()).decode() == text


def test_what_a_grammar_fails_at_spoils_one_part_only() -> None:
    text = "int f(void)\n{\n\tbroken(((;\n\n{{\n}\n\nint g(void)\n{\n\treturn 1;\n}\n"
    found = [(one.name, one.first, one.last) for one in parse_code("a.c", text.encode()).definitions]
    assert ("g", 8, 11) in found


def test_a_file_of_which_a_part_is_not_read_is_named_beside_what_is_found(
    toolbox_on: Callable[[Mapping[str, str | bytes]], Toolbox],
) -> None:
    text = "int f(void)\n{\n\t" + "(a)(b)*" * 3_000 + "\n}\n\nint name(void)\n{\n}\n"
    result = find_symbol(toolbox_on({"a.c": text}).snapshot, FindSymbol.model_validate({"name": "name"}))
    assert "a.c:6-8 function name" in result.text
    assert "not parsed: a.c" in result.text


@given(texts)
def test_a_part_reads_the_same_alone(text: str) -> None:
    source = text.encode()
    found = {(one.name, one.line) for one in parse_code("a.c", source).definitions}
    alone = {
        (one.name, one.line + source.count(b"\n", 0, start))
        for start, end in split_parts("c", source)
        for one in parse_code("a.c", blank_unmatched_conditions(source[start:end])).definitions
    }
    assert not may_have_parts("c", source) or found == alone


def test_answers_do_not_depend_on_what_was_read_before(
    toolbox_on: Callable[[Mapping[str, str | bytes]], Toolbox],
) -> None:
    text = "".join(PIECES * 3) + "int f(void)\n{\n\tname(((;\n}\n#if A\nint g(void)\n{\n\tname = 2;\n}\n#endif\n"
    snapshot = toolbox_on({"a.c": text, "b.h": text.replace("name", "int name"), "c.py": "name = 1\n"}).snapshot
    clear_cache()
    fresh = find_references(snapshot, FindReferences.model_validate({"name": "name"}))
    assert "[in f]" in fresh.text
    for path in ("a.c", "b.h"):
        code_of(snapshot, path)
    assert find_references(snapshot, FindReferences.model_validate({"name": "name"})) == fresh


@pytest.mark.parametrize(
    "text", ["int /* a */ name(void);\n", 'char *a = R"(a";\nint name(void);\n', "int name(void);\n", "// int name;\n"]
)
def test_what_a_header_defines_does_not_depend_on_what_was_read_before(
    toolbox_on: Callable[[Mapping[str, str | bytes]], Toolbox], text: str
) -> None:
    snapshot = toolbox_on({"a.h": text}).snapshot
    clear_cache()
    fresh = find_symbol(snapshot, FindSymbol.model_validate({"name": "name"}))
    assert fresh.text.startswith("No definition" if text.startswith("//") else "1 definition")
    code_of(snapshot, "a.h")
    assert find_symbol(snapshot, FindSymbol.model_validate({"name": "name"})) == fresh


@pytest.mark.parametrize("text", ["\n}\na", "/*\n}\nx */", "\n}\n#", "\n}\n", '"\\\n}\n', "#if a\n", "\n};\n {("])
def test_texts_made_to_be_cut_often_are_read(text: str) -> None:
    source = text.encode() * 3_000
    assert parse_code("a.c", source) == parse_code("a.c", source)
    find_part_around("c", source, len(source) - 1)
