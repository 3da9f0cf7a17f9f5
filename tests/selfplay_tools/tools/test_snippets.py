from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.index.words import find_words
from selfplay_tools.text.lines import TextLines
from selfplay_tools.tools.match_page import FileHits
from selfplay_tools.tools.search import LINES_PER_FILE, MAX_LINES_PER_WORD, select_snippets

WORDS = ["alpha", "beta", "gamma", "ring"]
PARTS = st.sampled_from(["alpha", "ALPHA_beta", "betaGamma", "string", "ring", "Gammas", "other", "  "])
TEXTS = st.lists(st.lists(PARTS, max_size=5).map(" ".join), max_size=30)


def make_lines(text: str) -> TextLines:
    data = text.encode()
    return TextLines(b"before\n" + data, 7, 7 + len(data))


def snippet_lines(text: str, words: list[str], path: str = "a.txt") -> list[int]:
    (hits,) = select_snippets([(path, make_lines(text))], words)
    return list(hits.columns)


def words_in_line(line: str) -> set[str]:
    return set(find_words(line)) & set(WORDS)


@given(TEXTS)
def test_no_line_left_out_holds_more_than_one_that_is_told(lines: list[str]) -> None:
    numbers = snippet_lines("".join(f"{line}\n" for line in lines), WORDS)
    assert len(numbers) == min(LINES_PER_FILE, sum(bool(words_in_line(line)) for line in lines))
    assert numbers == sorted(numbers)
    out = [words_in_line(line) for number, line in enumerate(lines) if number not in numbers]
    assert all(words_in_line(lines[number]) for number in numbers)
    assert not any(words_in_line(lines[number]) < other for number in numbers for other in out)


@given(TEXTS, TEXTS)
def test_a_text_is_told_alike_wherever_it_lies(before: list[str], lines: list[str]) -> None:
    ahead, text = ("".join(f"{line}\n" for line in some) for some in (before, lines))
    data = (ahead + text).encode()
    apart = select_snippets([("a", make_lines(text))], WORDS)
    behind = select_snippets([("a", TextLines(data, len(ahead.encode()), len(data)))], WORDS)
    assert [one.columns for one in apart] == [one.columns for one in behind]


def test_letters_within_another_word_are_no_hit() -> None:
    assert snippet_lines("string\n" * 50 + "a ring\n", ["ring"]) == [50]


def test_of_equal_lines_those_that_define_something_come_first() -> None:
    text = "    retry()\n" * 30 + "def retry():\n    pass\n"
    assert snippet_lines(text, ["retry"], "a.py") == [0, 1, 30]


def test_capitals_beyond_ascii_are_the_same_letters() -> None:
    assert snippet_lines("nichts\nÄNDERUNG\nänderung\nÄnderung\n", ["änderung"]) == [1, 2, 3]


def test_a_rare_word_is_found_behind_more_common_ones_than_are_looked_at() -> None:
    common = "common\n" * (3 * MAX_LINES_PER_WORD)
    assert snippet_lines(common + "common rare\n", ["common", "rare"]) == [0, 1, 3 * MAX_LINES_PER_WORD]


def test_a_word_that_is_common_on_the_page_tells_less() -> None:
    texts = [("a", make_lines("common\n" * 5 + "rare\n")), ("b", make_lines("common\n" * 50))]
    first: FileHits = select_snippets(texts, ["common", "rare"])[0]
    assert 5 in first.columns


def test_a_text_without_lines_has_none_to_tell() -> None:
    assert snippet_lines("", ["alpha"]) == []
