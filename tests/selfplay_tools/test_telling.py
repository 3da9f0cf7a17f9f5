from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.pages import Hits
from selfplay_tools.searched import Lines
from selfplay_tools.telling import LINES_PER_FILE, MOST_LOOKED_AT, telling_lines
from selfplay_tools.words import query_words

WORDS = ["alpha", "beta", "gamma", "ring"]
PARTS = st.sampled_from(["alpha", "ALPHA_beta", "betaGamma", "string", "ring", "Gammas", "other", "  "])
TEXTS = st.lists(st.lists(PARTS, max_size=5).map(" ".join), max_size=30)


def of(text: str) -> Lines:
    data = text.encode()
    return Lines(b"before\n" + data, 7, 7 + len(data))


def told(text: str, words: list[str], path: str = "a.txt") -> list[int]:
    (hits,) = telling_lines([(path, of(text))], words)
    return list(hits.columns)


def held(line: str) -> set[str]:
    return set(query_words((line,))) & set(WORDS)


@given(TEXTS)
def test_no_line_left_out_holds_more_than_one_that_is_told(lines: list[str]) -> None:
    numbers = told("".join(f"{line}\n" for line in lines), WORDS)
    assert len(numbers) == min(LINES_PER_FILE, sum(bool(held(line)) for line in lines))
    assert numbers == sorted(numbers)
    out = [held(line) for number, line in enumerate(lines) if number not in numbers]
    assert all(held(lines[number]) for number in numbers)
    assert not any(held(lines[number]) < other for number in numbers for other in out)


@given(TEXTS, TEXTS)
def test_a_text_is_told_alike_wherever_it_lies(before: list[str], lines: list[str]) -> None:
    ahead, text = ("".join(f"{line}\n" for line in some) for some in (before, lines))
    data = (ahead + text).encode()
    apart = telling_lines([("a", of(text))], WORDS)
    behind = telling_lines([("a", Lines(data, len(ahead.encode()), len(data)))], WORDS)
    assert [one.columns for one in apart] == [one.columns for one in behind]


def test_letters_within_another_word_are_no_hit() -> None:
    assert told("string\n" * 50 + "a ring\n", ["ring"]) == [50]


def test_of_equal_lines_those_that_define_something_come_first() -> None:
    text = "    retry()\n" * 30 + "def retry():\n    pass\n"
    assert told(text, ["retry"], "a.py") == [0, 1, 30]


def test_capitals_beyond_ascii_are_the_same_letters() -> None:
    assert told("nichts\nÄNDERUNG\nänderung\nÄnderung\n", ["änderung"]) == [1, 2, 3]


def test_a_rare_word_is_found_behind_more_common_ones_than_are_looked_at() -> None:
    common = "common\n" * (3 * MOST_LOOKED_AT)
    assert told(common + "common rare\n", ["common", "rare"]) == [0, 1, 3 * MOST_LOOKED_AT]


def test_a_word_that_is_common_on_the_page_tells_less() -> None:
    texts = [("a", of("common\n" * 5 + "rare\n")), ("b", of("common\n" * 50))]
    first: Hits = telling_lines(texts, ["common", "rare"])[0]
    assert 5 in first.columns


def test_a_text_without_lines_has_none_to_tell() -> None:
    assert told("", ["alpha"]) == []
