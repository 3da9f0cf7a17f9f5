"""Serve the tools over one commit or directory, without the engine: `python -m selfplay_tools.mcp --repo PATH`."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from selfplay_tools.errors import NotUsable, ToolsError
from selfplay_tools.mcp.server import PORT, THREADS, listen, make_server, run_http, run_stdio, url_of
from selfplay_tools.output import ResultLimits
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.open import WORKTREE, default_index_folder, open_snapshot
from selfplay_tools.tools.schema import Schema, find_differences
from selfplay_tools.tools.tool import AnyTool
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS, Toolbox, tools_expected

if TYPE_CHECKING:
    from selfplay_tools.semantic.embedders import Embedder


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client is gone or the server is stopped. Returns the exit code: 2 for what can't be used."""
    given = _make_parser().parse_args(arguments)
    try:
        tools = (*DEFAULT_TOOLS, *_web_tools(given), *_semantic_tools(given), *_lsp_tools(given))
        expected = read_expectation(given.contract) if given.contract else None
        with closing(open_snapshot(given.repo, given.commit, index=_index_folder(given))) as snapshot:
            toolbox = Toolbox(snapshot, tools) if expected is None else expected.make_toolbox(snapshot, tools)
            _serve(toolbox, given)
    except ToolsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  this is the command line
        return 2
    except KeyboardInterrupt:
        return 0  # how a server is stopped
    return 0


def _index_folder(given: argparse.Namespace) -> Path | None:
    if given.no_index or given.commit == WORKTREE:
        return None
    return given.index or default_index_folder(given.repo)


def _serve(toolbox: Toolbox, given: argparse.Namespace) -> None:
    server = make_server(toolbox, about=f"{given.repo} at {given.commit}", threads=given.threads)
    if given.transport == "stdio":
        run_stdio(server)
        return
    with listen(given.host, given.port, given.allow_host) as listener:
        print(f"serving at {url_of(listener)}", file=sys.stderr, flush=True)  # noqa: T201  this is the command line
        run_http(server, listener, given.allow_host)


@dataclass(frozen=True, slots=True)
class ExpectedTools:
    """What a contract says of the tools, of its release of them aside."""

    path: Path
    schemas: Sequence[Schema]
    limits: ResultLimits

    def make_toolbox(self, snapshot: Snapshot, tools: Sequence[AnyTool]) -> Toolbox:
        """The tools that are named, in that order, with those limits. Raises NotUsable where they differ even so."""
        chosen = tools_expected(tools, [str(schema.get("function", {}).get("name")) for schema in self.schemas])
        toolbox = Toolbox(snapshot, chosen, self.limits)
        if found := find_differences(toolbox.schemas(), self.schemas):
            raise NotUsable("\n- ".join([f"the tools are not those of {self.path}:", *found]))
        return toolbox


def read_expectation(path: Path) -> ExpectedTools:
    """Schemas and limits in a `contract.json`, or schemas alone in a file that is a list of them. Raises NotUsable."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise NotUsable(f"{path} can't be read as JSON: {error}") from error
    contract = cast("dict[str, Any]", value) if isinstance(value, dict) else {"tools": value}
    tools: object = contract.get("tools")
    if not isinstance(tools, list) or not tools or not all(isinstance(tool, dict) for tool in cast("list[Any]", tools)):
        raise NotUsable(f"{path} holds no tools: give a contract.json, or a list of function tools")
    return ExpectedTools(path, cast("list[Schema]", tools), _read_limits(contract.get("context"), path))


def _read_limits(context: object, path: Path) -> ResultLimits:
    names = {"max_result_chars": "max_chars", "max_lines": "max_lines", "max_rows": "max_rows"}
    values = cast("dict[str, Any]", context) if isinstance(context, dict) else {}
    limits = {field: values[name] for name, field in names.items() if values.get(name) is not None}
    if not all(type(limit) is int and limit > 0 for limit in limits.values()):
        raise NotUsable(f"{path}: its context policy holds a limit that is no number")
    return ResultLimits(**limits)


def _web_tools(given: argparse.Namespace) -> tuple[AnyTool, ...]:
    if not given.web_model:
        return ()
    from selfplay_tools.tools.ask_web import WebSearchModel, make_ask_web  # noqa: PLC0415  its client takes a second to import

    return (make_ask_web(WebSearchModel(model=given.web_model, base_url=given.web_url, api_key_env=given.web_key_env)),)


def _lsp_tools(given: argparse.Namespace) -> tuple[AnyTool, ...]:
    if not given.lsp:
        return ()
    try:
        from selfplay_tools.lsp import servers, tools  # noqa: PLC0415  an extra, and it takes time to import
    except ModuleNotFoundError as error:
        raise NotUsable(str(error)) from error
    return tools.make_lsp_tools([servers.server_for("python")])


def _semantic_tools(given: argparse.Namespace) -> tuple[AnyTool, ...]:
    if not given.semantic_model:
        return ()
    from selfplay_tools.semantic.semantic_index import SemanticIndex  # noqa: PLC0415  what it imports takes a second
    from selfplay_tools.semantic.semantic_search import make_semantic_search  # noqa: PLC0415

    return (make_semantic_search(SemanticIndex(_make_embedder(given), folder=given.semantic_folder)),)


def _make_embedder(given: argparse.Namespace) -> "Embedder":
    if not given.semantic_url:
        from selfplay_tools.semantic.embedders import LocalEmbeddingModel, make_local_embedder  # noqa: PLC0415  see `_semantic_tools`

        return make_local_embedder(LocalEmbeddingModel(given.semantic_model))
    from selfplay_tools.semantic.embedders import EmbeddingEndpoint, make_endpoint_embedder  # noqa: PLC0415  see `_semantic_tools`

    return make_endpoint_embedder(EmbeddingEndpoint(given.semantic_model, given.semantic_url, given.semantic_key_env))


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m selfplay_tools.mcp",
        description="Serve the tools that a model was trained with, over MCP, on one commit or directory. Read-only.",
    )
    add = parser.add_argument
    add(
        "--repo", type=Path, required=True, help="a work tree, a bare repository, or with --commit worktree a directory"
    )
    add("--commit", default="HEAD", help="any revision, pinned at start; worktree: the directory as it is on disk")
    add("--index", type=Path, help="where the repository's index is kept; by default below the user's cache")
    add("--no-index", action="store_true", help="keep none: each call reads the files, with the same answers")
    add("--contract", type=Path, help="serve with its limits, and only if the tools are those of this contract.json")
    add("--transport", choices=("stdio", "http"), default="stdio")
    add("--host", default="127.0.0.1", help="http: the address to listen on")
    add("--port", type=int, default=PORT, help="http: 0 takes a free one")
    add("--allow-host", action="append", default=[], metavar="NAME:PORT", help="http: a name that clients reach it by")
    add("--threads", type=_parse_count, default=THREADS, help="calls carried out at once")
    add("--web-model", default="", help="offer ask_web, answered by this model")
    add("--web-url", default="", help="its server, up to where /chat/completions begins")
    add("--web-key-env", default="ASK_WEB_API_KEY", help="the environment variable with its key")
    add("--semantic-model", default="", help="offer semantic_search, by this model of embeddings")
    add("--semantic-url", default="", help="its server, up to where /embeddings begins; without one it runs here")
    add("--semantic-key-env", default="SEMANTIC_SEARCH_API_KEY", help="the environment variable with its key")
    add("--semantic-folder", type=Path, help="where vectors are kept; by default below the user's cache")
    add("--lsp", action="store_true", help="offer goto_definition, lsp_references and hover for Python (extra lsp)")
    return parser


def _parse_count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
