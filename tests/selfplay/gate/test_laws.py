"""What holds for every hint, every name, every text shown."""

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfplay.gate import ShownText, check_hint
from tests.selfplay.gate.disguises import DISGUISES
from tests.selfplay.gate.hint_table import GateCase, open_cases, read_hints

TASKS = (
    "harbor-fingerprint",
    "ledgerly-rounding",
    "floodgate-burst",
    "bazaar-refunds",
    "skylight-expiry",
    "elsewhere-jwt",
)
AROUND = (
    "Think about {} and what it is for.",
    "{}",
    "The answer has to do with {} - no more than that.",
    "Have you considered {}, before you go on?",
    "Here is something to read: {}",
    "Note: {}!",
    "You have done well so far.\n\n{}\n\nGo on.",
)
HINTS = [row.hint for row in read_hints()]
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, GateCase]]:
    with open_cases(tmp_path_factory.mktemp("repositories")) as opened:
        yield dict(opened)


def make_shown_text(*texts: str) -> ShownText:
    shown = ShownText()
    for text in texts:
        shown.add(text)
    return shown


def list_target_names(case: GateCase) -> list[str]:
    """Each target's path, the end of it, and its file name, where that says something."""
    names: list[str] = []
    for path in case.task.answer.paths:
        name = path.rpartition("/")[2]
        if name not in {"__init__.py", "user.rb"}:
            names += [path, "/".join(path.split("/")[-2:]), name]
    return names


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_disguise_hides_a_name(cases: dict[str, GateCase], disguise: str) -> None:
    missed: list[str] = []
    for task in TASKS[:3]:
        for name in list_target_names(cases[task]):
            hint = f"Think about {DISGUISES[disguise](name)} for a moment."
            if not check_hint(hint, cases[task].guard, ShownText()):
                missed.append(hint)
    assert missed == []


@FEW
@given(
    task=st.sampled_from(TASKS),
    pick=st.integers(0, 10_000),
    disguise=st.sampled_from(sorted(DISGUISES)),
    around=st.sampled_from(AROUND),
)
def test_whatever_stands_around_a_disguise(
    cases: dict[str, GateCase], task: str, pick: int, disguise: str, around: str
) -> None:
    names = list_target_names(cases[task])
    hint = around.format(DISGUISES[disguise](names[pick % len(names)]))
    assert check_hint(hint, cases[task].guard, ShownText()), hint


def insert_noise(hint: str, at: int, noise: str) -> str:
    return hint[:at] + noise + hint[at:]


TEXT: st.SearchStrategy[str] = st.one_of(
    st.text(max_size=200),
    st.text(
        alphabet="\u200b\u0301.-_/\\`'\"*()[]{}<>&%#=+|:;,!? \n\tabeprs019\u043e\u0442\u54cd\uff45\ud800", max_size=120
    ),
    st.lists(st.sampled_from(HINTS), max_size=3).map(" ".join),
    st.builds(insert_noise, st.sampled_from(HINTS), st.integers(0, 80), st.text(max_size=4)),
)


@FEW
@given(hint=TEXT, task=st.sampled_from(TASKS))
def test_any_text_can_be_a_hint(cases: dict[str, GateCase], hint: str, task: str) -> None:
    for finding in check_hint(hint, cases[task].guard, ShownText()):
        start, end = finding.span
        assert 0 <= start < end <= len(hint)
        assert hint[start:end] == finding.text


@FEW
@given(hint=TEXT, task=st.sampled_from(TASKS), shown=st.lists(st.one_of(TEXT, st.just("CONTENT")), max_size=3))
def test_what_is_shown_never_adds_a_finding(cases: dict[str, GateCase], hint: str, task: str, shown: list[str]) -> None:
    case = cases[task]
    content = "\n".join(file.text for file in case.guard.target_files)
    before = check_hint(hint, case.guard, ShownText())
    after = check_hint(hint, case.guard, make_shown_text(*(content if text == "CONTENT" else text for text in shown)))
    for finding in after:
        assert any(b.span[0] <= finding.span[0] and finding.span[1] <= b.span[1] for b in before)


@FEW
@given(hint=TEXT, task=st.sampled_from(TASKS))
def test_the_same_hint_always_has_the_same_findings(cases: dict[str, GateCase], hint: str, task: str) -> None:
    guard = cases[task].guard
    assert check_hint(hint, guard, ShownText()) == check_hint(hint, guard, ShownText())


@FEW
@given(texts=st.lists(TEXT, max_size=4))
def test_in_which_order_texts_are_shown_does_not_matter(texts: list[str]) -> None:
    one, other = make_shown_text(*texts), make_shown_text(*reversed(texts))
    assert (one.raw_words, one.code_words, one.lines, one.paths) == (
        other.raw_words,
        other.code_words,
        other.lines,
        other.paths,
    )


REPEATED = ("a", "*", "0", "QUJD", '"a" ', "two entries ", "line at near ", "\\")


@pytest.mark.parametrize("piece", REPEATED)
def test_twenty_thousand_characters_of_anything_come_to_an_end(cases: dict[str, GateCase], piece: str) -> None:
    """No pattern backtracks: quadratic work on this length takes minutes. `benchmarks/gate.py` has the times."""
    hint = (piece * 20_000)[:20_000]
    found = check_hint(hint, cases["harbor-fingerprint"].guard, ShownText())
    assert all(hint[f.span[0] : f.span[1]] == f.text for f in found)


def test_unpacking_writes_every_file(tmp_path: Path) -> None:
    with open_cases(tmp_path) as opened:
        for case in opened.values():
            if case.snapshot is not None:
                assert all(case.snapshot.entry(path) for path in case.task.answer.paths)
