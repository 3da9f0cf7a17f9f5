from collections.abc import Callable, Mapping

import pytest

from selfplay_tools.errors import BadArgument
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.find_references import FindReferences, find_references
from selfplay_tools.tools.tool import CallResult, ShownRange
from selfplay_tools.tools.toolbox import Toolbox

Opened = Callable[[Mapping[str, str | bytes]], Snapshot]


@pytest.fixture
def opened(toolbox_on: Callable[[Mapping[str, str | bytes]], Toolbox]) -> Opened:
    return lambda files: toolbox_on(files).snapshot


def find(snapshot: Snapshot, name: str, path: str = "", *, limit: int = 50, offset: int = 0) -> CallResult:
    return find_references(snapshot, FindReferences(name=name, path=path, limit=limit, offset=offset))


def test_uses_are_grouped_by_file_and_say_what_they_stand_in(opened: Opened) -> None:
    snapshot = opened(
        {
            "b.py": "from a import load\n\nclass A:\n    def run(self):\n        load(1)\n        reload(2)\n",
            "a.py": "def load(x):\n    return x\n",
        }
    )
    assert find(snapshot, "load") == CallResult(
        text=(
            '3 lines with "load" in 2 files in the root folder, comments and strings aside\n'
            "a.py\n"
            "1:def load(x):  [def]\n"
            "\n"
            "b.py\n"
            "1:from a import load\n"
            "5:        load(1)  [in A.run]"
        ),
        shown=(
            ShownRange(path="a.py", first=1, last=1, how="match"),
            ShownRange(path="b.py", first=1, last=1, how="match"),
            ShownRange(path="b.py", first=5, last=5, how="match"),
        ),
    )


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("a.py", '# name\n"""name"""\nx = f"name {name}"\ny = r"name"\n', [3]),
        ("a.js", "// name\nx = `name ${name}`;\ny = 'name' + /name/;\n", [2]),
        ("a.tsx", 'const a = <b name="name">name {name}</b>;\nconst s = "name";\n', [1]),
        ("a.go", "package p\n// name\nvar a = `name` + \"name\"\nvar b = 'n' + name\n", [4]),
        ("a.rs", '/// name\nfn f() { g("name", r#"name"#); name!(); }\n/* name */\n', [2]),
        ("A.java", '/** name */\nclass A { String s = "name" + name; }\n', [2]),
        ("a.c", '#include <name>\n#include "name"\n/* name */ char *s = "name";\nint x = name;\n', [4]),
        ("a.cc", '// name\nauto s = R"(name)";\nauto t = name::u;\n', [3]),
        ("a.rb", "# name\nx = \"name #{name}\"\ny = 'name'\nz = <<~T\n  name\n  #{name}\nT\nw = :name\n", [2, 6, 8]),
    ],
)
def test_comments_and_strings_are_left_out_but_not_what_is_interpolated(
    opened: Opened, path: str, text: str, lines: list[int]
) -> None:
    assert [line.first for line in find(opened({path: text}), "name").shown] == lines


def test_a_file_without_grammar_gives_any_text_and_says_so(opened: Opened) -> None:
    text = find(opened({"notes.txt": "# call load()\nunloaded\n"}), "load").text
    assert "notes.txt  (not parsed: any text)\n1:# call load()" in text
    assert "unloaded" not in text


def test_a_page_can_be_turned(opened: Opened) -> None:
    snapshot = opened({"a.py": "x\n" * 3, "b.py": "x\n" * 4})
    first = find(snapshot, "x", limit=4)
    assert [(line.path, line.first) for line in first.shown] == [("a.py", 1), ("a.py", 2), ("a.py", 3), ("b.py", 1)]
    assert "[3 more lines: find_references with offset=4, or narrow it with path]" in first.text
    second = find(snapshot, "x", limit=4, offset=4)
    assert [(line.path, line.first) for line in second.shown] == [("b.py", 2), ("b.py", 3), ("b.py", 4)]
    assert "offset=9 is beyond the last line" in find(snapshot, "x", offset=9).text


def test_counting_ends_some_way_after_the_page(opened: Opened) -> None:
    snapshot = opened({f"{number:03}.py": "x\n" * 100 for number in range(20)})
    text = find(snapshot, "x", limit=1).text
    assert text.startswith("over 300 lines")
    assert "over 299 more lines" in text


def test_a_long_line_is_cut_around_the_name(opened: Opened) -> None:
    text = find(opened({"a.js": f"{'a;' * 5000}needle();{'b;' * 5000}\n"}), "needle").text
    assert "needle()" in text
    assert len(text) < 1_000


def test_what_a_name_belongs_to_is_not_told_apart(opened: Opened) -> None:
    text = find(opened({"a.py": "class A:\n    def m(self): pass\nB().m()\n"}), "A.m").text
    assert '2 lines with "m"' in text
    assert "uses of any m" in text


def test_no_use_is_said_with_advice(opened: Opened) -> None:
    result = find(opened({"a.py": "# ghost\n"}), "ghost")
    assert result.text == (
        '"ghost" is not used as code in the root folder (1 file searched).\n[grep also looks into comments and strings]'
    )
    assert result.shown == ()


def test_what_is_no_name_is_refused(opened: Opened) -> None:
    with pytest.raises(BadArgument, match="use grep"):
        find(opened({"a.py": "x\n"}), "x = 1")


def test_columns_count_characters_not_bytes(opened: Opened) -> None:
    text = find(opened({"a.py": f's = "{"ü" * 500}"; needle()\n'}), "needle").text
    assert "needle()" in text


@pytest.mark.parametrize("suffix", ["c", "cc", "go", "java", "py"])
def test_pages_hold_as_many_lines_as_the_first_one_counts(opened: Opened, suffix: str) -> None:
    """Files beyond a page are counted in another way than those on it."""
    quiet = "# x" if suffix == "py" else "/* x */"
    snapshot = opened({f"{name}.{suffix}": f"{quiet}\n" + "f(x, x)\n" * 3 for name in "abcdef"})
    pages = [find(snapshot, "x", limit=4, offset=offset) for offset in range(0, 20, 4)]
    assert pages[0].text.startswith("18 lines")
    assert [len(page.shown) for page in pages] == [4, 4, 4, 4, 2]
    assert len({(line.path, line.first) for page in pages for line in page.shown}) == 18


def test_a_file_too_large_to_parse_is_still_read_for_comments(opened: Opened) -> None:
    snapshot = opened({"a.c": "/* name */\nint name;\n" + "int x;\n" * 200_000})
    assert [line.first for line in find(snapshot, "name").shown] == [2]
