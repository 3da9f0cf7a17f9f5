"""`selfplay tools`: the player's tools for an agent, over MCP, and for a person, by hand."""

import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from selfplay.cli.console import ExitCode, write_stdout
from selfplay.cli.options import ReposOption, override_section, read_bytes, repo_and_commit
from selfplay.config import RunConfig, SemanticSearchConfig, ToolsConfig, load_config
from selfplay.core.contract import read_contract, tool_name
from selfplay.core.errors import ConfigError, InputError
from selfplay.core.terminal_text import sanitize
from selfplay.environments.find_files.toolset import (
    contract_limits,
    find_contract_differences,
    make_tools,
    result_limits,
)
from selfplay.repos.repositories import Repositories
from selfplay.repos.sources import strip_credentials
from selfplay_tools.output import ResultLimits
from selfplay_tools.tools.schema import Schema, function_schema
from selfplay_tools.tools.tool import AnyTool, tool_within
from selfplay_tools.tools.toolbox import Toolbox, tools_expected

commands = typer.Typer()
tools = typer.Typer(help="The player's tools: list them, call one, serve them over MCP.", no_args_is_help=True)
commands.add_typer(tools, name="tools")

SERVE_EPILOG = """Examples:

selfplay tools serve ~/src/app --contract data/sft/contract.json

selfplay tools serve https://example.org/app.git@v2.1 --transport http --port 8765

selfplay tools serve .@worktree"""

CALL_EPILOG = """Examples:

selfplay tools call grep --repo . '{"pattern": "def main", "context": 2}'

selfplay tools call read_file --repo ~/src/app@v2.1 @arguments.json"""

LIST_EPILOG = """Example:

selfplay tools list --config run.toml"""

ConfigOption = Annotated[Path | None, typer.Option(help="A TOML file; further tools stand in its section `tools`.")]
SemanticModel = Annotated[
    str, typer.Option(metavar="NAME", help="Offer semantic_search by this model of embeddings; above the file.")
]
SemanticUrl = Annotated[
    str, typer.Option(metavar="URL", help="Its server, up to where /embeddings begins; without one it runs here.")
]
SemanticKeyEnv = Annotated[str, typer.Option(metavar="NAME", help="The environment variable with the server's key.")]


class ServerTransport(StrEnum):
    """How a client reaches the server."""

    STDIO = "stdio"
    HTTP = "http"


