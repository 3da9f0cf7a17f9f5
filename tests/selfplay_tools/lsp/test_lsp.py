"""The language server tools against servers that misbehave, each a real process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pygls")

from selfplay_tools.errors import NotReadable, NotUsable
from selfplay_tools.lsp import workspace as files
from selfplay_tools.lsp.server_pool import ServerPool
from selfplay_tools.lsp.servers import LanguageServer, fill_settings, find_package_roots, server_for
from selfplay_tools.lsp.tools import make_lsp_tools
from selfplay_tools.lsp.workspace import write_workspace
from selfplay_tools.output import ResultLimits
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.tool import CallResult, ShownRange
from selfplay_tools.tools.toolbox import Toolbox

FAKE = Path(__file__).with_name("fake_language_server.py")
A = "".join(f"value_{i} = {i}\n" for i in range(60))
B = 'def late():\n    return "late"\n'
ASKED = {"path": "a.py", "line": 3, "symbol": "value_2"}


NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


class ServerBench:
    """A snapshot, and a toolbox whose server behaves as its arguments say."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.root.mkdir()
        (self.root / "a.py").write_text(A)
        (self.root / "b.py").write_text(B)
        self.log = folder / "log"
        self.pool = ServerPool()
        self.snapshot = DirectorySnapshot(self.root)

    def server(self, *ways: str, timeout_s: float = 60) -> LanguageServer:
        command = (sys.executable, str(FAKE), str(self.log), *ways)
        return LanguageServer("python", command, ("*.py",), {"a": {"b": 1}}, timeout_s=timeout_s)

    def ask(self, *ways: str, tool: str = "goto_definition", timeout_s: float = 60, **more: object) -> CallResult:
        toolbox = Toolbox(self.snapshot, make_lsp_tools([self.server(*ways, timeout_s=timeout_s)], self.pool))
        return toolbox.run(tool, json.dumps(ASKED | more))

    @property
    def starts(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerBench]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    made = ServerBench(tmp_path)
    yield made
    made.snapshot.close()
    assert not list(scratch.iterdir()), "what was laid out is left behind"


def test_an_answer_shows_the_line_and_what_it_stands_in(table: ServerBench) -> None:
    result = table.ask("well")
    assert result.ok
    assert result.text.splitlines()[1:] == ['b.py:2: return "late"  [in late]']
    assert result.shown == (ShownRange(path="b.py", first=2, last=2, how="match"),)


def test_one_process_answers_all_calls_on_a_snapshot(table: ServerBench) -> None:
    assert table.ask("well") == table.ask("well")
    assert table.starts == 1


@pytest.mark.parametrize("how", ["dies", "garbage", "nonsense", "cut", "huge", "stillborn", "wrong"])
def test_a_server_that_breaks_is_started_once_more(table: ServerBench, how: str) -> None:
    result = table.ask(how, "well")
    assert result.ok, result.text
    assert "b.py:2" in result.text
    assert table.starts == 2


@pytest.mark.parametrize("how", ["dies", "garbage", "nonsense", "cut", "huge", "stillborn", "wrong"])
def test_a_server_that_breaks_twice_is_text_for_the_player(table: ServerBench, how: str) -> None:
    result = table.ask(how)
    assert not result.ok
    assert result.text.startswith("The language server could not be asked: it ")
    assert str(table.root.parent) not in result.text
    assert table.starts == 2


def test_a_server_that_hangs_is_ended_with_all_its_processes_and_not_asked_again(table: ServerBench) -> None:
    result = table.ask("hangs", timeout_s=1.5)
    assert not result.ok
    assert "no answer within 1.5 s" in result.text
    assert table.starts < 2
    assert not processes_about(table.log)


def test_an_error_is_reported_by_its_number_and_the_server_lives(table: ServerBench) -> None:
    result = table.ask("refuses")
    assert not result.ok
    assert "it answered with error -32603" in result.text
    assert "panic" not in result.text
    assert table.ask("refuses") == result
    assert table.starts == 1


def test_a_server_that_loads_is_waited_for(table: ServerBench) -> None:
    assert "b.py:2" in table.ask("loads").text


def test_a_server_gets_its_settings_by_section(table: ServerBench) -> None:
    assert table.ask("asks").ok
    assert json.loads(table.log.with_suffix(".answers").read_text())["result"] == [1, None, {"a": {"b": 1}}]


