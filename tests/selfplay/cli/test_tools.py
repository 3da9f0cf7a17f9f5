"""`selfplay tools`: list, call, serve."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent

from selfplay.cli.options import repo_and_commit
from selfplay.core.contract import ContextPolicy, Contract
from selfplay.environments.find_files.toolset import contract_limits, find_contract_differences
from selfplay_tools import release_version
from selfplay_tools.output import MAX_CHARS, MAX_ROWS
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.schema import Schema, function_schema
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS, Toolbox
from tests.repositories import commit_files, make_git_dir
from tests.selfplay.cli.commands import run_command
from tests.selfplay.episodes import make_files

SCHEMAS = [function_schema(tool) for tool in DEFAULT_TOOLS]
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(sys.path)}
CALLS: list[tuple[str, Mapping[str, Any]]] = [
    ("list_dir", {}),
    ("find_files", {"pattern": "*.py"}),
    ("read_file", {"path": "pump/tank.py"}),
    ("read_file", {"path": "pump/tanc.py"}),
    ("grep", {"pattern": "message"}),
    ("search", {"query": "pressure"}),
    ("find_symbol", {"name": "Tank"}),
    ("find_references", {"name": "Tank"}),
    ("outline", {"path": "pump/tank.py"}),
    ("finish", {"files": [{"path": "pump/tank.py", "reason": "holds"}]}),
]


def join_lines(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_files(tmp_path / "repo")


def make_contract(tools: list[Schema], **changes: object) -> Contract:
    context = ContextPolicy(max_result_chars=MAX_CHARS)
    contract = Contract(tools_version=release_version(), prompt="p", tools=tuple(tools), context=context)
    return contract.model_copy(update=changes)


def change_schemas() -> list[Schema]:
    schemas = orjson.loads(orjson.dumps(SCHEMAS))
    schemas[0]["function"]["description"] = "List."
    return schemas


def test_the_tools_are_listed_as_a_request_holds_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "tools", "list")
    assert code == 0
    assert orjson.dumps(orjson.loads(out)) == orjson.dumps(SCHEMAS)


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_a_call_prints_what_the_player_gets(
    name: str, arguments: Mapping[str, Any], repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = DirectorySnapshot(repo)
    expected = Toolbox(snapshot).run(name, json.dumps(arguments))
    snapshot.close()
    code, out, err = run_command(capsys, "tools", "call", name, "--repo", f"{repo}@worktree", json.dumps(arguments))
    assert (out, err) == (f"{expected.text}\n", "")
    assert code == (0 if expected.ok else 1)


def test_arguments_come_from_a_file_or_from_standard_input(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "arguments.json"
    file.write_text('{"pattern": "*.md"}')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    output = [
        run_command(capsys, "tools", "call", "find_files", "--repo", f"{repo}@worktree", arguments)
        for arguments in (file.read_text(), f"@{file}", "-")
    ]
    assert output[0][0] == 0
    assert output == output[:1] * 3


def test_a_call_looks_into_the_commit_that_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git_dir = make_git_dir(tmp_path / "repo.git")
    first = commit_files(git_dir, {b"a.py": b"old = 1\n"})
    commit_files(git_dir, {b"a.py": b"new = 1\n"})
    for commit, word in ((f"@{first}", "old"), ("@main~1", "old"), ("", "new")):
        where = ("--repo", f"{git_dir}{commit}", "--repos", str(tmp_path / "repos"))
        _, out, _ = run_command(capsys, "tools", "call", "read_file", *where, '{"path": "a.py"}')
        assert f"{word} = 1" in out


@pytest.mark.parametrize(
    ("text", "repo", "commit"),
    [
        (".", ".", "HEAD"),
        (".@v2.1", ".", "v2.1"),
        ("app@feature/x", "app", "feature/x"),
        ("https://example.org/app.git", "https://example.org/app.git", "HEAD"),
        ("https://example.org/app.git@v2", "https://example.org/app.git", "v2"),
        ("ssh://git@example.org/app.git", "ssh://git@example.org/app.git", "HEAD"),
        ("ssh://git@example.org/app.git@main", "ssh://git@example.org/app.git", "main"),
        ("git@example.org:team/app.git", "git@example.org:team/app.git", "HEAD"),
        ("git@example.org:team/app.git@main", "git@example.org:team/app.git", "main"),
        ("/a@b/c@d", "/a@b/c", "d"),
        ("app@", "app@", "HEAD"),
    ],
)
def test_a_commit_stands_behind_the_last_at_sign(text: str, repo: str, commit: str) -> None:
    assert repo_and_commit(text) == (repo, commit)


def test_a_directory_with_an_at_sign_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a@b").mkdir()
    assert repo_and_commit(str(tmp_path / "a@b")) == (str(tmp_path / "a@b"), "HEAD")
    assert repo_and_commit(str(tmp_path / "a@b@c")) == (str(tmp_path / "a@b"), "c")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["call", "grep", "--repo", "{}/gone", "{{}}"], "there is no directory"),
        (["call", "grep", "--repo", "{}@worktree", "@{}/gone.json"], "gone.json: can't be read"),
        (["call", "grep", "--repo", "{}@worktree", "--config", "{}/gone.toml"], "gone.toml: can't be read"),
        (["list", "--config", "{}/web.toml"], "tools.ask_web: no key for x.example"),
        (["serve", "{}@worktree", "--contract", "{}/gone.json"], "gone.json: can't be read"),
        (["serve", "{}@worktree", "--contract", "{}/web.toml"], "web.toml: no contract of version 1"),
        (["serve", "{}@worktree", "--transport", "http", "--host", "192.0.2.1"], "--allow-host"),
    ],
)
def test_what_cant_be_used_is_exit_code_2(
    arguments: list[str], says: str, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repo / "web.toml").write_text('[tools.ask_web]\nmodel = "m"\nbase_url = "https://x.example/v1"\n')
    code, out, err = run_command(capsys, "tools", *(argument.replace("{}", str(repo)) for argument in arguments))
    assert (code, out) == (2, "")
    assert says in join_lines(err)


def test_a_server_that_departs_from_its_contract_does_not_start(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contract.json"
    file.write_bytes(make_contract(change_schemas(), tools_version="0.0.1").json_text)
    code, out, err = run_command(capsys, "tools", "serve", f"{repo}@worktree", "--contract", str(file))
    assert (code, out) == (2, "")
    text = join_lines(err)
    assert "the tools are not those of" in text
    assert 'list_dir.function.description: "List a folder' in text
    assert '"List." expected' in text
    assert "release of the tools" in text


def test_departures_are_of_schemas_release_and_size_of_results() -> None:
    assert find_contract_differences(SCHEMAS, make_contract(SCHEMAS)) == []
    context = ContextPolicy(max_result_chars=MAX_CHARS - 1, max_rows=20)
    other = make_contract(SCHEMAS, tools_version="9", context=context)
    assert find_contract_differences(SCHEMAS, other) == [
        f"release of the tools: {make_contract(SCHEMAS).tools_version} here, 9 expected",
        f"characters of a result: {MAX_CHARS} here, {MAX_CHARS - 1} expected",
        f"rows of a result: {MAX_ROWS} here, 20 expected",
    ]
    assert len(find_contract_differences(SCHEMAS, other, contract_limits(other))) == 1
    unknown = make_contract(SCHEMAS, context=ContextPolicy())
    assert find_contract_differences(SCHEMAS, unknown, contract_limits(unknown)) == [
        f"characters of a result: {MAX_CHARS} here, None expected"
    ]


def text_of(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


async def test_an_agent_gets_over_mcp_what_the_player_gets(repo: Path, tmp_path: Path) -> None:
    file = tmp_path / "contract.json"
    file.write_bytes(make_contract(SCHEMAS).json_text)
    snapshot = DirectorySnapshot(repo)
    toolbox = Toolbox(snapshot)
    command = ["-m", "selfplay", "tools", "serve", f"{repo}@worktree", "--contract", str(file)]
    async with Client(StdioServerParameters(command=sys.executable, args=command, env=ENVIRONMENT)) as client:
        tools = (await client.list_tools()).tools
        assert [tool.input_schema for tool in tools] == [schema["function"]["parameters"] for schema in SCHEMAS]
        assert {tool.name for tool in tools} == {name for name, _ in CALLS}
        for name, arguments in CALLS:
            expected = toolbox.run(name, json.dumps(arguments))
            got = await client.call_tool(name, dict(arguments))
            assert (text_of(got), got.is_error) == (expected.text, not expected.ok)
    snapshot.close()


def test_without_the_extra_the_command_says_what_to_install(repo: Path) -> None:
    program = "import sys; sys.modules['mcp'] = None; from selfplay.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "tools", "serve", f"{repo}@worktree"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | ENVIRONMENT)
    assert done.returncode == 2
    assert "pip install '.[mcp]' in selfplay's checkout" in join_lines(done.stderr)


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("serve", "call", "list"):
        code, out, _ = run_command(capsys, "tools", command, "--help")
        assert code == 0
        _, mark, examples = out.partition("Example")
        assert mark
        assert f"selfplay tools {command} " in examples