@tools.command(epilog=SERVE_EPILOG)
def serve(
    repo: Annotated[str, typer.Argument(metavar="REPO[@COMMIT]", help="A path, a URL, or a name under repos/.")],
    *,
    contract: Annotated[
        Path | None, typer.Option(help="Serve with its limits, and only if the tools are those of this contract.json.")
    ] = None,
    config: ConfigOption = None,
    semantic_model: SemanticModel = "",
    semantic_url: SemanticUrl = "",
    semantic_key_env: SemanticKeyEnv = "",
    transport: Annotated[ServerTransport, typer.Option(help="How clients come.")] = ServerTransport.STDIO,
    host: Annotated[str, typer.Option(help="http: the address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="http: 0 takes a free one.", min=0, max=65535)] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:PORT", help="http: a name that clients reach it by; needed beyond this machine."),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Calls carried out at once.", min=1)] = None,
    repos: ReposOption = Path("repos"),
) -> None:
    """Serve the tools over MCP, on one commit, pinned at start; `@worktree` is the directory as it is on disk."""
    settings = _read_settings(config, semantic_model, semantic_url, semantic_key_env)
    offered, limits = make_tools(settings), result_limits(settings)
    if contract is not None:
        offered, limits = _keep_to_contract(offered, limits, contract, may_choose=settings.only is None)
    try:
        from selfplay_tools.mcp import server  # noqa: PLC0415  an extra, and most of a second to import
    except ModuleNotFoundError as error:
        raise ConfigError(str(error)) from error
    name, commit = repo_and_commit(repo)
    with closing(Repositories(repos).open(name, commit)) as snapshot:
        about = f"{strip_credentials(name)} at {commit}"
        serving = server.make_server(Toolbox(snapshot, offered, limits), about=about, threads=threads or server.THREADS)
        if transport is ServerTransport.STDIO:
            server.run_stdio(serving)
            return
        with server.listen(host, port, allow_host or ()) as listener, suppress(KeyboardInterrupt):
            typer.echo(f"serving {about}: {server.url_of(listener)}", err=True)
            server.run_http(serving, listener, allow_host or ())


@tools.command(epilog=CALL_EPILOG)
def call(
    name: Annotated[str, typer.Argument(help="The tool.")],
    arguments: Annotated[str, typer.Argument(help="A JSON object; @FILE; - for standard input.")] = "{}",
    *,
    repo: Annotated[str, typer.Option(metavar="REPO[@COMMIT]", help="A path, a URL, or a name under repos/.")],
    config: ConfigOption = None,
    semantic_model: SemanticModel = "",
    semantic_url: SemanticUrl = "",
    semantic_key_env: SemanticKeyEnv = "",
    repos: ReposOption = Path("repos"),
) -> None:
    """Print what the player would get from this call. Exit code 1 if the call was refused."""
    settings = _read_settings(config, semantic_model, semantic_url, semantic_key_env)
    offered, limits = make_tools(settings), result_limits(settings)
    with closing(Repositories(repos).open(*repo_and_commit(repo))) as snapshot:
        result = Toolbox(snapshot, offered, limits).run(name, _read_arguments(arguments))
    # What a file holds must not act on a terminal; whoever reads on gets it as it is.
    text = sanitize(result.text) if sys.stdout.isatty() else result.text
    write_stdout(text.encode() + b"\n")
    raise typer.Exit(ExitCode.DONE if result.ok else ExitCode.NEGATIVE)


@tools.command("list", epilog=LIST_EPILOG)
def list_(*, config: ConfigOption = None) -> None:
    """Print the tools' function schemas as JSON: what a request's `tools` holds."""
    schemas = _schemas_of(make_tools(_read_settings(config)))
    write_stdout(orjson.dumps(schemas, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _read_settings(
    config: Path | None, semantic_model: str = "", semantic_url: str = "", semantic_key_env: str = ""
) -> ToolsConfig:
    settings = (load_config(config) if config else RunConfig()).tools
    values = {"model": semantic_model, "base_url": semantic_url, "api_key_env": semantic_key_env}
    if not any(values.values()):
        return settings
    where = "semantic_search, on the command line"
    semantic = override_section(SemanticSearchConfig, settings.semantic_search, values, where)
    return settings.model_copy(update={"semantic_search": semantic})


def _schemas_of(offered: Sequence[AnyTool]) -> list[Schema]:
    return [function_schema(tool) for tool in offered]


def _keep_to_contract(
    offered: Sequence[AnyTool], limits: ResultLimits, path: Path, *, may_choose: bool
) -> tuple[Sequence[AnyTool], ResultLimits]:
    """The tools with the limits of a contract, and if they may be chosen, those that it names, in its order.

    Raises InputError where they are not what it says even so.
    """
    contract = read_contract(read_bytes(path), str(path))
    limits = contract_limits(contract, otherwise=limits)
    if may_choose:
        offered = tools_expected(offered, [tool_name(tool) for tool in contract.tools])
    offered = [tool_within(tool, limits) for tool in offered]
    if found := find_contract_differences(_schemas_of(offered), contract, limits):
        raise InputError("\n- ".join([f"the tools are not those of {path}:", *found]))
    return offered, limits


def _read_arguments(arguments: str) -> str:
    if arguments == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    return read_bytes(Path(arguments[1:])).decode("utf-8", "replace") if arguments.startswith("@") else arguments
