from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfplay.gate.text.codes import decode_parts, undo_ciphers
from selfplay.gate.text.letters import (
    join_fragments,
    join_spelled_letters,
    read_escapes_and_spoken_signs,
    read_spelled_runs,
    read_substituted_letters,
)
from selfplay.gate.text.view import TextView, compact, normalise, parts_of

ANY = st.text(max_size=120) | st.text(alphabet="ab \n\t.-0\u200b\u0301\uff41\u0435\u01dd%41&#65;\\x41", max_size=60)


def make_views(text: str) -> list[TextView]:
    view = normalise(text)
    made = [TextView(text, join_spelled_letters(view.tokens)), TextView(text, join_fragments(view)), decode_parts(view)]
    return [
        view,
        *read_escapes_and_spoken_signs(view),
        *read_substituted_letters(view),
        *(v for v, _ in undo_ciphers(view)),
        *read_spelled_runs(view.tokens, view),
        *made,
    ]


@settings(max_examples=40, deadline=None)
@given(text=ANY)
def test_every_character_of_every_view_stands_for_a_part_of_the_original(text: str) -> None:
    for view in make_views(text):
        assert len(view.text) == len(view.starts) == len(view.ends)
        assert all(0 <= a <= b <= len(text) for a, b in zip(view.starts, view.ends, strict=True))


@settings(max_examples=40, deadline=None)
@given(text=ANY)
@example(text="11a000")
@example(text="cmVzcG9uc2U=")
def test_a_word_stands_for_a_part_that_is_not_empty(text: str) -> None:
    for view in make_views(text):
        assert all(token.start < token.end for token in view.tokens)


@given(
    text=st.text(
        alphabet=st.characters(codec="ascii", exclude_characters="\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f "), max_size=80
    )
)
def test_plain_text_is_its_own_normal_form(text: str) -> None:
    assert normalise(text).text == text


def test_white_space_shrinks() -> None:
    assert normalise("a \t  b\n  c \n\n\n d").text == "a b\nc\n\nd"


def test_a_view_finds_its_way_back() -> None:
    hint = "see \uff52\uff45\u200b\uff53 now"
    token = normalise(hint).tokens[1]
    assert (token.text, hint[token.start : token.end]) == ("res", "\uff52\uff45\u200b\uff53")


def test_identifiers_fall_into_their_words() -> None:
    assert parts_of("HTTPServerError2") == ("http", "server", "error", "2")
    assert parts_of("response_writer") == parts_of("ResponseWriter") == ("response", "writer")
    assert compact("Response-Writer.py") == "responsewriterpy"


@given(name=st.text(alphabet="abcXYZ019_-./", max_size=30))
def test_the_words_of_a_name_have_all_its_letters(name: str) -> None:
    assert "".join(parts_of(name)) == compact(name)
