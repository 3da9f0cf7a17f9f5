"""Tasks that are played with the tools of an MCP server, by the official client (the extra `mcp`).

A server is started, or connected to, once for each episode. Its tools are taken as they are; `finish` is the engine's.
"""

import hashlib
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

import anyio
import orjson

from selfplay.config import McpConfig, RunConfig
from selfplay.core.contract import tool_name
from selfplay.core.errors import ConfigError, EndpointDown
from selfplay.core.task import Task
from selfplay.core.threads import ThreadPool, shared_thread_pool
from selfplay.environments.environment import ANSWER_TOOL
from selfplay.environments.goal_environment import GoalEnvironment, GoalKind, parse_call
from selfplay_tools.output import clean_text, cut_at_line_end
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.schema import Schema
from selfplay_tools.tools.tool import AnyTool, CallResult

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

CONNECT_S = 60.0
"""How long a server may take to start and to say which tools it has."""


@dataclass(frozen=True, slots=True)
class McpSession:
    """One connection to a server, for one episode."""

    client: "Client"
    config: McpConfig
    names: tuple[str, ...]
    max_chars: int

    async def call(self, name: str, arguments: str) -> CallResult:
        """As `ToolSession.call`. Raises EndpointDown where the server is gone."""
        given = parse_call(name, arguments, self.names)
        return given if isinstance(given, CallResult) else await self._ask_server(name, given)

    async def _ask_server(self, name: str, given: dict[str, Any]) -> CallResult:
        from mcp import MCPError  # noqa: PLC0415  an extra

        try:
            with anyio.fail_after(self.config.timeout_s):
                result = await self.client.call_tool(name, given)
        except TimeoutError:
            return CallResult(f"{name} gave no answer within {self.config.timeout_s:g} s.", ok=False)
        except MCPError as error:
            return CallResult(clean_text(f"{name} was refused: {error}"), ok=False)
        except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            raise EndpointDown(f"the MCP server is gone: {type(error).__name__}: {error}") from error
        return CallResult(_cut_text(_text_of(result), self.max_chars), ok=not result.is_error)


class McpEnvironment(GoalEnvironment):
    """One task with the tools of a server."""

    def __init__(self, task: Task, config: RunConfig, where: str = "") -> None:
        """Ask the server which tools it has, once in a process. Raises TaskError, ConfigError, EndpointDown."""
        super().__init__(task, where)
        if config.mcp is None:
            place = f"{where}: " if where else ""
            raise ConfigError(f"{place}task {task.brief.id!r} needs an MCP server; give [mcp] with command or url")
        self._config, self._max_chars = config.mcp, config.tools.max_result_chars
        self._tools = _list_tools(config.mcp.model_dump_json())
        self.replay = config.mcp.replay

    @property
    def id(self) -> str:
        """Names the server and its tools. What the server looks at it does not know."""
        where = [self._config.url, *self._config.command]
        return f"mcp:{hashlib.sha256(orjson.dumps([where, self._tools])).hexdigest()[:40]}"

    def tools(self) -> tuple[Schema, ...]:
        """Those of the server that the player has."""
        return self._tools

    async def call(self, name: str, arguments: Mapping[str, Any]) -> CallResult:
        """One call, on a connection of its own."""
        async with self.open_session(shared_thread_pool()) as session:
            return await session.call(name, orjson.dumps(arguments).decode())

    @asynccontextmanager
    async def open_session(self, threads: ThreadPool) -> AsyncGenerator[McpSession]:
        """As `Environment.open_session`: the connection lasts as long as the episode is played."""
        del threads
        names = tuple(tool_name(schema) for schema in self._tools)
        async with _connect(self._config) as client:
            yield McpSession(client, self._config, names, self._max_chars)


class McpServers(GoalKind):
    """The kind of tasks that are played with an MCP server's tools."""

    name = "mcp"

    def make(
        self,
        task: Task,
        config: RunConfig,
        snapshot: Snapshot | None,
        where: str = "",
        tools: Sequence[AnyTool] | None = None,
    ) -> McpEnvironment:
        """As `EnvironmentKind.make`."""
        del snapshot, tools
        return McpEnvironment(task, config, where)


