"""The official client lists and calls every tool, and gets what the toolbox gives."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import anyio
import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from selfplay_tools.errors import GitFailed, NotUsable
from selfplay_tools.mcp.__main__ import main
from selfplay_tools.mcp.server import listen, make_http_app, make_server, url_of
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.tools.schema import Schema
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments
from selfplay_tools.tools.toolbox import Toolbox
from tests.loopback import run_in_thread
from tests.repositories import commit_files, make_git_dir
from tests.toy_embeddings import toy_server

Make = Callable[[Mapping[str, str | bytes]], Toolbox]
Json = dict[str, Any]
Mode = Literal["auto", "legacy"]
"""The protocol of today, or the one with a handshake that older clients speak."""

HOME = "http://127.0.0.1:8765"
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(sys.path)}
TREE: dict[str, str | bytes] = {
    "README.md": "The server sends headers.\n",
    "src/server.py": "import http\n\nclass Server:\n    def send_header(self):\n        return 'é' * 3\n",
    "src/latin.c": b"/* caf\xe9 */ int f(void) { return 0; }\n",
    "long.txt": "a line that is repeated\n" * 3_000,
}
CALLS: list[tuple[str, Json]] = [
    ("list_dir", {}),
    ("list_dir", {"path": "src", "depth": 3}),
    ("find_files", {"pattern": "*.{py,c}"}),
    ("read_file", {"path": "src/server.py"}),
    ("read_file", {"path": "long.txt"}),
    ("read_file", {"path": "../../etc/passwd"}),
    ("grep", {"pattern": "caf|é", "context": 1}),
    ("grep", {"pattern": "("}),
    ("search", {"query": "server header"}),
    ("find_symbol", {"name": "Server"}),
    ("find_references", {"name": "f"}),
    ("outline", {"path": "src/server.py"}),
    ("finish", {"files": [{"path": "src/server.py", "reason": "sends"}]}),
    ("finish", {"files": []}),
    ("grep", {"patern": "x", "limit": "5", "context": 1.5}),
    ("read_file", {"path": "src/\u2028\t\\ \x00"}),
    ("greb", {"pattern": "x"}),
]


@asynccontextmanager
async def over_http(toolbox: Toolbox, mode: Mode = "auto", **headers: str) -> AsyncGenerator[Client]:
    """A client of a server in this process, through the whole HTTP application."""
    app = make_http_app(make_server(toolbox))
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), headers=headers)
    async with (
        app.router.lifespan_context(app),
        http,
        Client(streamable_http_client(f"{HOME}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def over_stdio(mode: Mode, *arguments: str) -> Client:
    """A client of a server in a process of its own."""
    command = ["-m", "selfplay_tools.mcp", *arguments]
    return Client(StdioServerParameters(command=sys.executable, args=command, env=ENVIRONMENT), mode=mode)


async def list_schemas(client: Client) -> list[Schema]:
    """The tools as an agent hands them to its model."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.input_schema},
        }
        for tool in (await client.list_tools()).tools
    ]


