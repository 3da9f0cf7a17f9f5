import json
from collections.abc import Callable, Mapping

import pytest

from selfplay_tools.tools.tool import CallResult, ShownRange
from selfplay_tools.tools.toolbox import Toolbox

Make = Callable[[Mapping[str, str | bytes]], Toolbox]


def read(toolbox: Toolbox, path: str, **arguments: int) -> CallResult:
    return toolbox.run("read_file", json.dumps({"path": path, **arguments}))


def number_lines(count: int) -> str:
    return "".join(f"line {number}\n" for number in range(1, count + 1))


def test_lines_are_numbered_as_cat_does(toolbox_on: Make) -> None:
    result = read(toolbox_on({"a.py": "one\n\ttwo\n"}), "a.py")
    assert result == CallResult(
        "a.py: lines 1-2 of 2\n     1\tone\n     2\t\ttwo",
        shown=(ShownRange(path="a.py", first=1, last=2, how="read"),),
    )


def test_a_window_says_where_to_go_on(toolbox_on: Make) -> None:
    result = read(toolbox_on({"a": number_lines(431)}), "a", start=101)
    rows = result.text.split("\n")
    assert rows[0] == "a: lines 101-300 of 431"
    assert rows[1] == "   101\tline 101"
    assert rows[-1] == "[131 more lines: read_file with start=301]"
    assert result.shown == (ShownRange(path="a", first=101, last=300, how="read"),)


def test_following_the_remarks_reads_every_line_once(toolbox_on: Make) -> None:
    toolbox = toolbox_on({"a": ("é" * 400 + "\n") * 90 + number_lines(300)})
    seen: list[int] = []
    while not seen or seen[-1] < 390:
        result = read(toolbox, "a", start=len(seen) + 1, count=400)
        assert len(result.text) <= 16_000
        seen += range(result.shown[0].first, result.shown[0].last + 1)
    assert seen == list(range(1, 391))


def test_a_start_beyond_the_end_says_how_long_the_file_is(toolbox_on: Make) -> None:
    result = read(toolbox_on({"a": "x\n"}), "a", start=2)
    assert not result.ok
    assert result.text == "'a' has no line 2; it has 1 line"
    assert result.shown == ()


@pytest.mark.parametrize(("content", "said"), [(b"", "empty file"), (b"\0\1\2", "binary file, 3 B, no text")])
def test_a_file_without_lines_is_opened_all_the_same(toolbox_on: Make, content: bytes, said: str) -> None:
    result = read(toolbox_on({"a": content}), "a")
    assert result == CallResult(f"a: {said}", shown=(ShownRange(path="a", first=1, last=0, how="read"),))


def test_a_long_line_is_cut_and_counts_as_shown(toolbox_on: Make) -> None:
    result = read(toolbox_on({"a": "x" * 20_000_000}), "a")
    head, row, remark = result.text.split("\n")
    assert head == "a: lines 1-1 of 1"
    assert row == f"     1\t{'x' * 500}…[+19,999,500]"
    assert remark.startswith("[a line of over 500 characters is cut, [+n] stands for n of them; grep with this path")
    assert result.shown == (ShownRange(path="a", first=1, last=1, how="read"),)


def test_what_is_no_plain_text_is_said_in_words(toolbox_on: Make) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5242880\n"
    toolbox = toolbox_on({"lfs": pointer, "latin": b"caf\xe9\n", "wide": "é\n".encode("utf-16"), "crlf": b"a\r\nb\r\n"})
    assert "Git LFS pointer; the real file has 5.0 MB" in read(toolbox, "lfs").text
    assert "     1\tcaf\ufffd\n[\ufffd stands for bytes that are not text" in read(toolbox, "latin").text
    assert read(toolbox, "wide").text.endswith("     1\té\n[encoding: utf-16-le]")
    assert read(toolbox, "crlf").text == "crlf: lines 1-2 of 2\n     1\ta\n     2\tb"


def test_a_huge_file_shows_its_beginning_and_says_so(toolbox_on: Make) -> None:
    text = read(toolbox_on({"huge": b"0123456\n" * (5 << 20)}), "huge", count=1).text
    assert text.startswith("huge: lines 1-1 of the first 4,194,304\n     1\t0123456\n")
    assert text.endswith("[the file has 40.0 MB; only its beginning can be read, as counted above]")


def test_a_link_is_followed_and_said(toolbox_on: Make) -> None:
    result = read(toolbox_on({"real.py": "x\n", "alias.py": "->real.py"}), "alias.py")
    assert result.text.startswith("real.py: lines 1-1 of 1")
    assert result.text.endswith("['alias.py' is a link to 'real.py']")
    assert result.shown[0].path == "real.py"


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "out", "loop", "folder", "real.pyy", "C:\\x", "\0", "é" * 9999]
)
def test_a_path_that_is_no_file_here_is_refused_in_words(toolbox_on: Make, path: str) -> None:
    toolbox = toolbox_on({"real.py": "x\n", "out": "->../../secret", "loop": "->loop", "folder/x": ""})
    result = read(toolbox, path)
    assert not result.ok
    assert result.shown == ()
    assert 20 < len(result.text) <= 2_000


def test_a_mistyped_path_brings_the_real_one(toolbox_on: Make) -> None:
    assert "did you mean 'src/server.py'" in read(toolbox_on({"src/server.py": ""}), "src/sever.py").text
