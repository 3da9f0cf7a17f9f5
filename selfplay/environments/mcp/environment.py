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
from importlib.resources import files
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

import anyio
import orjson

from selfplay.config import McpConfig, RunConfig
from selfplay.core.errors import ConfigError, EndpointDown, TaskError
from selfplay.core.message import Message
from selfplay.core.task import Task
from selfplay.core.threads import ThreadPool
from selfplay.core.trace import ToolResult
from selfplay.environments.environment import ANSWER_TOOL, PROMPT_ROLES, Replay
from selfplay.environments.goals import GoalKind, check_goals, describe_goals, guard_goals, note_goals_shown
from selfplay.gate import Guard, ShownText
from selfplay.prompts import Prompt
from selfplay_tools.output import clean_text
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.schema import Schema
from selfplay_tools.tools.tool import AnyTool, CallResult

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

FINISH: Schema = {
    "type": "function",
    "function": {
        "name": ANSWER_TOOL,
        "description": "Give your answer. Call it once, when you have seen everything that the answer rests on.",
        "parameters": {
            "type": "object",
            "properties": {"answer": {"type": "string", "description": "The answer, in a few sentences."}},
            "required": ["answer"],
            "additionalProperties": False,
        },
    },
}
CONNECT_S = 60.0
"""How long a server may take to start and to say which tools it has."""


@dataclass(frozen=True, slots=True)
class McpSession:
    """One connection to a server, for one episode."""

    client: "Client"
    config: McpConfig
    names: frozenset[str]

    async def call(self, name: str, arguments: str) -> CallResult:
        """As `ToolSession.call`. Raises EndpointDown where the server is gone."""
        given = _parse_arguments(arguments)
        if given is None:
            return CallResult("The arguments must be one JSON object. Call again.", ok=False)
        if name == ANSWER_TOOL:
            return _take_answer(given)
        if name not in self.names:
            return CallResult(f"There is no tool {name!r}. There are: {', '.join(sorted(self.names))}.", ok=False)
        return await self._ask_server(name, given)

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
        return CallResult(_cut_text(_text_of(result), self.config.max_result_chars), ok=not result.is_error)


@dataclass(frozen=True, slots=True)
class McpEnvironment:
    """One task with the tools of a server."""

    task: Task
    config: McpConfig
    tools: tuple[Schema, ...]

    @property
    def id(self) -> str:
        """Names the server and its tools. What the server looks at it does not know."""
        where = [self.config.url, *self.config.command]
        return f"mcp:{hashlib.sha256(orjson.dumps([where, self.tools])).hexdigest()[:40]}"

    @property
    def replay(self) -> Replay:
        """As configured."""
        return self.config.replay

    def prompts(self) -> Mapping[str, Prompt]:
        """The engine's prompts, in words for documents instead of files."""
        return {name: _load_prompt(name) for name in PROMPT_ROLES}

    def schemas(self) -> list[Schema]:
        """As `Environment.schemas`."""
        return [*self.tools, FINISH]

    @asynccontextmanager
    async def open_session(self, threads: ThreadPool) -> AsyncGenerator[McpSession]:
        """As `Environment.open_session`: the connection lasts as long as the episode is played."""
        del threads
        names = frozenset(_name_of(schema) for schema in self.tools)
        async with _connect(self.config) as client:
            yield McpSession(client, self.config, names)

    def describe_goals(self) -> str:
        """As `Environment.describe_goals`."""
        return describe_goals(self.task)

    def make_guard(self) -> Guard:
        """As `Environment.make_guard`."""
        return guard_goals(self.task)

    def note_shown(self, shown_text: ShownText, action: Message, result: ToolResult) -> None:
        """As `Environment.note_shown`."""
        note_goals_shown(self.task, shown_text, action, result)


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
        """As `EnvironmentKind.make`; asks the server which tools it has, once in a process."""
        del snapshot, tools
        place = f"{where}: " if where else ""
        if problems := list(check_goals(task)):
            raise TaskError(f"{place}task {task.brief.id!r}: " + "; ".join(problems))
        if config.mcp is None:
            raise ConfigError(f"{place}task {task.brief.id!r} needs an MCP server; give [mcp] with command or url")
        return McpEnvironment(task, config.mcp, _list_tools(config.mcp.model_dump_json()))


@cache
def _list_tools(settings: str) -> tuple[Schema, ...]:
    """The tools of a server, by its settings as JSON, as function schemas. Raises ConfigError, EndpointDown."""
    config = McpConfig.model_validate_json(settings)
    with ThreadPoolExecutor(1) as thread:  # the caller may itself be within an event loop
        offered = thread.submit(anyio.run, _ask_for_tools, config).result()
    names = [_name_of(schema) for schema in offered]
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
        raise ConfigError("the environment 'mcp' needs the extra: pip install 'selfplay-traces[mcp]'") from error
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


def _name_of(schema: Schema) -> str:
    match schema:
        case {"function": {"name": str(name)}}:
            return name
        case _:
            return ""


def _parse_arguments(arguments: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _take_answer(given: Mapping[str, Any]) -> CallResult:
    answer = given.get("answer")
    if not isinstance(answer, str) or not answer.strip() or len(given) > 1:
        return CallResult(f"`{ANSWER_TOOL}` takes one argument, answer: a text. Call again.", ok=False)
    return CallResult("Your answer was noted.", answer=())


def _text_of(result: "CallToolResult") -> str:
    """The texts of a result; of what is no text, that it is there."""
    parts = [getattr(part, "text", None) or f"[{part.type}, not shown]" for part in result.content]
    return clean_text("\n".join(map(str, parts))) or "(nothing)"


def _cut_text(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    remark = f"\n[cut: {max_chars:,} of {len(text):,} characters are shown; ask for less]"
    kept = text[: max(0, max_chars - len(remark))]
    return (kept[: kept.rfind("\n")] if "\n" in kept else kept) + remark


@cache
def _load_prompt(name: str) -> Prompt:
    text = files("selfplay.environments.mcp").joinpath(f"prompts/{name}.md").read_text("utf-8").rstrip("\n")
    return Prompt(name=f"mcp_{name}", text=text)
