from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.code.c_source import ATTRIBUTES, blank_macros
from selfplay_tools.code.code_file import parse_code

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
