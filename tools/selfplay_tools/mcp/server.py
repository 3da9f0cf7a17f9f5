"""An MCP server of a toolbox: the names, schemas, descriptions and texts of training, and nothing beside them.

There are no instructions, prompts or resources: a client would put them before a model that never saw them. What a
call got wrong is a result marked as an error, with the text that the model knows from training; a fault of the tools
themselves is an error of the protocol, so that an agent can distinguish the two.

A client reaches the server over standard input and output, or over streamable HTTP. HTTP authenticates nobody. It
therefore listens on loopback, and on anything else only for hosts that were named; access control is left to what
stands before it (a proxy, an SSH tunnel).
"""

import ipaddress
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import uvicorn
from mcp import MCPError, stdio_server
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.transport_security import TransportSecuritySettings
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
from starlette.applications import Starlette

from selfplay_tools import release_version
from selfplay_tools.errors import NotUsable
from selfplay_tools.tools.schema import function_schema
from selfplay_tools.tools.tool import AnyTool
from selfplay_tools.tools.toolbox import Toolbox

PATH = "/mcp"
PORT = 8765
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_REQUEST_BYTES = 256 << 10
"""No honest call is longer than 50,000 characters."""
GRACE_S = 5
"""Seconds that calls under way have to end when the server is stopped."""


def run_stdio(server: Server[Any]) -> None:
    """Serve one client until it closes our standard input. For the main thread of a program that does nothing else.

    Meanwhile whatever else this process writes to standard output goes to standard error. SIGINT ends the process at
    once: the thread that waits for input can't be woken, and a server that only reads has nothing to clean up.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        anyio.run(_serve_stdio, server)
    finally:
        signal.signal(signal.SIGINT, before)


async def _serve_stdio(server: Server[Any]) -> None:
    async with stdio_server() as (incoming, outgoing):
        try:
            await server.run(incoming, outgoing, server.create_initialization_options())
        finally:
            sys.stdout.flush()  # what was printed meanwhile must be gone before standard output is the client's again


def listen(host: str, port: int, hosts: Sequence[str] = ()) -> socket.socket:
    """A listening socket; port 0 takes a free one. The caller closes it.

    Raises NotUsable for an address that other machines can reach unless `hosts` says under which names, and for one
    that can't be had.
    """
    if not hosts and not _is_loopback(host):
        raise NotUsable(
            f"{host} can be reached from other machines, and the server asks nobody who they are. If that is what you "
            "want, say under which name and port clients reach it: --allow-host tools.example.org:8765"
        )
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise NotUsable(f"can't listen on {host}, port {port}: {error}") from error
    # For the connections that come of it: asyncio sees to it only where a socket names its protocol, and without it
    # each answer, a head and a body, waits 40 ms for the client's acknowledgement of the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL of a server on this socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


def make_http_app(server: Server[Any], hosts: Sequence[str] = ()) -> Starlette:
    """The server as an ASGI application at `PATH`, without sessions: each request stands on its own.

    A request whose Host header names neither loopback nor one of `hosts` (`NAME:PORT`, or `NAME:*`) is refused, and so
    is one that a page from elsewhere makes: that is what protects a local server from the web pages its user visits.
    """
    known = [*(f"{name}:*" for name in LOOPBACK), *hosts]
    return server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MAX_REQUEST_BYTES,
        transport_security=TransportSecuritySettings(
            allowed_hosts=known,
            allowed_origins=[f"{scheme}://{name}" for scheme in ("http", "https") for name in known],
        ),
    )


def run_http(server: Server[Any], listener: socket.socket, hosts: Sequence[str] = ()) -> None:
    """Serve until SIGINT (raises KeyboardInterrupt) or SIGTERM, after the calls under way have ended."""
    config = uvicorn.Config(
        make_http_app(server, hosts),
        log_config=None,  # uvicorn's own would write to standard output
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
    )
    anyio.run(partial(uvicorn.Server(config).serve, sockets=[listener]))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


THREADS = (os.cpu_count() or 2) + 2
"""Calls carried out at once, by default."""

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
            # Its message holds paths of this machine: it is for the operator of the server.
            logger.exception("the tool %r failed", params.name)
            raise MCPError(
                INTERNAL_ERROR, "the tool failed, through no fault of the call; the server's log says why"
            ) from fault
        return CallToolResult(content=[TextContent(text=result.text)], is_error=not result.ok)