def text_of(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    assert result.structured_content is None
    return content.text


async def require_same(client: Client, toolbox: Toolbox) -> None:
    """Names, descriptions, schemas with the order of their keys, and every result."""
    assert json.dumps(await list_schemas(client)) == json.dumps(toolbox.schemas())
    assert {name for name, _ in CALLS} > {tool.name for tool in toolbox.tools}
    for name, arguments in CALLS:
        expected = toolbox.run(name, json.dumps(arguments))
        got = await client.call_tool(name, arguments)
        assert (text_of(got), got.is_error) == (expected.text, not expected.ok)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_over_http_gets_what_the_player_gets(toolbox_on: Make, mode: Mode) -> None:
    toolbox = toolbox_on(TREE)
    async with over_http(toolbox, mode) as client:
        await require_same(client, toolbox)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_over_stdio_gets_what_the_player_gets(toolbox_on: Make, tmp_path: Path, mode: Mode) -> None:
    toolbox = toolbox_on(TREE)
    async with over_stdio(mode, "--repo", str(tmp_path / "tree-0"), "--commit", "worktree") as client:
        await require_same(client, toolbox)


async def test_the_server_stays_at_the_commit_that_it_began_with(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "repo.git")
    first = commit_files(git_dir, {b"a.py": b"old = 1\n"})
    index = tmp_path / "index"
    async with over_stdio("auto", "--repo", str(git_dir), "--commit", "main", "--index", str(index)) as client:
        commit_files(git_dir, {b"a.py": b"new = 1\n"})
        got = text_of(await client.call_tool("grep", {"pattern": "= 1"}))
        assert (await client.call_tool("read_file", {"path": ".git/HEAD"})).is_error
    snapshot = CommitSnapshot(git_dir, first)
    assert got == Toolbox(snapshot).run("grep", '{"pattern": "= 1"}').text
    assert "old = 1" in got
    assert [path.name for path in (index / "used").iterdir()] == [first]
    snapshot.close()


async def test_the_index_lies_below_the_users_cache_unless_none_is_wanted(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "repo.git")
    commit_files(git_dir, {b"a.py": b"one = 1\n"})
    environment = ENVIRONMENT | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    found: list[str] = []
    for more in (["--no-index"], []):
        command = ["-m", "selfplay_tools.mcp", "--repo", str(git_dir), *more]
        async with Client(StdioServerParameters(command=sys.executable, args=command, env=environment)) as client:
            found.append(text_of(await client.call_tool("grep", {"pattern": "one"})))
        assert (tmp_path / "cache").exists() == (not more)
    assert found[0] == found[1]
    assert [path.name[:9] for path in (tmp_path / "cache" / "selfplay" / "index").iterdir()] == ["repo.git-"]


async def test_the_server_says_nothing_that_a_model_would_read_beside_the_tools(toolbox_on: Make) -> None:
    async with over_http(toolbox_on(TREE)) as client:
        assert client.instructions is None
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.prompts is None
        assert client.server_capabilities.resources is None


class Nothing(ToolArguments):
    """No arguments."""


def tool(name: str, run: Callable[[Snapshot, Nothing], CallResult]) -> Tool[Nothing]:
    return Tool(name=name, description="", arguments=Nothing, run=run)


def breaks(_snapshot: Snapshot, _arguments: Nothing) -> CallResult:
    raise GitFailed("cat-file in /home/someone/secret.git ended")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_fault_of_the_tools_is_an_error_of_the_protocol_and_keeps_its_details(
    toolbox_on: Make, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    toolbox = Toolbox(toolbox_on({}).snapshot, [tool("breaks", breaks)])
    async with over_http(toolbox, mode) as client:
        with pytest.raises(MCPError, match="through no fault of the call") as error:
            await client.call_tool("breaks", {})
        assert error.value.code == -32603
        assert "someone" not in str(error.value.error)
    assert "/home/someone/secret.git" in caplog.text


async def test_calls_are_carried_out_side_by_side(toolbox_on: Make) -> None:
    arrived = threading.Event()

    def waits(_snapshot: Snapshot, _arguments: Nothing) -> CallResult:
        return CallResult("went on", ok=arrived.wait(timeout=30))

    def arrives(_snapshot: Snapshot, _arguments: Nothing) -> CallResult:
        arrived.set()
        return CallResult("came")

    toolbox = Toolbox(toolbox_on({}).snapshot, [tool("waits", waits), tool("arrives", arrives)])
    results: list[CallToolResult] = []
    async with over_http(toolbox) as client:

        async def call(name: str) -> None:
            results.append(await client.call_tool(name, {}))

        async with anyio.create_task_group() as group:
            group.start_soon(call, "waits")
            group.start_soon(call, "arrives")
    assert [result.is_error for result in results] == [False, False]


def hello(**headers: str) -> httpx2.Request:
    """A well-formed first request of a client."""
    body: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"accept": "application/json, text/event-stream"}
    return httpx2.Request("POST", f"{HOME}/mcp", json=body, headers={**accept, **headers})


@pytest.mark.parametrize(
    ("headers", "hosts", "status"),
    [
        ({}, [], 200),
        ({"host": "localhost:8765", "origin": "http://localhost:8765"}, [], 200),
        ({"host": "evil.example:8765"}, [], 421),
        ({"host": "127.0.0.1.evil.example:8765"}, [], 421),
        ({"origin": "http://evil.example"}, [], 403),
        ({"host": "tools.example:8765"}, [], 421),
        ({"host": "tools.example:8765"}, ["tools.example:8765"], 200),
        ({"host": "tools.example:80"}, ["tools.example:8765"], 421),
        ({"content-type": "text/plain"}, [], 400),
        ({"content-length": "9000000"}, [], 413),
    ],
)
async def test_only_requests_to_a_known_host_from_no_foreign_page_are_served(
    toolbox_on: Make, headers: dict[str, str], hosts: Sequence[str], status: int
) -> None:
    app = make_http_app(make_server(toolbox_on({})), hosts)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        assert (await http.send(hello(**headers))).status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])  # noqa: S104  refused, which is the point
