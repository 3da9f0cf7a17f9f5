import json
import re
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfplay_tools.text.regex import compile_regex
from selfplay_tools.tools.tool import ShownRange
from selfplay_tools.tools.toolbox import Toolbox

Make = Callable[[Mapping[str, str | bytes]], Toolbox]

TREE = {
    "app.py": "import os\n\ndef run():\n    return os.name\n",
    "lib/net.py": "def send(x):\n    pass\n\n\ndef receive():\n    return send(1)\n",
    "lib/notes.txt": "define\n",
}


def run(toolbox: Toolbox, **arguments: object) -> str:
    return toolbox.run("grep", json.dumps(arguments)).text


def test_matching_lines_come_by_file_in_path_order(toolbox_on: Make) -> None:
    result = toolbox_on(TREE).run("grep", '{"pattern": "^def "}')
    assert result.text == (
        '3 matching lines in 2 files for "^def " in the root folder\n'
        "app.py\n3:def run():\n\nlib/net.py\n1:def send(x):\n5:def receive():"
    )
    assert result.shown == (
        ShownRange(path="app.py", first=3, last=3, how="match"),
        ShownRange(path="lib/net.py", first=1, last=1, how="match"),
        ShownRange(path="lib/net.py", first=5, last=5, how="match"),
    )


def test_what_a_match_lies_in_is_shown_once_above_it(toolbox_on: Make) -> None:
    text = "class App:\n    def run(self):\n        x\n        y\n        x\n    def stop(self):\n        x\n    x\nx\n"
    result = toolbox_on({"a.py": text}).run("grep", '{"pattern": "x"}')
    assert result.text.split("\n")[1:] == [
        "a.py",
        "1=class App:",
        "2=    def run(self):",
        "3:        x",
        "5:        x",
        "6=    def stop(self):",
        "7:        x",
        "8:    x",
        "9:x",
    ]
    assert [(shown.first, shown.last, shown.how) for shown in result.shown] == [
        (1, 1, "outline"), (2, 2, "outline"), (3, 3, "match"), (5, 5, "match"), (6, 6, "outline"), (7, 9, "match"),
    ]  # fmt: skip


def test_what_a_match_lies_in_is_not_told_where_its_context_shows_it(toolbox_on: Make) -> None:
    text = "class App:\n    y = 1\n    z = 1\n    def run(self):\n        x\n"
    result = toolbox_on({"a.py": text}).run("grep", '{"pattern": "x|y", "context": 1}')
    assert result.text.split("\n")[2:] == [
        "1-class App:",
        "2:    y = 1",
        "3-    z = 1",
        "4-    def run(self):",
        "5:        x",
    ]
    result = toolbox_on({"a.py": text}).run("grep", '{"pattern": "x", "context": 1}')
    assert result.text.split("\n")[2:] == ["1=class App:", "4-    def run(self):", "5:        x"]


