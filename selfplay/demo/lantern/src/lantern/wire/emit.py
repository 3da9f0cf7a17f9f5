"""The way out: turns what the application gave into bytes and hands them to the socket.

Whatever was answered in the application, by a route, a file, an upstream or an error page, leaves through `emit`. So
this is the place for the lines that nobody upstream of it should have to think of: the date, our name, how the content
is framed and whether the connection stays open.
"""

from collections.abc import Iterable
from typing import Protocol

from lantern.http import status as codes
from lantern.http.dates import http_date
from lantern.http.headers import Headers
from lantern.http.request import Request
from lantern.http.response import Response
from lantern.runtime.identity import Identity

_SMALL = 32 * 1024
"""Content up to this size travels in the same segment as the head."""


class Sink(Protocol):
    """What bytes are written to; a socket is one."""

    def sendall(self, data: bytes, /) -> None:
        """Write everything, or raise OSError."""
        ...


def emit(sink: Sink, reply: Response, *, to: Request, keep: bool, identity: Identity) -> bool:
    """Write the whole reply. Returns whether the connection can carry another exchange.

    Raises OSError when the peer is gone, and whatever a streamed body raises; in both cases the connection is lost,
    since the head is out already.
    """
    is_silent = to.method == "HEAD" or codes.forbids_body(reply.status)
    fields = reply.headers.copy()
    is_chunked = _frame(fields, reply, to, is_silent=is_silent)
    keep = keep and (is_silent or is_chunked or reply.known_length is not None)
    _sign(fields, identity)
    fields.set("Connection", "keep-alive" if keep else "close")
    head = _head(reply.status, fields)
    if is_silent:
        sink.sendall(head)
    elif isinstance(reply.body, bytes):
        _send_whole(sink, head, reply.body)
    else:
        sink.sendall(head)
        _send_blocks(sink, reply.body, is_chunked=is_chunked)
    return keep


def emit_continue(sink: Sink, identity: Identity) -> None:
    """Tell a peer that waits with its content (`Expect: 100-continue`) to send it."""
    fields = Headers()
    _sign(fields, identity)
    sink.sendall(_head(100, fields))


def _sign(fields: Headers, identity: Identity) -> None:
    """Add when this was said, and by whom. An upstream that already gave its own name or date keeps them."""
    fields.set_default("Date", http_date())
    fields.set_default("Server", identity.product)


def _frame(fields: Headers, reply: Response, to: Request, *, is_silent: bool) -> bool:
    """Say how long the content is; returns whether it has to be cut into chunks."""
    fields.remove("Transfer-Encoding")
    length = reply.known_length
    if codes.forbids_body(reply.status):
        fields.remove("Content-Length")
        return False
    if length is not None:
        # A HEAD reply may carry the length that GET would have had; the empty body must not overwrite it.
        if not (is_silent and "Content-Length" in fields):
            fields.set("Content-Length", str(length))
        return False
    fields.remove("Content-Length")
    if is_silent or to.version < (1, 1):
        return False  # ends with the connection
    fields.set("Transfer-Encoding", "chunked")
    return True


def _head(status: int, fields: Headers) -> bytes:
    lines = [f"HTTP/1.1 {status} {codes.reason(status)}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _send_whole(sink: Sink, head: bytes, body: bytes) -> None:
    if len(body) <= _SMALL:
        sink.sendall(head + body)
    else:
        sink.sendall(head)
        sink.sendall(body)


def _send_blocks(sink: Sink, blocks: Iterable[bytes], *, is_chunked: bool) -> None:
    for block in blocks:
        if not block:
            continue  # an empty chunk would end the content
        sink.sendall(b"%x\r\n%b\r\n" % (len(block), block) if is_chunked else block)
    if is_chunked:
        sink.sendall(b"0\r\n\r\n")