def test_an_address_that_others_can_reach_needs_their_names(host: str) -> None:
    with pytest.raises(NotUsable, match="--allow-host"):
        listen(host, 0)


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_said_so() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        with pytest.raises(NotUsable, match=r"can't listen on 127\.0\.0\.1"):
            listen("127.0.0.1", listener.getsockname()[1])


@contextmanager
def start_server(*command: str) -> Generator[tuple[IO[bytes], IO[bytes], IO[bytes], subprocess.Popen[bytes]]]:
    """A process with its input, output and errors."""
    environment = os.environ | ENVIRONMENT
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            yield process.stdin, process.stdout, process.stderr, process
        finally:
            process.kill()


async def test_a_server_on_a_port_serves_until_it_is_interrupted(toolbox_on: Make, tmp_path: Path) -> None:
    toolbox = toolbox_on(TREE)
    where = ("--repo", str(tmp_path / "tree-0"), "--commit", "worktree", "--transport", "http", "--port", "0")
    with start_server(sys.executable, "-m", "selfplay_tools.mcp", *where) as (_, output, errors, server):
        said = (await anyio.to_thread.run_sync(errors.readline)).decode()
        http = httpx2.AsyncClient(trust_env=False)
        async with http, Client(streamable_http_client(said.split()[-1], http_client=http)) as client:
            await require_same(client, toolbox)
        server.send_signal(signal.SIGINT)
        assert await anyio.to_thread.run_sync(server.wait) == 0
        assert output.read() == b""


NOISY = """
import os, subprocess, sys
from pathlib import Path
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.mcp.server import make_server
from selfplay_tools.mcp.server import run_stdio
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments
from selfplay_tools.tools.toolbox import Toolbox

def shouts(snapshot, arguments):
    print("noise")
    os.write(1, b"noise\\n")
    subprocess.run(["echo", "noise"], check=True)
    return CallResult("quiet")

tool = Tool(name="shouts", description="", arguments=ToolArguments, run=shouts)
run_stdio(make_server(Toolbox(DirectorySnapshot(Path(sys.argv[1])), [tool])))
"""


def test_what_a_tool_prints_does_not_get_between_the_messages(tmp_path: Path) -> None:
    first: Json = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    asked: list[tuple[str, Json]] = [("initialize", first), ("tools/call", {"name": "shouts", "arguments": {}})]
    answers: list[Json] = []
    with start_server(sys.executable, "-c", NOISY, str(tmp_path)) as (wire, output, errors, server):
        for number, (method, params) in enumerate(asked):
            line = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            wire.write(json.dumps(line).encode() + b"\n")
            wire.flush()
            answers.append(json.loads(output.readline()))
        wire.close()
        assert output.read() == b""
        assert errors.read().count(b"noise") == 3
        assert server.wait() == 0
    assert [answer["id"] for answer in answers] == [0, 1]
    assert answers[1]["result"]["content"] == [{"type": "text", "text": "quiet"}]