def test_a_page_shows_files_that_define_what_matched_first(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a.py": "run()\n", "b.py": "run()\n", "c.py": "\ndef run():\n    run()\n", "d.py": "run()\n"})
    result = toolbox.run("grep", '{"pattern": "run"}')
    assert result.text.split("\n")[1:3] == ["c.py", "2:def run():"]
    assert [shown.path for shown in result.shown] == ["c.py", "a.py", "b.py", "d.py"]
    assert [shown.path for shown in toolbox.run("grep", '{"pattern": "run", "limit": 2}').shown] == ["a.py", "b.py"]
    text = toolbox.run("grep", '{"pattern": "run", "offset": 1, "limit": 2}').text
    assert [row for row in text.split("\n") if row.endswith(".py")] == ["c.py", "b.py"]


def test_every_page_shows_what_its_matches_lie_in(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a.py": "def run():\n" + "    x\n" * 9})
    for offset in range(9):
        rows = run(toolbox, pattern="x", offset=offset, limit=1).split("\n")
        assert rows[2:4] == ["1=def run():", f"{offset + 2}:    x"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_large_odd_files_are_searched_and_bounded(toolbox_on: Make, end: str) -> None:
    deep = "".join(f"{' ' * depth}def f{depth}():{end}" for depth in range(200)) + " " * 200 + f"needle{end}"
    toolbox = toolbox_on({
        "a/one_line.js": "function f(){" * 100_000 + "needle",
        "b/deep.py": deep,
        "c/flat.py": ("  needle" + end) * 200_000,
    })  # fmt: skip
    assert "1:" in run(toolbox, pattern="needle", path="a")
    rows = run(toolbox, pattern="needle", path="b").split("\n")[2:]
    assert [row.partition("=")[0].partition(":")[0] for row in rows] == ["197", "198", "199", "200", "201"]
    assert run(toolbox, pattern="needle", path="c").startswith("at least 151 ")


def test_context_lines_are_marked_merged_and_shown(toolbox_on: Make) -> None:
    result = toolbox_on(TREE).run("grep", '{"pattern": "send", "context": 1, "path": "lib"}')
    assert result.text.split("\n")[1:] == [
        "lib/net.py",
        "1:def send(x):",
        "2-    pass",
        "--",
        "5-def receive():",
        "6:    return send(1)",
    ]
    assert [(shown.first, shown.last) for shown in result.shown] == [(1, 2), (5, 6)]


def test_neighbouring_matches_with_context_show_each_line_once(toolbox_on: Make) -> None:
    result = toolbox_on({"a": "1\nx\nx\n4\nx\n6\n"}).run("grep", '{"pattern": "x", "context": 1}')
    assert result.text.split("\n")[2:] == ["1-1", "2:x", "3:x", "4-4", "5:x", "6-6"]
    assert [(shown.first, shown.last) for shown in result.shown] == [(1, 6)]


def test_glob_path_and_case_narrow_or_widen(toolbox_on: Make) -> None:
    toolbox = toolbox_on(TREE)
    assert run(toolbox, pattern="def", glob="*.txt").startswith("1 matching line in 1 file")
    assert "app.py" not in run(toolbox, pattern="def", path="lib")
    assert run(toolbox, pattern="DEFINE", ignore_case=True).endswith("lib/notes.txt\n1:define")
    assert run(toolbox, pattern="(?i)DEFINE").endswith("lib/notes.txt\n1:define")


def test_case_is_ignored_beyond_ascii(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a": "Größe\n", "b": "\u212aelvin\n", "c": "GRÖSSE\n"})
    assert run(toolbox, pattern="GRÖßE", ignore_case=True).endswith("a\n1:Größe")
    assert run(toolbox, pattern="kelvin", ignore_case=True).endswith("b\n1:\u212aelvin")


def test_nothing_found_says_how_much_was_searched(toolbox_on: Make) -> None:
    result = toolbox_on(TREE).run("grep", '{"pattern": "absent", "glob": "*.py"}')
    assert result.ok
    assert result.text == "No line matches \"absent\" in the root folder (files matching '*.py') (2 files searched)."


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("run|absent", ""),
        ("os\\\\|run", "alternatives are parted by | alone"),
        ("os\\n", "each line is matched on its own"),
    ],
)
def test_a_pattern_that_says_something_else_is_explained(toolbox_on: Make, pattern: str, said: str) -> None:
    assert said in toolbox_on(TREE).run("grep", f'{{"pattern": "{pattern}"}}').text


def test_files_that_are_not_searched_are_said_and_one_can_be_named(toolbox_on: Make) -> None:
    large = b"needle\n" + b"hay\n" * (600 << 10) + b"needle\n"
    toolbox = toolbox_on({"large.txt": large, "blob.bin": b"needle\0", "small.txt": "needle\n"})
    text = run(toolbox, pattern="needle")
    assert text.startswith("1 matching line in 1 file")
    assert (
        "[not searched: 2 files, binary, unreadable or larger than 2 MiB: blob.bin (7 B), large.txt (2.3 MB);" in text
    )
    assert "not searched" not in run(toolbox, pattern="needle", glob="s*")
    assert run(toolbox, pattern="needle", path="large.txt").endswith("large.txt\n1:needle\n614402:needle")
    assert "the file is binary" in run(toolbox, pattern="needle", path="blob.bin")


def test_a_long_line_is_cut_around_its_match(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"min.js": "a" * 5_000 + "needle" + "b" * 5_000 + "\n"})
    result = toolbox.run("grep", '{"pattern": "needle"}')
    row = result.text.split("\n")[2]
    assert re.fullmatch(r"1:\[\+4,900\]…a{100}needleb{194}…\[\+4,806\]", row)
    assert "[a line of over 300 characters is cut; [+n] stands for n of them]" in result.text
    assert result.shown == (ShownRange(path="min.js", first=1, last=1, how="match"),)


def test_a_line_of_many_megabytes_is_one_short_row(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"one.json": '{"x": "' + "é" * (5 << 20) + 'needle"}'})
    text = run(toolbox, pattern="n..dle", path="one.json")
    assert len(text) < 1_000
    assert "needle" in text.split("\n")[2]


def test_the_pages_of_many_matches_are_all_matches(toolbox_on: Make) -> None:
    toolbox = toolbox_on({f"d/{name}": "x yy\n" * 70 + "z\n" for name in "abcde"})
    lines: list[tuple[str, int]] = []
    offset: int | None = 0
    while offset is not None:
        result = toolbox.run("grep", json.dumps({"pattern": "y", "offset": offset, "limit": 33}))
        lines += [(shown.path, line) for shown in result.shown for line in range(shown.first, shown.last + 1)]
        more = re.search(r"grep with offset=(\d+)", result.text)
        offset = int(more[1]) if more else None
    assert lines == [(f"d/{name}", line) for name in "abcde" for line in range(1, 71)]