def test_a_flood_of_places_is_bounded_and_continued(table: ServerBench) -> None:
    first = table.ask("many", tool="lsp_references", limit=30)
    assert "40 lines in 1 file" in first.text
    assert "10 more lines: lsp_references with offset=30" in first.text
    assert "m0.py (standard library)" in first.text
    assert "and 2 more" in first.text
    assert [shown.first for shown in first.shown] == list(range(1, 31))
    rest = table.ask("many", tool="lsp_references", offset=30)
    assert [shown.first for shown in rest.shown] == list(range(31, 41))
    assert "beyond the last line" in table.ask("many", tool="lsp_references", offset=40).text


def test_places_outside_are_named_without_paths_of_this_machine(table: ServerBench) -> None:
    result = table.ask("beyond", tool="lsp_references")
    assert result.shown == ()
    assert "secret.py (elsewhere)" in result.text
    assert "/" not in result.text


def test_hover_shows_no_address_of_this_machine(table: ServerBench) -> None:
    assert table.ask("hover", tool="hover").text == '"value_2" (a.py:3)\nat a.py and b.py; see …'


@NEEDS_PROC
def test_nothing_is_left_running_when_the_snapshot_is_closed(table: ServerBench) -> None:
    assert table.ask("well").ok
    assert processes_about(table.log)
    table.snapshot.close()
    assert not processes_about(table.log)


def test_snapshots_of_equal_content_share_a_server_until_the_last_is_closed(table: ServerBench) -> None:
    other = DirectorySnapshot(table.root)
    tools = make_lsp_tools([table.server("well")], table.pool)
    assert table.ask("well") == Toolbox(other, tools).run("goto_definition", json.dumps(ASKED))
    table.snapshot.close()
    assert Toolbox(other, tools).run("goto_definition", json.dumps(ASKED)).ok
    assert table.starts == 1
    other.close()
    assert not processes_about(table.log)


@NEEDS_PROC
def test_no_more_servers_run_than_may(table: ServerBench, tmp_path: Path) -> None:
    pool = ServerPool(max_alive=1)
    tools = make_lsp_tools([table.server("well")], pool)
    second = tmp_path / "second"
    second.mkdir()
    (second / "a.py").write_text(A)
    other = DirectorySnapshot(second)
    for snapshot in (table.snapshot, other, table.snapshot):
        Toolbox(snapshot, tools).run("goto_definition", json.dumps(ASKED))
        assert len(processes_about(table.log)) == 1
    assert table.starts == 3
    other.close()