def contract(path: Path, tools: object) -> str:
    path.write_text(json.dumps(tools))
    return str(path)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    return err


def test_tools_other_than_those_of_the_contract_are_not_served(
    toolbox_on: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schemas = json.loads(json.dumps(toolbox_on({}).schemas()))
    schemas[3]["function"]["parameters"]["properties"]["limit"]["default"] = 20
    where = ("--repo", str(tmp_path / "tree-0"), "--commit", "worktree", "--contract")
    for value in (schemas, {"tools": schemas, "prompt": "p"}):
        err = refusal(capsys, *where, contract(tmp_path / "c.json", value))
        assert "grep.function.parameters.properties.limit.default: 50 here, 20 expected" in err


async def test_the_tools_of_the_contract_are_served(toolbox_on: Make, tmp_path: Path) -> None:
    toolbox = toolbox_on(TREE)
    file = contract(tmp_path / "c.json", {"tools": toolbox.schemas()})
    where = ("--repo", str(tmp_path / "tree-0"), "--commit", "worktree", "--contract", file)
    async with over_stdio("auto", *where) as client:
        assert await list_schemas(client) == toolbox.schemas()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--repo", "{}/gone"], "is no git repository: the commit 'worktree'"),
        (["--repo", "{}/gone", "--commit", "worktree"], "can't be opened: No such file"),
        (["--repo", "{}", "--commit", "worktree", "--contract", "{}/gone.json"], "gone.json can't be read as JSON"),
        (["--repo", "{}", "--commit", "worktree", "--contract", "{}/empty.json"], "holds no tools"),
        (["--repo", "{}", "--commit", "worktree", "--transport", "http", "--host", "192.0.2.1"], "--allow-host"),
        (["--repo", "{}", "--commit", "worktree", "--web-model", "m"], "base_url is no http(s) address"),
        (["--repo", "{}", "--commit", "worktree", "--web-model", "m", "--web-url", "https://x.example"], "no key for"),
        (["--repo", "{}", "--commit", "worktree", "--semantic-model", "m", "--semantic-url", "x"], "base_url is no"),
    ],
)
def test_what_cant_be_served_is_said_before_anything_is(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.json").write_text("[]")
    assert says in refusal(capsys, *(argument.replace("{}", str(tmp_path)) for argument in arguments))


async def test_asking_the_web_is_offered_where_it_is_configured(tmp_path: Path) -> None:
    web = ("--web-model", "m", "--web-url", "http://127.0.0.1:9/v1")
    async with over_stdio("auto", "--repo", str(tmp_path), "--commit", "worktree", *web) as client:
        tools = (await client.list_tools()).tools
        hints = {tool.name: tool.annotations for tool in tools}
    assert tools[-1].name == "ask_web"
    assert [name for name, hint in hints.items() if hint and hint.open_world_hint] == ["ask_web"]
    assert all(hint and hint.read_only_hint for hint in hints.values())


async def test_search_by_meaning_is_offered_where_it_is_configured(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "io.py").write_text("def close(handle):\n    handle.close()\n")
    with run_in_thread(toy_server()) as server:
        semantic = ("--semantic-model", "m", "--semantic-url", server.base_url)
        where = (
            "--repo",
            str(tmp_path / "tree"),
            "--commit",
            "worktree",
            "--semantic-folder",
            str(tmp_path / "vectors"),
        )
        async with over_stdio("auto", *where, *semantic) as client:
            tools = (await client.list_tools()).tools
            found = await client.call_tool("semantic_search", {"query": "close the handle"})
    assert tools[-1].name == "semantic_search"
    assert isinstance(found.content[0], TextContent)
    assert "1. io.py:1-2 close\n" in found.content[0].text
    assert list((tmp_path / "vectors").glob("*/*.chunks"))