@cache
def _list_tools(settings: str) -> tuple[Schema, ...]:
    """The tools of a server, by its settings as JSON, as function schemas. Raises ConfigError, EndpointDown."""
    config = McpConfig.model_validate_json(settings)
    with ThreadPoolExecutor(1) as thread:  # the caller may itself be within an event loop
        offered = thread.submit(anyio.run, _ask_for_tools, config).result()
    names = [tool_name(schema) for schema in offered]
    if ANSWER_TOOL in names and not config.only:
        raise ConfigError(f"the MCP server has a tool {ANSWER_TOOL!r}, which is the engine's; choose with mcp.only")
    if missing := [name for name in config.only if name not in names]:
        raise ConfigError(f"mcp.only: the server has no tool {missing[0]!r}; it has {', '.join(names)}")
    by_name = dict(zip(names, offered, strict=True))
    return tuple(by_name[name] for name in config.only) or offered


async def _ask_for_tools(config: McpConfig) -> tuple[Schema, ...]:
    try:
        with anyio.fail_after(CONNECT_S):
            async with _connect(config) as client:
                found: list[Schema] = []
                cursor: str | None = None
                while True:
                    page = await client.list_tools(cursor=cursor)
                    found += [_function_schema(one.name, one.description or "", one.input_schema) for one in page.tools]
                    cursor = page.next_cursor
                    if cursor is None:
                        return tuple(found)
    except TimeoutError:
        raise ConfigError(f"{_server_name(config)} did not say within {CONNECT_S:g} s which tools it has") from None


@asynccontextmanager
async def _connect(config: McpConfig) -> "AsyncGenerator[Client]":
    """A client of the server. Raises ConfigError without the extra, EndpointDown where the server can't be reached."""
    try:
        from mcp import Client  # noqa: PLC0415  an extra, slow to import
    except ModuleNotFoundError as error:
        raise ConfigError(
            "the environment 'mcp' needs the extra: pip install '.[mcp]' in selfplay's checkout"
        ) from error
    raised: Exception | None = None
    async with AsyncExitStack() as stack:
        log = stack.enter_context(TemporaryFile("w+", encoding="utf-8", errors="replace"))  # noqa: SIM115  the stack closes it
        server = config.url or _start_command(config, log)
        try:
            client = await stack.enter_async_context(Client(server, read_timeout_seconds=config.timeout_s))
        except Exception as error:
            said = _last_line(log) or _first_cause(error)
            raise EndpointDown(f"{_server_name(config)} can't be reached: {said}") from error
        try:
            yield client
        except Exception as error:  # noqa: BLE001  raised below: the client would put it into a group
            raised = error
    if raised is not None:
        raise raised


def _start_command(config: McpConfig, log: IO[str]) -> Any:  # noqa: ANN401  a transport, of an extra's types
    """A transport that starts the server; what it writes to its standard error goes to `log`."""
    from mcp import StdioServerParameters, stdio_client  # noqa: PLC0415  an extra

    if missing := [name for name in config.env if name not in os.environ]:
        raise ConfigError(f"mcp.env: the environment variable {missing[0]} is not set")
    command, *arguments = config.command
    environment = {name: os.environ[name] for name in config.env} or None
    return stdio_client(
        StdioServerParameters(command=command, args=arguments, env=environment), errlog=cast("TextIO", log)
    )


def _last_line(log: IO[str]) -> str:
    """The last line that a server wrote to its standard error."""
    log.seek(0)
    lines = [line.strip() for line in log.read()[-10_000:].splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _first_cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"


def _server_name(config: McpConfig) -> str:
    return f"the MCP server {config.url or config.command[0]!r}"


def _function_schema(name: str, description: str, parameters: Mapping[str, Any]) -> Schema:
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": dict(parameters)},
    }


def _text_of(result: "CallToolResult") -> str:
    """The texts of a result; of what is no text, that it is there."""
    parts = [getattr(part, "text", None) or f"[{part.type}, not shown]" for part in result.content]
    return clean_text("\n".join(map(str, parts))) or "(nothing)"


def _cut_text(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    remark = f"\n[cut: {max_chars:,} of {len(text):,} characters are shown; ask for less]"
    return cut_at_line_end(text, max_chars, remark)
