import pytest

from selfplay.mine import Leak, leak_of
from selfplay.task import Target

TEXT = b"class Channel:\n    def open_stream(self):\n        pass\n\ndef parse():\n    pass\n"
TARGETS = (Target(path="src/app/termui.py"),)


@pytest.mark.parametrize(
    ("prompt", "grade", "name"),
    [
        ("The pager loses the last line", Leak.NOTHING, None),
        ("Parse errors are shown twice", Leak.NOTHING, None),
        ("A channel stays open for ever", Leak.NOTHING, None),
        ("Fix open_stream on Windows", Leak.SYMBOL, "open_stream"),
        ("Let parse() take a path", Leak.SYMBOL, "parse"),
        ("Keep the Channel open", Leak.SYMBOL, "Channel"),
        ("Call other_name sooner", Leak.NOTHING, None),
        ("termui: keep the cursor", Leak.MODULE, "termui"),
        ("fix(termui): keep the cursor", Leak.MODULE, "termui"),
        ("Drop app.termui from the start", Leak.MODULE, "app.termui"),
        ("Fix a typo in termui.py", Leak.FILE_NAME, "termui.py"),
        ("Fix app/termui.py and open_stream", Leak.PATH, "app/termui.py"),
    ],
)
def test_the_most_telling_name_decides(prompt: str, grade: Leak, name: str | None) -> None:
    leaked = leak_of(prompt, TARGETS, lambda _: TEXT)
    assert leaked.grade is grade
    assert leaked.names == (() if name is None else (name,))


def test_grades_are_ordered_from_nothing_to_path() -> None:
    assert sorted(Leak, reverse=True) == list(Leak)[::-1]
    assert Leak.NOTHING < Leak.SYMBOL < Leak.MODULE < Leak.FILE_NAME < Leak.PATH
    assert Leak("path") >= Leak.PATH > Leak.MODULE
    assert not Leak.SYMBOL > Leak.SYMBOL
    assert Leak.SYMBOL <= Leak.SYMBOL


def test_a_targets_own_symbol_counts_without_its_file() -> None:
    target = Target(path="a/b.xyz", symbol="Outer.reload_all")
    assert leak_of("Let reload_all wait", [target], lambda _: b"").grade is Leak.SYMBOL
