import json
import re
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.errors import BadArgument
from selfplay_tools.text.paths import match_glob
from selfplay_tools.tools.toolbox import Toolbox

Make = Callable[[Mapping[str, str | bytes]], Toolbox]

PATHS = ["Makefile", "a.py", "lib/a.py", "lib/b.pyi", "lib/x/a.py", "lib/x/y/[z].c", "lib/é{1}.c", "test/lib/a.py"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("a.py", ["a.py", "lib/a.py", "lib/x/a.py", "test/lib/a.py"]),
        ("/a.py", ["a.py"]),
        ("./a.py", ["a.py"]),
        ("lib/a.py", ["lib/a.py"]),
        ("*/a.py", ["lib/a.py"]),
        ("**/a.py", ["a.py", "lib/a.py", "lib/x/a.py", "test/lib/a.py"]),
        ("**/lib/*", ["lib/a.py", "lib/b.pyi", "lib/é{1}.c", "test/lib/a.py"]),
        ("lib/**", ["lib/a.py", "lib/b.pyi", "lib/x/a.py", "lib/x/y/[z].c", "lib/é{1}.c"]),
        ("lib/**/*.py", ["lib/a.py", "lib/x/a.py"]),
        ("lib/**/x/**/*.c", ["lib/x/y/[z].c"]),
        ("**", PATHS),
        ("*", PATHS),
        ("*.py?", ["lib/b.pyi"]),
        ("*.{py,pyi}", ["a.py", "lib/a.py", "lib/b.pyi", "lib/x/a.py", "test/lib/a.py"]),
        ("*.py{,i}", ["a.py", "lib/a.py", "lib/b.pyi", "lib/x/a.py", "test/lib/a.py"]),
        ("{lib/{x,z},test/**}/a.py", ["lib/x/a.py", "test/lib/a.py"]),
        ("[ab].py", ["a.py", "lib/a.py", "lib/x/a.py", "test/lib/a.py"]),
        ("[!a]*.py*", ["lib/b.pyi"]),
        ("[a-z]akefile", []),
        (r"\[z\].c", ["lib/x/y/[z].c"]),
        ("[[]z[]].c", ["lib/x/y/[z].c"]),
        (r"é\{1\}.c", ["lib/é{1}.c"]),
        ("lib[/]a.py", []),
        ("lib[!a]a.py", []),
        ("lib[+-9]a.py", []),
        ("lib?a.py", []),
        ("a**y", ["a.py", "lib/a.py", "lib/x/a.py", "test/lib/a.py"]),
    ],
)
def test_globs_mean_what_the_module_says(glob: str, found: list[str]) -> None:
    assert match_glob(PATHS, glob, "") == found


def test_a_glob_is_matched_below_the_folder() -> None:
    below = [path for path in PATHS if path.startswith("lib/")]
    assert match_glob(below, "x/*.py", "lib") == ["lib/x/a.py"]
    assert match_glob(below, "lib/x/*.py", "lib") == []
    assert match_glob(below, "/a.py", "lib") == ["lib/a.py"]


def test_a_folder_with_signs_in_its_name_is_searched_like_any(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a+(b)[c]/x.py": "", "aab/x.py": ""})
    assert toolbox.run("find_files", '{"pattern": "x.py", "path": "a+(b)[c]"}').text.endswith("/\na+(b)[c]/x.py")


def test_case_is_ignored_on_request_below_the_folder_only() -> None:
    assert match_glob(["lib/A.PY"], "a.py", "lib", ignore_case=True) == ["lib/A.PY"]
    assert match_glob(["lib/A.PY"], "a.py", "LIB", ignore_case=True) == []


@pytest.mark.parametrize("glob", ["[a", "{a,b", "{a,{b}", "[z-a]", "/", "./"])
def test_a_broken_glob_is_refused_with_the_glob_in_the_text(glob: str) -> None:
    with pytest.raises(BadArgument, match=re.escape(json.dumps(glob))):
        match_glob(PATHS, glob, "")


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/\u2028\u2029"), min_size=1)


@given(st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.lists(NAMES.map(lambda n: f"d/{n}"), max_size=5))
def test_an_escaped_path_matches_exactly_itself(path: str, others: list[str]) -> None:
    glob = "/" + "".join(f"\\{character}" if character in "*?[]{},\\" else character for character in path)
    everything = sorted({path, *others})
    assert match_glob(everything, glob, "") == [path]


def test_paths_are_found_sorted_and_in_full(toolbox_on: Make) -> None:
    result = toolbox_on(dict.fromkeys(PATHS, "")).run("find_files", '{"pattern": "a.py", "path": "lib"}')
    assert result.text == '2 paths matching "a.py" in lib/\nlib/a.py\nlib/x/a.py'
    assert result.shown == ()


def test_links_are_found_with_their_targets(toolbox_on: Make) -> None:
    text = toolbox_on({"a.py": "", "b.py": "->a.py"}).run("find_files", '{"pattern": "b.*"}').text
    assert text.endswith("\nb.py -> a.py")


def test_the_pages_of_many_paths_are_all_paths(toolbox_on: Make) -> None:
    toolbox = toolbox_on({f"d/{number:03}.txt": "" for number in range(230)})
    rows: list[str] = []
    offset: int | None = 0
    while offset is not None:
        text = toolbox.run("find_files", json.dumps({"pattern": "*.txt", "offset": offset})).text
        rows += [row for row in text.split("\n")[1:] if not row.startswith("[")]
        more = re.search(r"find_files with offset=(\d+)", text)
        offset = int(more[1]) if more else None
    assert rows == [f"d/{number:03}.txt" for number in range(230)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pattern": "lib"}, "Folders match: 'lib/', 'test/lib/'. Use list_dir"),
        ({"pattern": "x/"}, "Folders match: 'lib/x/'"),
        ({"pattern": "makefile"}, "With ignore_case=true: 'Makefile'."),
        ({"pattern": "lib/x/*.py", "path": "lib"}, "A pattern with / is matched against the path below lib/."),
        ({"pattern": "Makefil"}, "Paths that look like it: 'Makefile'"),
    ],
)
def test_no_match_says_what_may_have_been_meant(toolbox_on: Make, arguments: dict[str, str], said: str) -> None:
    result = toolbox_on(dict.fromkeys(PATHS, "")).run("find_files", json.dumps(arguments))
    assert result.ok
    assert result.text.startswith("No file matches")
    assert said in result.text
