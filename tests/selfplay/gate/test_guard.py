from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from selfplay.core.task import Answer, Brief, LineRange, Target, Task
from selfplay.gate import ShownText, check_hint, prepare_guard
from selfplay.gate.source_files import parse_source
from selfplay_tools.snapshot.directory import DirectorySnapshot

RING = "\n".join(
    [
        '"""A ring of slots."""',
        "",
        "class SlotRing:",
        *(f"    def turn_by_{n}(self):\n        return self.place + {n}  # go on by {n}" for n in range(30)),
        "    def overwrite_eldest(self, frame):",
        "        self.slots[self.place] = frame",
        "        self.lost_frames += self.level_marks",
        "        return self.lost_frames",
    ]
)


@pytest.fixture
def snapshot(tmp_path: Path) -> Generator[DirectorySnapshot]:
    files = {
        "core/ring.py": RING,
        "core/use.py": "from core.ring import SlotRing\n\nring = SlotRing()\nring.turn_by_3()\n",
        "rim/other.py": "def turn_by_5(marks):\n    marks.level_marks = 1\n",
        "alone/pump.py": "PUMP_RATE = 12\n\n\ndef pump_water(tank):\n    tank.level -= PUMP_RATE\n",
        "empty/__init__.py": "",
        "empty/blank.py": "",
        "README.md": "# Ring\n\nSlots in a ring. The pump drains a tank. Frames in `lost_frames` are gone.\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    opened = DirectorySnapshot(tmp_path)
    yield opened
    opened.close()


def make_task(*targets: Target, prompt: str = "Frames get lost", patch: str | None = None) -> Task:
    brief = Brief(id="t", repo="r", commit="worktree", prompt=prompt)
    return Task(brief=brief, answer=Answer(targets=targets, patch=patch))


def make_target(path: str, symbol: str | None = None, lines: LineRange | None = None) -> Target:
    return Target(path=path, symbol=symbol, lines=lines)


def number_lines(text: str, first: int, last: int) -> str:
    rows = text.split("\n")[first - 1 : last]
    return "\n".join(f"{n:6}\t{row}" for n, row in enumerate(rows, first))


def kinds_found(hint: str, of: Task, snapshot: DirectorySnapshot | None, *shown: str) -> set[str]:
    shown_text = ShownText()
    for text in shown:
        shown_text.add(text)
    return {f.kind for f in check_hint(hint, prepare_guard(of, snapshot), shown_text)}


def test_a_target_that_was_read_may_be_named(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("core/ring.py"))
    assert kinds_found("core/ring.py", one, snapshot) == {"path"}
    assert kinds_found("core/ring.py", one, snapshot, number_lines(RING, 1, 40)) == set()


def test_a_target_of_which_a_match_or_two_were_shown_is_not_found(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("core/ring.py"))
    matches = "core/ring.py\n64:    def overwrite_eldest(self, frame):\n67:        return self.lost_frames"
    assert kinds_found("core/ring.py", one, snapshot, matches) == {"path"}


def test_only_the_lines_that_a_target_is_about_make_it_found(snapshot: DirectorySnapshot) -> None:
    first = 64
    assert RING.split("\n")[first - 1].startswith("    def overwrite_eldest")
    for one in (
        make_task(make_target("core/ring.py", lines=(first, first + 3))),
        make_task(make_target("core/ring.py", "SlotRing.overwrite_eldest")),
    ):
        assert kinds_found("ring.py", one, snapshot, number_lines(RING, 1, 30)) == {"file_name"}
        assert kinds_found("ring.py", one, snapshot, number_lines(RING, first, first + 3)) == set()


def test_what_was_shown_of_a_target_may_be_said(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("core/ring.py"))
    assert kinds_found("Who reads lost_frames?", one, snapshot) == {"identifier"}
    assert kinds_found("Who reads lost_frames?", one, snapshot, "64: self.lost_frames += self.level_marks") == set()


def test_what_another_file_has_too_may_be_said(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("core/ring.py"))
    assert kinds_found("Who calls turn_by_5?", one, snapshot) == set()
    assert kinds_found("Who calls turn_by_4?", one, snapshot) == {"identifier"}
    assert kinds_found("Who changes level_marks?", one, snapshot) == set()


def test_what_a_target_alone_defines_may_not_be_said_although_others_use_it(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("core/ring.py"))
    assert kinds_found("Who calls turn_by_3?", one, snapshot) == {"identifier"}
    assert kinds_found("Look for class SlotRing.", one, snapshot) == {"identifier"}
    assert kinds_found("Who calls turn_by_3?", one, snapshot, "7: ring.turn_by_3()") == set()


def test_prose_does_not_free_what_only_the_code_of_a_target_has(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("core/ring.py"))
    assert kinds_found("Who reads lost_frames?", one, snapshot) == {"identifier"}


def test_a_target_symbol_may_not_be_said_although_others_call_it(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("core/ring.py", "SlotRing.turn_by_3"))
    assert kinds_found("Who calls turn_by_3?", one, snapshot) == {"identifier"}


def test_a_folder_is_a_secret_only_if_nothing_else_is_in_it(snapshot: DirectorySnapshot) -> None:
    assert kinds_found("Look in alone/.", make_task(make_target("alone/pump.py")), snapshot) == {"directory"}
    assert kinds_found("Look in core/.", make_task(make_target("core/ring.py")), snapshot) == set()
    assert kinds_found(
        "Look in core/.", make_task(make_target("core/ring.py"), make_target("core/use.py")), snapshot
    ) == {"directory"}


def test_what_the_task_says_may_be_said(snapshot: DirectorySnapshot) -> None:
    one = make_task(
        make_target("core/ring.py"), prompt="In core/ring.py `lost_frames` is never reset, see item 3, line 66"
    )
    for hint in (
        "Start at core/ring.py.",
        "Who resets `lost_frames`?",
        "As item 3 says",
        "About line 66",
        "the ring module",
    ):
        assert kinds_found(hint, one, snapshot) == set(), hint


def test_an_empty_target_is_found_once_it_was_opened(snapshot: DirectorySnapshot) -> None:
    one = make_task(make_target("empty/blank.py"))
    assert kinds_found("empty/blank.py", one, snapshot) == {"path"}
    shown_text = ShownText()
    shown_text.mark_opened("empty/blank.py")
    assert check_hint("empty/blank.py", prepare_guard(one, snapshot), shown_text) == ()


def test_a_target_of_long_lines_is_found_once_it_was_opened(tmp_path: Path) -> None:
    (tmp_path / "packed.js").write_text("var spin=1;" * 100)
    one = make_task(make_target("packed.js"))
    with closing(DirectorySnapshot(tmp_path)) as again:
        shown_text = ShownText()
        assert check_hint("packed.js", prepare_guard(one, again), shown_text)
        shown_text.mark_opened("packed.js")
        assert check_hint("packed.js", prepare_guard(one, again), shown_text) == ()


def test_without_the_repository_the_task_and_its_patch_are_guarded() -> None:
    patch = "--- a/core/ring.py\n+++ b/core/ring.py\n@@ -1,2 +1,2 @@\n self.lost_frames += 1\n+self.report_the_loss()\n"
    one = make_task(make_target("core/ring.py"), patch=patch)
    assert kinds_found("core/ring.py", one, None) == {"path"}
    assert kinds_found("Who reads lost_frames?", one, None) == {"identifier"}
    assert kinds_found("Call report_the_loss.", one, None) == {"identifier"}
    assert kinds_found("Where do frames get lost?", one, None) == set()


def test_a_target_that_is_not_there_still_may_not_be_named(snapshot: DirectorySnapshot) -> None:
    assert kinds_found("core/gone.py", make_task(make_target("core/gone.py")), snapshot) == {"path"}


def test_code_strings_and_comments_are_told_apart() -> None:
    source = parse_source(
        "a.py", 'def spin(a):  # a comment\n    """A docstring."""\n    return f"max-age={a}" + \'it\\\'s\' + 86400\n'
    )
    assert {"spin", "def", "return"} <= source.identifiers
    assert not {"comment", "docstring", "max"} & source.identifiers
    assert {"max-age={a}", "max-age", "86400"} <= source.literals
    assert {"Point", "x_max"} <= parse_source(
        "a.c", "/* struct Old */ struct Point { int x_max; }; // int gone"
    ).identifiers
    assert "Old" not in parse_source("a.c", "/* struct Old */ struct Point { int x_max; };").identifiers
    assert parse_source("README.md", "Use the snake_case and CamelCase names").identifiers == {
        "snake_case",
        "CamelCase",
    }


def test_sentences_of_comments_and_names_in_them_are_read() -> None:
    source = parse_source("a.py", '# Keeps the eldest.\n# It is never lost, see drop_eldest.\n"""One\n\nTwo words"""\n')
    assert {("keeps", "the", "eldest"), ("one",), ("two", "words")} <= source.sentences
    assert source.comment_names == {"drop_eldest"}
