import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.index.query_terms import MAX_TERMS, other_forms_of, stem, terms_of
from selfplay_tools.index.store.word_numbers import numbers_of

LETTERS = st.text("abdeginrstwy", min_size=2, max_size=9)


def words(query: str) -> list[str]:
    return [term.word for term in terms_of(query)]


def test_plain_english_is_left_out() -> None:
    assert words("Fix the handling of cookies when a request is redirected") == [
        "handling",
        "cooky",
        "request",
        "redirected",
    ]


def test_plain_english_is_kept_where_there_is_nothing_else() -> None:
    assert words("fix this") == ["fix", "this"]


def test_identifiers_are_there_whole_and_in_parts() -> None:
    assert words("max_redirects HTTPError") == ["max_redirect", "max", "redirect", "httperror", "http", "error"]


def test_forms_of_one_word_are_one_term_that_counts_more() -> None:
    (term,) = terms_of("handle handled handling")
    assert term.word == "handle"
    assert term.weight > terms_of("handle")[0].weight


def test_a_long_query_is_cut() -> None:
    query = " ".join(f"{first}{second}q" for first in "bcdfgh" for second in "bcdfgh")
    assert words(query) == words(query)[:MAX_TERMS]
    assert len(words(query)) == MAX_TERMS


def test_a_query_without_words_has_no_terms() -> None:
    assert terms_of("?! 12 _ x") == ()


def test_numbers_are_those_of_the_word_and_then_of_its_forms() -> None:
    (term,) = terms_of("parsing")
    assert term.numbers == tuple(numbers_of(("parsing", *other_forms_of("parsing"))).tolist())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("handle", "handling"),
        ("handled", "handling"),
        ("run", "running"),
        ("apply", "applied"),
        ("cookie", "cooky"),
        ("pass", "passing"),
        ("match", "matched"),
        ("redirect", "redirecting"),
    ],
)
def test_forms_of_a_word_find_each_other(one: str, other: str) -> None:
    assert other in other_forms_of(one)
    assert one in other_forms_of(other)


@pytest.mark.parametrize("word", ["string", "red", "king", "bed", "thing", "need"])
def test_an_ending_that_is_no_ending_stays(word: str) -> None:
    assert stem(word) == word


@given(word=LETTERS)
def test_every_form_has_the_words_stem_and_none_is_the_word(word: str) -> None:
    assert {stem(form) for form in other_forms_of(word)} <= {stem(word)}
    assert word not in other_forms_of(word)


@pytest.mark.parametrize("word", ["does", "uses", "adds", "fixes", "bugs", "changes"])
def test_plain_words_are_left_out_in_the_plural_too(word: str) -> None:
    assert words(f"{word} cookies") == ["cooky"]