def test_a_page_ends_early_rather_than_grow_beyond_its_bound(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a": ("x" * 280 + "\n") * 200})
    result = toolbox.run("grep", '{"pattern": "x", "limit": 200}')
    assert len(result.text) <= 16_000
    shown = result.shown[0].last
    assert f"[at least {200 - shown} more matching lines: grep with offset={shown}," in result.text
    assert result.text.count("\n") == shown + 2


def test_counting_ends_somewhere_and_says_so(toolbox_on: Make) -> None:
    toolbox = toolbox_on({f"{number:02}": "x\n" * 300 for number in range(20)})
    text = run(toolbox, pattern="x", limit=5)
    assert text.startswith("at least 106 matching lines in at least 1 file ")
    assert "at least 101 more matching lines: grep with offset=5" in text


def test_counting_ends_some_files_further_on_whatever_comes_there(toolbox_on: Make) -> None:
    few = {f"a/{number:04}": "y\n" for number in range(700)} | {"a/0000": "x\n" * 3, "a/0400": "x\n"}
    toolbox = toolbox_on(few | {"a/0600": "x y\n", "b": "y\n"})
    assert run(toolbox, pattern="x", limit=2).startswith("at least 4 matching lines in at least 2 files")
    assert "at least 2 more matching lines: grep with offset=2" in run(toolbox, pattern="x", limit=2)
    assert run(toolbox, pattern="x", limit=4).startswith("5 matching lines in 3 files")
    assert run(toolbox, pattern="x$", limit=3).startswith("4 matching lines in 2 files")
    assert run(toolbox, pattern="x$", limit=2).startswith("at least 4 matching lines in at least 2 files")
    assert run(toolbox, pattern="x", limit=5).startswith("5 matching lines in 3 files")


def test_a_file_whose_every_line_matches_is_not_counted_to_its_end(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a": "\n" * (2 << 20)})
    assert run(toolbox, pattern="x*").startswith("at least 151 matching lines in at least 1 file ")
    assert "\n100:\n" in run(toolbox, pattern="x*", offset=99, context=10)


def test_an_offset_beyond_the_end_is_said(toolbox_on: Make) -> None:
    assert "offset=7 is beyond the last matching line" in run(toolbox_on(TREE), pattern="def", offset=7)


def test_patterns_that_match_nothing_at_all_match_every_line(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a": "one\n\ntwo\n\n", "empty": ""})
    assert run(toolbox, pattern="x*").split("\n")[1:] == ["a", "1:one", "2:", "3:two", "4:"]
    assert run(toolbox, pattern="^$").split("\n")[1:] == ["a", "2:", "4:"]


def test_a_link_is_followed_once_and_said(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"real/a.py": "needle\n", "alias": "->real", "b.py": "->real/a.py"})
    assert run(toolbox, pattern="needle").startswith("1 matching line in 1 file")
    text = run(toolbox, pattern="needle", path="alias")
    assert "real/a.py\n1:needle" in text
    assert "'alias' is a link to 'real'" in text


CONTENTS = st.lists(
    st.sampled_from(
        ["foo", "Foo bar", "", "b\u017fr K", "\u212a", "é", "bar.baz", "fo", "def foo():", "  bar", "class K:"]
    ),
    max_size=5,
)
TREES = st.dictionaries(st.sampled_from(["a.py", "b.txt", "d/a.py", "d/e/c.py"]), CONTENTS, max_size=4)
PATTERNS = st.sampled_from(
    ["foo", "fo+", "FOO", "bar", "ba[rz]", "k", "^$", r"\.", "bsr", "(foo|é)", "x*", r"\bfo", "o b"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, pattern=PATTERNS, fold=st.booleans())
def test_grep_finds_what_a_plain_scan_finds(
    toolbox_on: Make, *, tree: dict[str, list[str]], pattern: str, fold: bool
) -> None:
    toolbox = toolbox_on({path: "".join(f"{line}\n" for line in lines) for path, lines in tree.items()})
    result = toolbox.run("grep", json.dumps({"pattern": pattern, "ignore_case": fold}))
    regex = compile_regex(pattern, ignore_case=fold)
    scanned = [
        (path, number)
        for path, lines in sorted(tree.items())
        for number, line in enumerate(lines, 1)
        if regex.search(line.encode())
    ]
    found = [
        (shown.path, line)
        for shown in result.shown
        for line in range(shown.first, shown.last + 1)
        if shown.how == "match"
    ]
    assert sorted(found) == scanned
    assert all(path_lines == sorted(path_lines) for path_lines in ([n for p, n in found if p == path] for path in tree))
