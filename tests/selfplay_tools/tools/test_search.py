import json
from collections.abc import Callable, Mapping

from selfplay_tools.tools.tool import CallResult, ShownRange
from selfplay_tools.tools.toolbox import Toolbox

Make = Callable[[Mapping[str, str | bytes]], Toolbox]

TREE = {
    "http/headers.py": "class ServerHeaders:\n    pass\n\ndef server_fingerprint():\n    return 'x'\n",
    "http/body.py": "def read_body():\n    return b''\n",
    "docs/entries.md": "The server has entries.\nA header is sent.\n",
}


def search(toolbox: Toolbox, query: str, **arguments: object) -> CallResult:
    return toolbox.run("search", json.dumps({"query": query, **arguments}))


def test_files_are_ranked_and_come_with_their_best_lines(toolbox_on: Make) -> None:
    result = search(toolbox_on(TREE), "server fingerprint")
    assert result.text == (
        "2 files in the root folder with any of: server, fingerprint; the best 2:\n"
        "1. http/headers.py\n1:class ServerHeaders:\n4:def server_fingerprint():\n"
        "2. docs/entries.md\n1:The server has entries."
    )
    assert result.shown == (
        ShownRange(path="http/headers.py", first=1, last=1, how="match"),
        ShownRange(path="http/headers.py", first=4, last=4, how="match"),
        ShownRange(path="docs/entries.md", first=1, last=1, how="match"),
    )


def test_the_line_with_most_of_the_query_is_among_the_three(toolbox_on: Make) -> None:
    content = "alpha\n" * 10 + "alpha beta gamma\n" + "beta\n" * 10
    result = search(toolbox_on({"a": content}), "alpha beta gamma")
    assert "\n11:alpha beta gamma" in result.text
    assert [line for shown in result.shown for line in range(shown.first, shown.last + 1)] == [1, 2, 11]


def test_a_plural_in_the_text_is_found_by_the_singular(toolbox_on: Make) -> None:
    assert "1:The server has entries." in search(toolbox_on(TREE), "entry").text


def test_words_that_occur_nowhere_are_named(toolbox_on: Make) -> None:
    result = search(toolbox_on(TREE), "server zebra")
    assert "[in no file at all: 'zebra']" in result.text


def test_no_hit_is_said_and_is_no_failure(toolbox_on: Make) -> None:
    result = search(toolbox_on(TREE), "zebra")
    assert result.ok
    assert result.text.startswith("No file in the root folder holds any of: zebra (3 files searched).")
    assert result.shown == ()


def test_a_path_keeps_only_what_is_below_it(toolbox_on: Make) -> None:
    text = search(toolbox_on(TREE), "server", path="docs").text
    assert "docs/entries.md" in text
    assert "http/headers.py" not in text


def test_what_the_limit_left_out_is_counted(toolbox_on: Make) -> None:
    result = search(toolbox_on(TREE), "server", limit=1)
    assert "[1 more file: search with a larger limit, a path, or rarer words]" in result.text


def test_a_file_that_is_found_by_its_name_alone_is_a_hit_without_lines(toolbox_on: Make) -> None:
    result = search(toolbox_on({"zebra.txt": "stripes\n"}), "zebra")
    assert result.text.endswith("\n1. zebra.txt")
    assert result.shown == ()


def test_a_query_without_words_is_refused(toolbox_on: Make) -> None:
    result = search(toolbox_on(TREE), "++ -- 42")
    assert not result.ok
    assert "use grep for signs and numbers" in result.text


def test_many_long_hits_stay_within_the_bound(toolbox_on: Make) -> None:
    toolbox = toolbox_on({f"{number:02}": ("needle " * 80 + "\n") * 3 for number in range(50)})
    result = search(toolbox, "needle", limit=50)
    assert len(result.text) <= 16_000
    files = {shown.path for shown in result.shown}
    assert f"[{50 - len(files)} more files:" in result.text
