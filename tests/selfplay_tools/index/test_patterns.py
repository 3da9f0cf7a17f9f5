from collections.abc import Iterator

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from selfplay_tools.errors import BadArgument
from selfplay_tools.index.patterns import LinePattern
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.literals import AllOf, AnyOf, LiteralNeed, Need, derive_need
from selfplay_tools.text.regex import BadRegex, compile_regex

LETTERS = "abksK _\u017f\u212a.é]}"
ESCAPES = r"\. \d \w \s \b \B \A \z \C \n \t \x61 \pL \_ \Qa.\E"
OTHERS = r"^ $ [ab] [^b] []a] [[:alpha:]b] [\]k] (?i) (?-i) (?-m) (?s) { {2 é"
ATOMS = st.sampled_from([*LETTERS, *ESCAPES.split(), *OTHERS.split()])
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{0}", "{1}", "{2}", "{1,2}", "{0,1}", "*?", "+?", "??", "{01}"])
GROUPS = st.sampled_from(["({})", "(?:{})", "(?P<n>{})", "(?i:{})", "(?-i:{})", "{}|b", "a|{}", "({}|k)", "{}{}"])


def _group(form: str, inside: str, repeat: str) -> str:
    return form.replace("{}", inside) + repeat


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(_group, GROUPS, inner, REPEATS) | st.lists(inner, min_size=1, max_size=4).map("".join)


BUILT = st.recursive(st.builds(str.__add__, ATOMS, REPEATS), _grow, max_leaves=8)
RANDOM = st.text("ab()[]{}|*+?\\.^$-:iPQEK12,\n", max_size=12)
TEXTS = st.lists(st.text("aabbkKsS\u017f\u212aéÉ .A]_}{2\t\f\ufffd", max_size=8), min_size=1, max_size=5)


def _is_valid(source: str) -> bool:
    try:
        compile_regex(source)
    except BadRegex:
        return False
    return True


@given(source=BUILT | RANDOM, lines=TEXTS, fold=st.booleans())
@example(source="x*", lines=["", "a", ""], fold=False)
@example(source=r"a\z", lines=["a", "b"], fold=False)
@example(source=r"\Ab", lines=["a", "b"], fold=False)
@example(source=r"a\C*b", lines=["a", "b"], fold=False)
@example(source="(?-m)^b", lines=["a", "b"], fold=False)
@example(source="(?i-m:A$)", lines=["a", "b"], fold=False)
@example(source=r"\Qa\z\E", lines=["a\\z", "b"], fold=False)
@example(source="$", lines=["", ""], fold=False)
@example(source=r"a[^k]*a", lines=["a", "a"], fold=False)
@settings(max_examples=600)
def test_searching_all_lines_at_once_equals_searching_each_alone(*, source: str, lines: list[str], fold: bool) -> None:
    assume(_is_valid(source))
    alone = compile_regex(source, ignore_case=fold)
    expected = [(number, match.start()) for number, line in enumerate(lines) if (match := alone.search(line.encode()))]
    text = "\n".join(lines).encode()
    assert [(n, match - start) for n, start, match in find_lines(LinePattern(source, fold), text)] == expected


def _fold_case(text: str) -> str:
    return text.lower().replace("\u212a", "k").replace("\u017f", "s")


@given(source=BUILT | RANDOM, lines=TEXTS, fold=st.booleans())
@example(source="(?i)KASSE", lines=["\u212aa\u017f\u017fe"], fold=False)
@settings(max_examples=600)
def test_every_line_that_matches_holds_what_is_required(*, source: str, lines: list[str], fold: bool) -> None:
    assume(_is_valid(source))
    need = derive_need(source, ignore_case=fold)
    for number, _, _ in find_lines(LinePattern(source, fold), "\n".join(lines).encode()):
        assert _is_met(need, lines[number])


def _is_met(need: Need, line: str) -> bool:
    match need:
        case LiteralNeed(text, True):
            return _fold_case(text) in _fold_case(line)
        case LiteralNeed(text):
            return text in line
        case AllOf(needs):
            return all(_is_met(one, line) for one in needs)
        case AnyOf(needs):
            return any(_is_met(one, line) for one in needs)