def processes_about(log: Path) -> list[int]:
    """Live processes that have the log among their arguments, or whose parent had it and is gone with its group."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments, stat = (entry / "cmdline").read_bytes(), (entry / "stat").read_text()
            home = (entry / "environ").read_bytes()
        except OSError:
            continue
        is_ours = str(log).encode() in arguments or f"HOME={log.parent}/scratch".encode() in home
        if is_ours and stat.rpartition(")")[2].split()[0] != "Z":
            found.append(int(entry.name))
    return found


@NEEDS_PROC
def test_what_looks_for_processes_finds_them(table: ServerBench) -> None:
    table.ask("well")
    assert len(processes_about(table.log)) == 1


@pytest.mark.parametrize(
    ("line", "symbol", "says"),
    [
        (3, "value_20", "The nearest lines of this file with it: 21"),
        (3, "value", "No line of this file holds it"),
        (99, "x", "has no line 99"),
        (3, "=", "holds no name"),
    ],
)
def test_a_wrong_place_is_answered_with_the_right_one(table: ServerBench, line: int, symbol: str, says: str) -> None:
    result = table.ask("well", line=line, symbol=symbol)
    assert not result.ok
    assert says in result.text
    assert not table.log.exists()


def test_a_file_that_no_server_knows_is_said(table: ServerBench) -> None:
    (table.root / "c.go").write_text("package c\n")
    other = DirectorySnapshot(table.root)
    arguments = json.dumps({"path": "c.go", "line": 1, "symbol": "c"})
    result = Toolbox(other, make_lsp_tools([table.server("well")], table.pool)).run("hover", arguments)
    assert not result.ok
    assert "only *.py" in result.text
    other.close()


def test_only_text_that_was_asked_for_is_laid_out(toolbox_on: Callable[..., Toolbox], table: ServerBench) -> None:
    there = {
        "a.py": "x = 1\r\ny = '\r'\n",
        "deep/b.py": "b = 2\n",
        "link.py": "->a.py",
        "out.py": "->/etc/passwd",
        "pyrightconfig.json": "{}",
        "pyproject.toml": "[tool.pyright]\n",
        "binary.py": b"\0\1",
        "big.py": b"#" * (files.MAX_FILE_BYTES + 1),
        ".venv/bin/python": "#!/bin/sh\ntouch hit\n",
    }
    snapshot = toolbox_on(there).snapshot
    workspace = write_workspace(snapshot, table.server("well"))
    on_disk = {p.relative_to(workspace.root).as_posix(): p for p in workspace.root.rglob("*") if not p.is_dir()}
    assert set(on_disk) == set(workspace.paths) == {"a.py", "deep/b.py"}
    assert on_disk["a.py"].read_bytes() == b"x = 1\ny = '\xef\xbf\xbd'\n"
    assert {path.stat().st_mode & 0o777 for path in on_disk.values()} == {0o400}
    assert workspace.folder.stat().st_mode & 0o777 == 0o700
    workspace.remove()
    assert not workspace.folder.exists()


def test_too_much_code_is_refused_before_anything_is_written(
    table: ServerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 1)
    with pytest.raises(NotReadable, match="2 files"):
        write_workspace(table.snapshot, table.server("well"))


def test_a_server_gets_no_environment_but_what_is_named(tmp_path: Path) -> None:
    server = LanguageServer("go", ("gopls",), ("*.go",), pass_env=("GOROOT", "UNSET"))
    given = {"GOROOT": "/go", "SECRET": "s", "PATH": os.defpath}
    environment = server.environment(tmp_path, given)
    assert environment["GOROOT"] == "/go"
    assert environment["HOME"] == str(tmp_path)
    assert not {"SECRET", "UNSET"} & environment.keys()
    assert environment["PATH"] != os.defpath


def test_what_cant_be_used_is_said_at_once() -> None:
    with pytest.raises(NotUsable, match="no program 'no-such-server'"):
        make_lsp_tools([LanguageServer("x", ("no-such-server",), ("*.x",))], ServerPool())
    with pytest.raises(NotUsable, match="command is missing for go"):
        server_for("go")
    with pytest.raises(NotUsable, match="files is missing for go"):
        server_for("go", ["gopls"])


def test_the_schemas_say_nothing_of_who_answers(table: ServerBench) -> None:
    one = Toolbox(table.snapshot, make_lsp_tools([table.server("well")], table.pool)).schemas()
    other = Toolbox(table.snapshot, make_lsp_tools([replace(table.server("x"), language="go")], table.pool)).schemas()
    assert json.dumps(one) == json.dumps(other)


def test_what_nobody_closed_ends_with_this_process(table: ServerBench) -> None:
    script = (
        "from pathlib import Path; from selfplay_tools.snapshot.directory import DirectorySnapshot\n"
        "from selfplay_tools.lsp.servers import LanguageServer; from selfplay_tools.lsp.tools import make_lsp_tools\n"
        f"server = LanguageServer('python', {table.server('well').command!r}, ('*.py',))\n"
        f"tool = make_lsp_tools([server])[0]; arguments = tool.arguments.model_validate({ASKED!r})\n"
        f"print(tool.run(DirectorySnapshot(Path({str(table.root)!r})), arguments).text)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(table.log.parent / "scratch")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert "b.py:2" in done.stdout
    assert not processes_about(table.log)


def test_settings_name_the_folders_that_hold_packages() -> None:
    paths = {"a.py", "p/__init__.py", "p/q/__init__.py", "src/m/__init__.py", "x/lib/n/__init__.py", "x/lib/n/z.py"}
    assert find_package_roots(paths) == ["src", "x/lib"]
    assert fill_settings({"a": ["${package_roots}"], "b": {"c": "${package_roots}"}}, paths)["b"] == {
        "c": ["src", "x/lib"]
    }


def test_the_limits_of_results_hold_for_language_servers_too(table: ServerBench) -> None:
    toolbox = Toolbox(table.snapshot, make_lsp_tools([table.server("many")], table.pool), ResultLimits(800, 50, 7))
    result = toolbox.run("lsp_references", json.dumps(ASKED))
    assert len(result.shown) == 7
    assert "33 more lines: lsp_references with offset=7" in result.text
    assert "'limit' must be at most 7, not 8" in toolbox.run("lsp_references", json.dumps(ASKED | {"limit": 8})).text
    assert len(toolbox.run("goto_definition", json.dumps(ASKED)).shown) == 7
