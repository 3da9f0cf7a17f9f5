"""How a client reaches the server: over standard input and output, or over streamable HTTP.

HTTP asks nobody who they are. It therefore listens on loopback, and on anything else only for hosts that were named;
whom to let in is a matter for what stands before it (a proxy, an SSH tunnel).
"""

import ipaddress
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
import uvicorn
from mcp import stdio_server
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

from selfplay_tools.errors import NotUsable

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
    once: the thread that waits for input can't be woken, and a server that only reads has nothing to put in order.
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
