"""Words cut by arrays are the words of `selfplay_tools.index.words`."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfplay_tools.index.store.word_index import Postings, WordIndex
from selfplay_tools.index.store.word_numbers import MAX_BYTES, MAX_COUNT, count_words, numbers_of
from selfplay_tools.index.words import word_counts

TEXTS = st.text("aAbBsSiIeEyu_019 .\n\té\u212aßÄ", max_size=60)


def as_numbers(words: Mapping[str, int]) -> dict[int, int]:
    return dict(zip(numbers_of(tuple(words)).tolist(), (min(n, MAX_COUNT) for n in words.values()), strict=True))


def check(texts: list[str]) -> None:
    for text, found in zip(texts, count_words([memoryview(text.encode()) for text in texts]), strict=True):
        words = word_counts(text)
        assert dict(zip(found.numbers.tolist(), found.counts.tolist(), strict=True)) == as_numbers(words)
        assert found.length == words.total()
        assert np.all(found.numbers[1:] > found.numbers[:-1])


@given(st.lists(TEXTS, max_size=5))
@example(["HTTPHeaders2 server_headers __init__ getURL entries class a b 0x1F 123abc _1abc __ aB ABc ABC_dEF a_b_a"])
@example(["get_get ies flies series bus pass Éa größeÄndern x\nfoo\n" + "a" * 64 + " " + "b" * 65 + " " + "_" * 70])
@example(["1" * 100 + "abc " + "a1" * 40, "", "ss\n\n"])
@settings(max_examples=400)
def test_words_cut_by_arrays_are_those_cut_one_by_one(texts: list[str]) -> None:
    check(texts)


@pytest.mark.parametrize("piece", ["some_words of AText\n", "größe und text\n", "no_end "])
def test_a_long_text_is_cut_in_pieces(piece: str) -> None:
    check(["short", piece * (2 * MAX_BYTES // len(piece)), "short"])


@given(st.lists(TEXTS.map(lambda text: text.replace("\n", "/")), max_size=6))
def test_postings_of_names_are_those_of_texts(names: list[str]) -> None:
    of_names = Postings.from_names(names)
    of_texts = Postings.from_counts(count_words([memoryview(name.encode()) for name in names]))
    both = WordIndex.from_fields(of_names, of_texts)
    for word in {word for name in names for word in word_counts(name)} | {"nowhere"}:
        here, there = both.find_rows(numbers_of((word,)).tolist())
        assert here.rows.tolist() == [row for row, name in enumerate(names) if word in word_counts(name)]
        assert (here.rows.tolist(), here.counts.tolist()) == (there.rows.tolist(), there.counts.tolist())
    assert of_names.lengths.tolist() == of_texts.lengths.tolist()
