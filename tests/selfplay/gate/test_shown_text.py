from hypothesis import given
from hypothesis import strategies as st

from selfplay.gate import ShownText

LISTING = "src/http/response.py\nsrc/http/request.py\nREADME.md\n"
FILE = (
    "src/http/server.py: lines 1-5 of 5\n"
    "     1\tfrom http.response import Response, make_reply\n"
    "     2\t\n"
    "     3\tdef serve(sock):\n"
    "     4\t    reply = make_reply(sock)\n"
    "     5\t    sock.sendall(reply.encode())\n"
)


def make_shown_text(*texts: str) -> ShownText:
    shown = ShownText()
    for text in texts:
        shown.add(text)
    return shown


def test_a_listed_path_is_no_shown_word() -> None:
    shown = make_shown_text(LISTING)
    assert {"src/http/response.py", "src/http/request.py", "README.md"} <= shown.paths
    assert "response" not in shown.compact_words
    assert not shown.has_phrase(("response",))


def test_an_imported_module_is_no_shown_word_but_what_is_imported_is() -> None:
    shown = make_shown_text(FILE)
    assert "response" not in shown.raw_words
    assert {"Response", "make_reply", "serve"} <= shown.code_words


def test_words_side_by_side_are_known_in_prose_and_in_identifiers() -> None:
    shown = make_shown_text("The rate limiter drops packets.", FILE)
    assert shown.has_phrase(("rate", "limiter"))
    assert shown.has_phrase(("make", "reply"))
    assert not shown.has_phrase(("limiter", "rate"))


def test_a_path_parts_the_words_around_it() -> None:
    assert not make_shown_text("open src/a.py twice").has_phrase(("open", "twice"))


def test_prose_is_not_code() -> None:
    shown = make_shown_text("the response leaves the server")
    assert "response" in shown.raw_words
    assert "response" not in shown.code_words


def test_lines_are_known_without_what_a_tool_puts_before_them() -> None:
    shown = make_shown_text(FILE, "src/a.py:12:    total = a + b", "   7: rest = 0")
    assert {"reply = make_reply(sock)", "total = a + b", "rest = 0"} <= shown.lines


def test_what_a_matching_line_lies_in_is_known_as_code() -> None:
    shown = make_shown_text("1 matching line in 1 file\nsrc/a.py\n3=class Pump(Base):\n12:    inlet")
    assert "class Pump(Base):" in shown.lines
    assert {"Pump", "Base"} <= shown.code_words


def test_a_text_that_begins_with_a_path_and_goes_on_with_lines_opened_it() -> None:
    assert make_shown_text(FILE).opened_paths == {"src/http/server.py"}
    assert make_shown_text(LISTING).opened_paths == set()
    assert make_shown_text("src/http/server.py: empty file").opened_paths == set()


def test_the_engine_can_say_what_was_opened() -> None:
    shown = ShownText()
    shown.mark_opened("a/b.py")
    assert "a/b.py" in shown.opened_paths


@given(texts=st.lists(st.text(max_size=80), max_size=6))
def test_what_was_shown_stays_shown(texts: list[str]) -> None:
    shown = ShownText()
    for text in texts:
        before = (set(shown.raw_words), set(shown.lines), set(shown.paths), set(shown.code_words))
        shown.add(text)
        after = (set(shown.raw_words), set(shown.lines), set(shown.paths), set(shown.code_words))
        assert all(old <= new for old, new in zip(before, after, strict=True))


@given(head=st.text(max_size=20).filter(lambda text: "\n" not in text), rest=st.text(max_size=80))
def test_a_head_is_not_shown(head: str, rest: str) -> None:
    shown, other = ShownText(), make_shown_text(rest)
    shown.add(f"{head}\n{rest}", has_head=True)
    assert (shown.raw_words, shown.lines, shown.paths, shown.code_words) == (
        other.raw_words,
        other.lines,
        other.paths,
        other.code_words,
    )
