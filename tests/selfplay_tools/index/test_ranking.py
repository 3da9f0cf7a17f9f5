from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.index.path_fields import make_path_fields, strip_suffix
from selfplay_tools.index.query_terms import terms_of
from selfplay_tools.index.ranking import FORMULA, FieldPair, FieldRule, Ranking, WordField, find_best
from selfplay_tools.index.store.word_index import WordIndex

CODE = "def {name}(value):\n    return value\n"
WORDS = st.sampled_from(["header", "cookies", "handled", "parse", "the", "test"])
TEXTS = st.dictionaries(
    st.from_regex(r"(src|tests|docs)/[a-e]{1,3}\.py", fullmatch=True), st.lists(WORDS).map(" ".join), min_size=1
)


def ranking_of(files: Mapping[str, str]) -> Ranking:
    paths = sorted(files)
    words = WordIndex.from_texts([memoryview(files[path].encode()) for path in paths])
    return Ranking(words.fields, make_path_fields(paths), np.arange(len(paths)))


def rank_files(files: Mapping[str, str], query: str) -> list[str]:
    paths = sorted(files)
    return [paths[at] for at in find_best(ranking_of(files).score_files(terms_of(query)), len(paths))]


def test_a_definition_counts_more_than_a_use() -> None:
    files = {"a.py": "x = 1\nif x:\n    header(x)\n", "b.py": "x = 1\ndef header(x): ...\n" + "pass\n" * 3}
    assert rank_files(files, "header") == ["b.py", "a.py"]


def test_a_files_name_counts_more_than_its_folder() -> None:
    files = {"header/other.py": "pass", "other/header.py": "pass", "other/more.py": "pass", "rest/some.py": "pass"}
    assert rank_files(files, "header") == ["other/header.py", "header/other.py"]


def test_another_form_of_a_word_is_found_after_the_word_itself() -> None:
    files = {"a.py": "the handle there", "b.py": "the handling there", "c.py": "nothing there", "d.py": "nor here"}
    assert rank_files(files, "handling") == ["b.py", "a.py"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("tests/a.py", "header test"),
        ("docs/a.md", "header documentation"),
        ("vendor/a.py", "vendored header"),
    ],
)
def test_a_byway_counts_in_full_when_it_is_asked_for(path: str, query: str) -> None:
    ranking = ranking_of({path: "header", "src/b.py": "header", "src/c.py": "nothing"})
    plain, whole = (
        ranking.score_files(terms_of("header"), replace(FORMULA, low_priority=low_priority))
        for low_priority in (0.5, 1.0)
    )
    at = sorted([path, "src/b.py", "src/c.py"]).index(path)
    assert plain[at] == whole[at] / 2
    asked = ranking.score_files(terms_of(query))
    assert asked[at] == ranking.score_files(terms_of(query), replace(FORMULA, low_priority=1.0))[at]


def test_a_repeated_word_counts_more_than_another_but_less_than_twice() -> None:
    once, thrice = (terms_of(query)[0].weight for query in ("header", "header headers header"))
    assert once == 1 < thrice < 3


@given(files=TEXTS, query=st.lists(WORDS, min_size=1).map(" ".join))
def test_what_holds_no_word_scores_nothing_and_all_else_scores_something(files: dict[str, str], query: str) -> None:
    ranking, terms = ranking_of(files), terms_of(query)
    scores = ranking.score_files(terms)
    assert bool(scores.any()) == any(ranking.are_held(terms))
    assert ranking.are_held(terms) == [bool(ranking.score_files([term]).any()) for term in terms]
    assert (scores >= 0).all()


@given(files=TEXTS, query=st.lists(WORDS, min_size=1).map(" ".join))
def test_rows_that_files_share_change_no_score(files: dict[str, str], query: str) -> None:
    """A text that two files hold is kept once, and says the same as if it were kept twice."""
    paths = sorted(files)
    texts = sorted(set(files.values()))
    rows = np.array([texts.index(files[path]) for path in paths])
    copies = np.bincount(rows, minlength=len(texts))
    words = WordIndex.from_texts([memoryview(text.encode()) for text in texts])
    shared = Ranking(
        FieldPair(words, WordField(words.first.lengths, copies), WordField(words.second.lengths, copies)),
        make_path_fields(paths),
        rows,
    )
    terms = terms_of(query)
    assert shared.score_files(terms).tolist() == ranking_of(files).score_files(terms).tolist()


@given(files=TEXTS)
def test_a_field_without_weight_says_nothing(files: dict[str, str]) -> None:
    silent = FieldRule(0.0, 1.0, 0.5)
    formula = replace(FORMULA, text=silent, defined=silent, name=silent, folder=silent)
    terms = terms_of("header test")
    assert not ranking_of(files).score_files(terms, formula).any()


def test_the_best_come_first_and_then_in_order() -> None:
    assert find_best(np.array([1.0, 0.0, 2.0, 1.0]), 10) == [2, 0, 3]
    assert find_best(np.array([1.0, 0.0, 2.0, 1.0]), 2) == [2, 0]


@pytest.mark.parametrize(
    ("name", "rest"), [("app.test.ts", "app"), ("app", "app"), (".travis.yml", ".travis.yml"), ("", "")]
)
def test_a_name_ends_at_its_first_dot(name: str, rest: str) -> None:
    assert strip_suffix(name) == rest
