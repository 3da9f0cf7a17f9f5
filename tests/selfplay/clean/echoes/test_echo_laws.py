from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay.clean.echoes import EchoFinding, EchoKind, find_echoes, without_echoes
from selfplay.clean.echoes.search import ROUNDS
from tests.selfplay.clean.echoes.test_echo_table import labelled_turns

HINT = "Think about what happens when the last reference to a connection goes away. Who is told?"
BETWEEN = (
    " ", "", "\n", "\n\n", " **", "** ", "\n- ", "\n1. ", "\n> ", "`", "\n```\n", ", ", " \u2014 ", " (", ") ", '"',
    "\u2019", "_", "*", "\u200b", "\t", "\n# ", ". ", "! ", "\u2026", "\u3002", "\uff0c", "\u0301", "\0",
)  # fmt: skip
TEXTS = tuple(row.text for row in labelled_turns())


@st.composite
def turns(draw: st.DrawFn) -> str:
    """Turns of the table, whole and cut, with anything between them."""
    parts: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        text = draw(st.sampled_from(TEXTS))
        start = draw(st.one_of(st.just(0), st.integers(0, len(text))))
        parts += [text[start:], *draw(st.lists(st.sampled_from(BETWEEN), max_size=3))]
    return "".join(parts)


HINTS = st.sampled_from((None, HINT, "Look wider."))


@settings(deadline=None)
@given(st.one_of(turns(), st.text()), HINTS)
def test_what_is_left_has_no_echo_and_is_left_alone(text: str, hint: str | None) -> None:
    found = find_echoes(text, hint)
    left = without_echoes(text, found)
    assert find_echoes(left, hint) == ()
    assert without_echoes(left, ()) == left
    assert found or left == text
    assert all(text[slice(*f.span)] == f.text for f in found)


@settings(deadline=None)
@given(turns())
def test_a_hint_only_adds_echoes(text: str) -> None:
    if find_echoes(text):
        assert find_echoes(text, HINT)
    assert find_echoes(without_echoes(text, find_echoes(text, HINT))) == ()


@settings(deadline=None)
@given(turns(), HINTS)
def test_what_is_left_are_characters_of_the_text_in_order(text: str, hint: str | None) -> None:
    rest = iter(text.casefold())
    assert all(char in rest for char in without_echoes(text, find_echoes(text, hint)).casefold())


@settings(deadline=None, max_examples=50)
@given(turns(), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=4))
def test_any_spans_can_be_taken_out(text: str, pairs: Sequence[tuple[int, int]]) -> None:
    spans = [(min(a, b), min(max(a, b), len(text))) for a, b in pairs if min(a, b) < min(max(a, b), len(text))]
    found = [EchoFinding(kind=EchoKind.THANKS, text=text[a:b], span=(a, b)) for a, b in spans]
    assert len(without_echoes(text, found)) <= len(text) - max((b - a for a, b in spans), default=0)


CLEANED = {
    "Good point, let me look at the writer.": "Let me look at the writer.",
    "**Good point.** Let me look at the writer.": "Let me look at the writer.",
    "Let me look at the writer, as suggested.": "Let me look at the writer.",
    "I search the writer (as you suggested) next.": "I search the writer next.",
    "The reader parses. As the adviser noted, the writer is slow. I read it.": "The reader parses. I read it.",
    "I was told to look wider, so I list the folder.": "I list the folder.",
    "- Thanks.\n- I look at `writer`.\n\nThe rest.\n": "- I look at `writer`.\n\nThe rest.\n",
    "First.\n\nThanks, that is it.\n\nLast.": "First.\n\nLast.",
    "As suggested, I try it:\n\n```py\nx = 1  # thanks\n```\n": "I try it:\n\n```py\nx = 1  # thanks\n```\n",
    "Thanks.": "",
    "You\u2019re right \u2014 I should read the caller.": "I should read the caller.",
    "谢谢提示\uff0c我看看关闭的代码。": "我看看关闭的代码。",
}


@pytest.mark.parametrize(("text", "left"), CLEANED.items(), ids=CLEANED.keys())
def test_what_is_left_reads_well(text: str, left: str) -> None:
    assert without_echoes(text, find_echoes(text)) == left


def test_words_that_could_be_seen_without_the_hint_are_no_restatement() -> None:
    text = "I look for finalizers and weak references."
    hint = "Finalizers or weak references may matter."
    assert [f.kind for f in find_echoes(text, hint)] == [EchoKind.RESTATED]
    assert find_echoes(text, hint, ["The task: finalizers of weak references run twice."]) == ()


def test_a_turn_of_phrase_of_the_hint_counts_although_its_words_were_seen() -> None:
    hint, seen = "What here has to do with context and convert?", ["convert(context)"]
    assert find_echoes("I have not looked for what has to do with 'context' and 'convert'.", hint, seen)
    assert not find_echoes("convert takes a context.", hint, seen)


@pytest.mark.parametrize("hint", [None, "", "  \n"])
def test_an_empty_hint_is_none(hint: str | None) -> None:
    assert find_echoes("Understandably, the decoder is next. Right, so I look.", hint) == ()
    assert find_echoes("Makes sense, the decoder is next.", hint) == ()
    assert find_echoes("Makes sense, the decoder is next.", "Decode.")


def test_a_block_of_code_is_never_an_echo_and_stays_whole() -> None:
    block = "```\n# think about the last reference to a connection, thanks\n\nThanks.\n```"
    text = f"I run this:\n{block}\nThanks for the tip.\n"
    assert without_echoes(text, find_echoes(text, HINT)) == f"I run this:\n{block}"
    assert find_echoes(block, HINT) == ()


def test_a_text_of_nothing_but_answers_is_one_echo() -> None:
    text = "Right you so, yes " * 3 + "".join(f"Right, x{n}. " for n in range(ROUNDS * 3))
    assert find_echoes(without_echoes(text, find_echoes(text, "x y")), "x y") == ()


def test_lone_surrogates_and_marks_without_a_letter_do_no_harm() -> None:
    for text in ("\ud800 thanks!", "\u0301\u200b", "\u0301Thanks.\u0301", "\0thanks\0.\0"):
        assert find_echoes(without_echoes(text, find_echoes(text))) == ()
