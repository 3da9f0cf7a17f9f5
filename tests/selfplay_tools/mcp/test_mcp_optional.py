"""The official client calls the tools that are off unless they are configured, over each transport."""

import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from selfplay_tools.mcp.server import make_http_app, make_server
from selfplay_tools.semantic.embedders import EmbeddingEndpoint, make_endpoint_embedder
from selfplay_tools.semantic.semantic_index import SemanticIndex
from selfplay_tools.semantic.semantic_search import make_semantic_search
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.ask_web import HEAD, WebSearchModel, make_ask_web
from selfplay_tools.tools.tool import AnyTool
from selfplay_tools.tools.toolbox import Toolbox
from tests.loopback import Json, LoopbackServer, rate_limited, run_in_thread
from tests.toy_embeddings import toy_server

FILES = {"io.py": "def close(handle):\n    handle.close()\n", "main.py": "from io import close\n\n\nclose(open('x'))\n"}
KEY = "wk-0123456789abcdef"
FAKE = Path(__file__).parents[1] / "lsp" / "fake_language_server.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def over_stdio(root: Path, *arguments: str, **environment: str) -> Client:
    """A client of `python -m selfplay_tools.mcp` on a directory."""
    command = ["-m", "selfplay_tools.mcp", "--repo", str(root), "--commit", "worktree", *arguments]
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    return Client(StdioServerParameters(command=sys.executable, args=command, env=environment))


async def over_http(toolbox: Toolbox, name: str, arguments: Json) -> CallToolResult:
    """One call of a server in this process, through the whole HTTP application."""
    app = make_http_app(make_server(toolbox))
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
    async with (
        app.router.lifespan_context(app),
        http,
        Client(streamable_http_client("http://127.0.0.1:8765/mcp", http_client=http)) as client,
    ):
        listed = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        assert {"type": "object"}.items() <= listed[name].items()
        return await client.call_tool(name, arguments)


@contextmanager
def toolbox_on(root: Path, tools: Sequence[AnyTool]) -> Generator[Toolbox]:
    snapshot = DirectorySnapshot(root)
    try:
        yield Toolbox(snapshot, tools)
    finally:
        snapshot.close()


def text_of(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


async def test_the_web_is_asked_over_stdio(root: Path) -> None:
    with run_in_thread(LoopbackServer(lambda _: {"content": "It is streamed."})) as server:
        web = ("--web-model", "searcher", "--web-url", server.base_url, "--web-key-env", "WEB_KEY")
        async with over_stdio(root, *web, WEB_KEY=KEY) as client:
            result = await client.call_tool("ask_web", {"question": "What happens to a large blob?"})
        [request] = server.received
    assert not result.is_error
    assert text_of(result) == f"{HEAD}\nIt is streamed."
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "searcher"
    assert request.json["messages"][-1] == {"role": "user", "content": "What happens to a large blob?"}


@pytest.mark.parametrize("is_well", [True, False])
async def test_the_web_is_asked_over_http_and_a_failure_is_a_result(root: Path, *, is_well: bool) -> None:
    said: list[Json] = []
    ways = [] if is_well else [rate_limited()]
    with run_in_thread(LoopbackServer(lambda _: {"content": "Yes."}, ways)) as server:
        who = WebSearchModel(model="searcher", base_url=server.base_url, tries=1)
        with toolbox_on(root, [make_ask_web(who, {"ASK_WEB_API_KEY": KEY})]) as toolbox:
            result = await over_http(toolbox, "ask_web", {"question": "Is it?"})
            said += [one.json for one in server.received]
    assert len(said) == 1
    assert result.is_error == (not is_well)
    assert ("Yes." in text_of(result)) == is_well
    assert KEY not in text_of(result)


async def test_search_by_meaning_over_http_says_what_the_player_gets(root: Path, tmp_path: Path) -> None:
    asked: Json = {"query": "close the handle"}
    with run_in_thread(toy_server()) as server:
        model = make_endpoint_embedder(EmbeddingEndpoint("m", server.base_url, "NO_KEY"))
        with toolbox_on(root, [make_semantic_search(SemanticIndex(model, folder=tmp_path / "vectors"))]) as toolbox:
            expected = toolbox.run("semantic_search", json.dumps(asked))
            result = await over_http(toolbox, "semantic_search", asked)
    assert expected.ok
    assert text_of(result) == expected.text


@pytest.mark.parametrize("name", ["goto_definition", "lsp_references"])
async def test_a_language_server_is_asked_over_http(root: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("pygls")
    from selfplay_tools.lsp.server_pool import ServerPool  # noqa: PLC0415  an extra
    from selfplay_tools.lsp.servers import LanguageServer  # noqa: PLC0415  an extra
    from selfplay_tools.lsp.tools import make_lsp_tools  # noqa: PLC0415  an extra

    (root / "b.py").write_text('def late():\n    return "late"\n')
    fake = LanguageServer("python", (sys.executable, str(FAKE), str(tmp_path / "log"), "well"), ("*.py",))
    asked: Json = {"path": "main.py", "line": 4, "symbol": "close"}
    with toolbox_on(root, make_lsp_tools([fake], ServerPool())) as toolbox:
        expected = toolbox.run(name, json.dumps(asked))
        result = await over_http(toolbox, name, asked)
    assert expected.ok, expected.text
    assert (text_of(result), result.is_error) == (expected.text, False)


async def test_the_language_server_for_python_is_asked_over_stdio(root: Path) -> None:
    pytest.importorskip("pygls")
    pytest.importorskip("basedpyright")
    (root / "own.py").write_text("def shut():\n    return 1\n")
    (root / "user.py").write_text("from own import shut\n\nshut()\n")
    async with over_stdio(root, "--lsp", PATH=os.environ["PATH"]) as client:
        asked: Json = {"path": "user.py", "line": 3, "symbol": "shut"}
        results = [await client.call_tool(name, asked) for name in ("goto_definition", "lsp_references", "hover")]
    assert [result.is_error for result in results] == [False] * 3
    definition, references, hover = map(text_of, results)
    assert "own.py:1" in definition
    assert "user.py:1" in references
    assert "def shut()" in hover
