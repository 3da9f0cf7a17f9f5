"""Turning a peer away before there is anything to route: garbage on the wire, too slow, too large, no room.

There is no parsed message then, so no application, no middleware and no `emit`; a few fixed lines are written straight
to the socket and the connection ends.
"""

import contextlib
import socket

from lantern.http.dates import http_date
from lantern.http.status import reason
from lantern.runtime.identity import Identity

_LINGER_BYTES = 256 * 1024


def refuse(sock: socket.socket, status: int, identity: Identity, *, linger_s: float = 1.0) -> None:
    """Say `status` and end the conversation. Never raises: a peer that is gone need not be told.

    Closing a socket while unread bytes wait in it resets the connection, and the peer may lose what was said. So the
    rest of what it sends is read for up to `linger_s` seconds; with 0, only what is there already.
    """
    with contextlib.suppress(OSError):
        sock.settimeout(max(linger_s, 0.1))
        sock.sendall(_words(status, identity))
        linger(sock, linger_s)


def linger(sock: socket.socket, seconds: float) -> None:
    """Close our side and read on until the peer closes its own, within bounds. Raises OSError."""
    socket.socket.shutdown(sock, socket.SHUT_WR)
    sock.settimeout(seconds)
    left = _LINGER_BYTES
    while left > 0 and (block := sock.recv(16 * 1024)):
        left -= len(block)


def _words(status: int, identity: Identity) -> bytes:
    phrase = reason(status)
    body = f"{status} {phrase}\n"
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        f"Date: {http_date()}",
        f"Server: {identity.product}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if status == 503:
        lines.append("Retry-After: 1")
    return "\r\n".join([*lines, "", body]).encode("latin-1")
