import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.text.decoding import BINARY_PROBE_BYTES, decode, decode_file, lfs_size, split_lines

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"


def lines_of(data: bytes) -> tuple[str, ...]:
    return decode_file("x", data, len(data)).lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", ()),
        (b"\n", ("",)),
        (b"a", ("a",)),
        (b"a\n", ("a",)),
        (b"a\n\n", ("a", "")),
        (b"a\r\nb\r\n", ("a", "b")),
        (b"a\nb\r\nc", ("a", "b", "c")),
        (b"a\rb\n", ("a\ufffdb",)),
        (b"a\x0bb\n", ("a\ufffdb",)),
        (b"a\x0cb\tc\n", ("a\x0cb\tc",)),
        ("a\u2028b\u0085c\n".encode(), ("a\u2028b\u0085c",)),
        (b"\x1b[31mred", ("\ufffd[31mred",)),
        (b"caf\xe9\n", ("caf\ufffd",)),
        (b"\xed\xa0\x80", ("\ufffd\ufffd\ufffd",)),
    ],
)
def test_only_newlines_end_a_line(data: bytes, lines: tuple[str, ...]) -> None:
    assert lines_of(data) == lines


@given(st.binary())
def test_any_bytes_become_text_that_can_be_stored(data: bytes) -> None:
    for line in lines_of(data):
        line.encode("utf-8")
        assert not set(line) & {chr(code) for code in range(32) if code not in {9, 12}}


@given(st.binary().filter(lambda data: b"\0" not in data and not data.startswith((b"\xff\xfe", b"\xfe\xff"))))
def test_line_numbers_are_those_of_git(data: bytes) -> None:
    expected = data.count(b"\n") + (not data.endswith(b"\n") and bool(data.removeprefix(codecs.BOM_UTF8)))
    assert len(lines_of(data)) == expected


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_text_survives(text: str) -> None:
    if not text.startswith("\ufeff"):
        assert decode(text.encode()) == (text, "utf-8")


def test_a_nul_near_the_beginning_makes_it_binary() -> None:
    text = decode_file("x", b"a" * (BINARY_PROBE_BYTES - 1) + b"\0", BINARY_PROBE_BYTES)
    assert text.is_binary
    assert text.lines == ()


def test_a_nul_further_on_is_a_replaced_character() -> None:
    text = decode_file("x", b"a" * BINARY_PROBE_BYTES + b"\0b", BINARY_PROBE_BYTES + 2)
    assert not text.is_binary
    assert text.lines == ("a" * BINARY_PROBE_BYTES + "\ufffdb",)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_says_the_encoding(mark: bytes, encoding: str) -> None:
    data = mark + "größe 🎈\r\nzwei".encode(encoding)
    text = decode_file("x", data, len(data))
    assert text.lines == ("größe 🎈", "zwei")
    assert text.encoding == ("utf-8-sig" if encoding == "utf-8" else encoding)


def test_a_mark_before_something_else_is_no_text() -> None:
    data = codecs.BOM_UTF16_LE + b"\x00\xd8\x00\x00" * 10
    assert decode_file("x", data, len(data)).is_binary


def test_a_character_that_is_cut_at_the_end_is_dropped() -> None:
    whole = "aé".encode()
    assert decode_file("x", whole[:-1], len(whole)).lines == ("a",)
    assert not decode_file("x", whole[:-1], len(whole)).is_whole
    assert decode_file("x", whole[:-1], len(whole) - 1).lines == ("a\ufffd",)


def test_an_lfs_pointer_is_known_and_shown_as_it_is() -> None:
    text = decode_file("x", POINTER, len(POINTER))
    assert text.lfs_size == 12345
    assert text.lines[0] == "version https://git-lfs.github.com/spec/v1"
    assert lfs_size(POINTER.replace(b"\noid", b"\next-0-foo sha256:" + b"b" * 64 + b"\noid", 1)) == 12345


@pytest.mark.parametrize(
    "data",
    [
        POINTER.rstrip(b"\n"),
        POINTER + b"more\n",
        POINTER.replace(b"\n", b"\r\n"),
        POINTER.replace(b"v1", b"v2"),
        POINTER.replace(b"a" * 64, b"A" * 64),
        POINTER.replace(b"12345", b"-1"),
        b"# " + POINTER,
        b"",
    ],
)
def test_what_only_resembles_a_pointer_is_a_text(data: bytes) -> None:
    assert lfs_size(data) is None


@given(st.text(st.sampled_from("a\n"), max_size=30))
def test_lines_join_to_the_text(text: str) -> None:
    assert "".join(line + "\n" for line in split_lines(text)).rstrip("\n") == text.rstrip("\n")
