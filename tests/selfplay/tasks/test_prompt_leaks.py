import pytest

from selfplay.core.task import Target
from selfplay.tasks.prompt_leaks import LeakGrade, find_leak

TEXT = b"class Channel:\n    def open_stream(self):\n        pass\n\ndef parse():\n    pass\n"
TARGETS = (Target(path="src/app/termui.py"),)


@pytest.mark.parametrize(
    ("prompt", "grade", "name"),
    [
        ("The pager loses the last line", LeakGrade.NOTHING, None),
        ("Parse errors are shown twice", LeakGrade.NOTHING, None),
        ("A channel stays open for ever", LeakGrade.NOTHING, None),
        ("Fix open_stream on Windows", LeakGrade.SYMBOL, "open_stream"),
        ("Let parse() take a path", LeakGrade.SYMBOL, "parse"),
        ("Keep the Channel open", LeakGrade.SYMBOL, "Channel"),
        ("Call other_name sooner", LeakGrade.NOTHING, None),
        ("termui: keep the cursor", LeakGrade.MODULE, "termui"),
        ("fix(termui): keep the cursor", LeakGrade.MODULE, "termui"),
        ("Drop app.termui from the start", LeakGrade.MODULE, "app.termui"),
        ("Fix a typo in termui.py", LeakGrade.FILE_NAME, "termui.py"),
        ("Fix app/termui.py and open_stream", LeakGrade.PATH, "app/termui.py"),
    ],
)
def test_the_most_revealing_name_decides(prompt: str, grade: LeakGrade, name: str | None) -> None:
    leaked = find_leak(prompt, TARGETS, lambda _: TEXT)
    assert leaked.grade is grade
    assert leaked.names == (() if name is None else (name,))


def test_grades_are_ordered_from_nothing_to_path() -> None:
    assert sorted(LeakGrade, reverse=True) == list(LeakGrade)[::-1]
    assert LeakGrade.NOTHING < LeakGrade.SYMBOL < LeakGrade.MODULE < LeakGrade.FILE_NAME < LeakGrade.PATH
    assert LeakGrade("path") >= LeakGrade.PATH > LeakGrade.MODULE
    assert not LeakGrade.SYMBOL > LeakGrade.SYMBOL
    assert LeakGrade.SYMBOL <= LeakGrade.SYMBOL


def test_a_targets_own_symbol_counts_without_its_file() -> None:
    target = Target(path="a/b.xyz", symbol="Outer.reload_all")
    assert find_leak("Let reload_all wait", [target], lambda _: b"").grade is LeakGrade.SYMBOL
