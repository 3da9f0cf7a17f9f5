"""An MCP server of a toolbox: the names, schemas, descriptions and texts of training, and nothing beside them.

There are no instructions, prompts or resources: a client would put them before a model that never saw them. What a
call got wrong is a result marked as an error, with the text that the model knows from training; a fault of the tools
themselves is an error of the protocol, so that an agent can tell one from the other.
"""

import json
import logging
import os
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from selfplay_tools import release_version
from selfplay_tools.tools.schema import function_schema
from selfplay_tools.tools.tool import AnyTool
from selfplay_tools.tools.toolbox import Toolbox

THREADS = (os.cpu_count() or 2) + 2
"""Calls carried out at once, if not said otherwise."""

logger = logging.getLogger(__name__)


def make_server(toolbox: Toolbox, *, about: str = "", threads: int = THREADS) -> Server[Any]:
    """A server for one toolbox; any transport, any number of clients. The toolbox stays the caller's to close.

    `about` says in the server's own description what the tools look into; no model gets to see it.
    """
    service = _ToolboxService(toolbox, anyio.CapacityLimiter(threads))
    server: Server[Any] = Server(
        "selfplay-tools",
        version=release_version(),
        description=f"Read-only code search over {about}" if about else "Read-only code search",
        get_tool_input_schema=_skip_header_check,
        on_list_tools=service.list_tools,
        on_call_tool=service.call_tool,
    )
    server.middleware.append(service.keep_order)
    return server


def _skip_header_check(_name: str) -> None:
    """No argument of a tool travels in an HTTP header."""


def describe_tool(tool: AnyTool) -> Tool:
    """A tool as MCP lists it."""
    function = function_schema(tool)["function"]
    hints = ToolAnnotations(
        read_only_hint=True,
        destructive_hint=False,
        idempotent_hint=tool.is_reproducible,
        open_world_hint=not tool.is_reproducible,
    )
    return Tool(
        name=function["name"],
        description=function["description"],
        input_schema=function["parameters"],
        annotations=hints,
    )


@dataclass(frozen=True)
class _ToolboxService:
    """What the server does for each request."""

    toolbox: Toolbox
    threads: anyio.CapacityLimiter
    tool_list: ListToolsResult = field(init=False)

    def __post_init__(self) -> None:
        tools = [describe_tool(tool) for tool in self.toolbox.tools]
        object.__setattr__(self, "tool_list", ListToolsResult(tools=tools))

    async def list_tools(
        self, _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return self.tool_list

    async def keep_order(self, ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
        """Middleware: list schemas with their keys in order, as chat templates print them.

        For older versions of the protocol the SDK writes them anew, with the keys that it knows first.
        """
        result = await call_next(ctx)
        if ctx.method == "tools/list" and isinstance(result, dict):
            listed = zip(result["tools"], self.tool_list.tools, strict=True)
            result["tools"] = [{**sent, "inputSchema": tool.input_schema} for sent, tool in listed]
        return result

    async def call_tool(self, _context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        arguments = json.dumps(params.arguments or {}, ensure_ascii=False)
        try:
            result = await anyio.to_thread.run_sync(self.toolbox.run, params.name, arguments, limiter=self.threads)
        except Exception as fault:
            # Its words hold paths of this machine: they are for whoever runs the server.
            logger.exception("the tool %r failed", params.name)
            raise MCPError(
                INTERNAL_ERROR, "the tool failed, through no fault of the call; the server's log says why"
            ) from fault
        return CallToolResult(content=[TextContent(text=result.text)], is_error=not result.ok)
