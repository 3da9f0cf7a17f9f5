"""Texts cut into chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.semantic.chunks import MAX_CHARS, NAME_CHARS, CodeChunk, cut_into_chunks, kind_of

BODY = "".join(f"        total = total + step_{n} * weight_{n}\n" for n in range(8))
DEEP = 5 * BODY.replace("        total", "            total", 8)
CODE = f'''"""A module."""

import os


# Adds things.
# Twice.
def add(total):
{BODY}        return total


class Store:
    """Keeps things."""

    @cached
    def put(self, total):
{BODY}        return self

    def get(self):
        return 1

    def drop(self):
        return 2

    class Inner:
        def walk(self, total):
{DEEP}            return total
'''


def cut(text: str, kind: str = ".py") -> tuple[CodeChunk, ...]:
    return cut_into_chunks(kind, text.encode())


def test_code_is_cut_where_definitions_begin_and_end() -> None:
    assert [(one.name, one.first, one.last) for one in cut(CODE)] == [
        ("", 1, 3),
        ("add", 6, 17),
        ("Store", 20, 21),
        ("Store.put", 23, 33),
        ("Store", 35, 39),
        ("Store.Inner", 41, 41),
        ("Store.Inner.walk", 42, 76),
        ("Store.Inner.walk", 77, 83),
    ]


def test_a_comment_above_a_definition_belongs_to_it() -> None:
    found = {one.name: one.text for one in cut(CODE)}
    assert found["add"].startswith("add\n# Adds things.\n# Twice.\ndef add(total):\n")
    assert found["Store.put"].startswith("Store.put\n    @cached\n")


def test_a_definition_that_fits_is_one_chunk_with_all_that_stands_in_it() -> None:
    [one] = cut("class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2\n")
    assert (one.name, one.first, one.last) == ("A", 1, 6)


def test_a_text_in_no_known_language_is_cut_at_blank_lines() -> None:
    paragraph = "one two three four five six seven eight nine ten\n" * 12
    found = cut(f"{paragraph}\n{paragraph}\n{paragraph}\n{paragraph}", kind="")
    assert [(one.first, one.last) for one in found] == [(1, 25), (27, 51)]
    assert {one.name for one in found} == {""}


def test_a_line_without_end_is_embedded_in_part() -> None:
    [one] = cut("x = [" + "1, " * 90_000 + "]\n")
    assert len(one.text) < MAX_CHARS + 50
    assert (one.first, one.last) == (1, 1)


@pytest.mark.parametrize("text", ["", "\n\n", "\n---\n\n===\n"])
def test_what_has_no_words_has_no_chunks(text: str) -> None:
    assert cut(text) == ()


def test_a_text_that_can_not_be_parsed_is_cut_all_the_same() -> None:
    assert cut("(" * 5_000 + "\nword\n")[-1].text.endswith("word")


def test_the_kind_is_what_tells_the_language() -> None:
    assert kind_of("a/b.py") == kind_of("c/d.PY") == ".py"
    assert kind_of("a/Gemfile") == "Gemfile"
    assert kind_of("docs/a.md") == kind_of("data.json") == ""
    assert cut("def f():\n    pass\n", "SConstruct")[0].name == "f"


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["", "    ", "def f(x):", "class A:", "    def g(self):", "        return g", "# note", "x = 1; y = 2"]
        ),
        st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=60),
        st.integers(1, 40).map(lambda n: "word " * n * 10),
    ),
    max_size=80,
)


@given(LINES, st.sampled_from(["", ".py", ".c", ".js"]))
def test_chunks_are_bounded_in_order_apart_and_leave_out_no_word(lines: list[str], kind: str) -> None:
    found = cut("".join(f"{line}\n" for line in lines), kind)
    at = 0
    held: set[int] = set()
    for one in found:
        assert at < one.first <= one.last <= len(lines)
        assert len(one.text) <= MAX_CHARS + NAME_CHARS + 40
        at = one.last
        held.update(range(one.first, one.last + 1))
    assert all(number in held for number, line in enumerate(lines, 1) if any(map(str.isalnum, line)))
