import re
from collections.abc import Callable, Mapping

from selfplay_tools.tools.toolbox import Toolbox

Make = Callable[[Mapping[str, str | bytes]], Toolbox]

TREE = {
    "README.md": "hello\n",
    "src/app.py": "x = 1\n",
    "src/net/http.py": "y = 2\n",
    "src/net/wire.py": "",
    "docs": "->src",
}


def test_a_folder_is_listed_with_kinds_sizes_and_counts(toolbox_on: Make) -> None:
    result = toolbox_on(TREE).run("list_dir", "{}")
    assert result.ok
    assert result.text.split("\n") == [
        "the root folder: 1 folder, 1 file, 1 link",
        "README.md  6 B",
        "docs -> src",
        "src/  (3 files)",
    ]


def test_a_listing_shows_no_line_of_any_file(toolbox_on: Make) -> None:
    assert toolbox_on(TREE).run("list_dir", '{"depth": 4}').shown == ()


def test_folders_whose_names_begin_alike_are_counted_apart(toolbox_on: Make) -> None:
    tree = {"lib/a": "", "lib/b/c": "", "lib-x/a": "", "lib.a": "", "lib0/a": "", "libs/a": "", "l/a": ""}
    rows = toolbox_on(tree).run("list_dir", "{}").text.split("\n")[1:]
    assert rows == [
        "l/  (1 file)",
        "lib/  (2 files)",
        "lib-x/  (1 file)",
        "lib.a  0 B",
        "lib0/  (1 file)",
        "libs/  (1 file)",
    ]


def test_depth_shows_what_is_below_each_folder(toolbox_on: Make) -> None:
    rows = toolbox_on(TREE).run("list_dir", '{"path": "src", "depth": 2}').text.split("\n")
    assert rows[1:] == ["app.py  6 B", "net/  (2 files)", "net/http.py  6 B", "net/wire.py  0 B"]


def test_a_folder_behind_a_link_is_listed_and_said(toolbox_on: Make) -> None:
    text = toolbox_on(TREE).run("list_dir", '{"path": "docs/net"}').text
    assert text.startswith("src/net/: 2 files\n")
    assert "'docs/net' is a link to 'src/net'" in text


def test_a_path_is_tidied_without_a_word(toolbox_on: Make) -> None:
    toolbox = toolbox_on(TREE)
    assert toolbox.run("list_dir", '{"path": "./src//net/"}') == toolbox.run("list_dir", '{"path": "src/net"}')


def test_a_file_is_no_folder(toolbox_on: Make) -> None:
    result = toolbox_on(TREE).run("list_dir", '{"path": "src/app.py"}')
    assert not result.ok
    assert "'src/app.py' is a file" in result.text
    assert "read_file" in result.text


def test_a_folder_that_is_not_there_brings_its_nearest(toolbox_on: Make) -> None:
    result = toolbox_on(TREE).run("list_dir", '{"path": "src/nte"}')
    assert not result.ok
    assert "'src/net'" in result.text


def test_the_pages_of_a_long_listing_are_the_whole_listing(toolbox_on: Make) -> None:
    toolbox = toolbox_on({f"file-{number:03}.txt": "" for number in range(450)})
    rows: list[str] = []
    offset: int | None = 0
    while offset is not None:
        text = toolbox.run("list_dir", f'{{"offset": {offset}}}').text
        rows += [row for row in text.split("\n")[1:] if not row.startswith("[")]
        more = re.search(r"list_dir with offset=(\d+)\]", text)
        offset = int(more[1]) if more else None
    assert rows == [f"file-{number:03}.txt  0 B" for number in range(450)]


def test_an_offset_beyond_the_end_is_said(toolbox_on: Make) -> None:
    assert "offset=9 is beyond the last row: there are 3 rows" in toolbox_on(TREE).run("list_dir", '{"offset": 9}').text


def test_an_empty_folder_of_the_root_is_empty(toolbox_on: Make) -> None:
    assert toolbox_on({}).run("list_dir", "{}").text == "the root folder: empty"


def test_long_names_stay_within_the_bound_and_go_on(toolbox_on: Make) -> None:
    toolbox = toolbox_on({f"{'n' * 240}{number:03}": "" for number in range(200)})
    text = toolbox.run("list_dir", "{}").text
    assert len(text) <= 16_000
    assert re.search(r"\[1\d\d more rows: list_dir with offset=\d\d\]$", text)