def _simplify_need(need: Need) -> object:
    """A literal as its text, all of them as a tuple, any of them as a set."""
    match need:
        case LiteralNeed(text):
            return text
        case AllOf(needs):
            return tuple(map(_simplify_need, needs))
        case AnyOf(needs):
            return set(map(_simplify_need, needs))


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("spin_lock", "spin_lock"),
        (r"def (\w+)_at\(", ("def ", "_at(")),
        ("ab+cd?ef", ("ab", {"cef", "cdef"})),
        ("(foo|bar)baz", {"foobaz", "barbaz"}),
        ("a(b|c(d|e))+f[gh]", ({"ab", "acd", "ace"}, {"fg", "fh"})),
        (r"^\bfoo\b(_bar)?$", {"foo", "foo_bar"}),
        ("(rx|tx)_[ab]", {"rx_a", "rx_b", "tx_a", "tx_b"}),
        (
            "[abcd][abcd][abcd]xyz",
            ({f"{one}{two}" for one in "abcd" for two in "abcd"}, {f"{one}xyz" for one in "abcd"}),
        ),
        ("[^ab]c[a-d]e[fghij]k", ()),
        ("(foo|)bar", {"foobar", "bar"}),
        ("foo|bar", {"foo", "bar"}),
        ("foo.bar|baz", {("foo", "bar"), "baz"}),
        ("foo|(bar|foo)", {"foo", "bar"}),
        ("foo|b", ()),
        ("foo|", ()),
        ("(?:foo|bar)?", ()),
        ("(?:get_(name)+)?set", "set"),
        ("(?P<first>import) os", "import os"),
        ("x{2}abc{3}", "ab"),
        (r"[[:alpha:]\]]abc", "abc"),
        (r"\Qa.b\E", ()),
        ("foo(?i)bar", ()),
        ("foo.*foo", "foo"),
        ("{abc}", "{abc}"),
        ("|".join(f"word{number}" for number in range(100)), ()),
    ],
)
def test_what_is_required_is_found_where_it_can_be_had(source: str, needed: object) -> None:
    assert _simplify_need(derive_need(source, ignore_case=False)) == needed


def test_a_leading_flag_makes_literals_caseless() -> None:
    need = derive_need("(?i)Header: \u00e9x-id", ignore_case=False)
    assert need == AllOf((LiteralNeed("Header: ", is_folded=True), LiteralNeed("x-id", is_folded=True)))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("(?=a)", "Look-ahead and look-behind are not supported"),
        ("(?<!a)b", "Look-ahead and look-behind are not supported"),
        (r"(a)\1", "Back-references are not supported"),
        ("(?P<x>a)(?P=x)", "Back-references are not supported"),
        ("(?>a)", "only (?:...), (?P<name>...) and flags"),
        (r"a\Z", "Write $ for the end of a line"),
        ("a{2000}", "at most 1000 times"),
        ("((a{100}){100}){100}", "at most 1000 times"),
        ("foo(", r'the JSON string is "foo\\("'),
        ("*.py", r'the JSON string is "\\*\\.py"'),
        ("a**", "bad repetition operator"),
        ("[z-a]", "invalid character class range"),
        ("x(" * 60, "Put a backslash before each"),
        ("a" * 2_001, "at most 2,000"),
    ],
)
def test_a_refused_pattern_says_what_to_write_instead(source: str, said: str) -> None:
    with pytest.raises(BadArgument) as refused:
        LinePattern(source)
    assert said in str(refused.value)


def test_the_suggested_escape_finds_the_text_itself() -> None:
    source = "a.b[0]*(c|d)+{e}^$?\\"
    escaped = "".join(f"\\{character}" if character in ".^$*+?()[]{}|\\" else character for character in source)
    assert [n for n, _, _ in find_lines(LinePattern(escaped), f"x\n--{source}--\ny".encode())] == [1]


def test_a_pattern_made_to_be_slow_is_linear() -> None:
    """A backtracking engine would not come back from this."""
    text = (b"a" * 5_000 + b"\n") * 20
    assert not list(find_lines(LinePattern("(a*)*(a|aa)+$b|(x+x+)+y"), text))


@given(source=BUILT, text=st.text("abkK \né", max_size=12).map(str.encode))
def test_spans_are_those_of_the_matches(source: str, text: bytes) -> None:
    assume(_is_valid(source))
    regex = compile_regex(source)
    assert list(regex.find_spans(text)) == [(match.start(), match.end()) for match in regex.finditer(text)]


def find_lines(pattern: LinePattern, text: bytes) -> Iterator[tuple[int, int, int]]:
    """For each matching line of the text: its number from 0, its start, its first match."""
    source = text + b"\n"
    for found in pattern.find_texts(TextSpan(source, ("",), (0,), (len(source),))):
        for match in found.matches:
            start = source.rfind(b"\n", 0, match) + 1
            yield source.count(b"\n", 0, start), start, match
