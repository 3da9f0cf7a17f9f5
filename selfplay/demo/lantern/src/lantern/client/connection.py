"""A client's connection to one server: requests out, responses in, one after the other."""

import socket
import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from lantern.client.response import ClientResponse, read_response
from lantern.errors import BadMessage, Disconnected, UpstreamError
from lantern.http.headers import Headers
from lantern.tls.fingerprint import matches_pin
from lantern.wire.reader import Reader


class ClientConnection:
    """A connection that is opened by its first request and used again while the server allows it."""

    def __init__(self, url: str, *, timeout_s: float = 10.0, tls: ssl.SSLContext | None = None, pin: str = "") -> None:
        """`pin` is the fingerprint that the server's certificate must have. Raises ValueError for what is no URL."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError(f"{url!r} is no http or https address")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self.authority = parts.netloc.rpartition("@")[2]
        self._timeout_s = timeout_s
        self._tls = tls or (ssl.create_default_context() if parts.scheme == "https" else None)
        self._pin = pin
        self._sock: socket.socket | None = None
        self._reader: Reader | None = None

    def request(
        self,
        method: str,
        target: str,
        headers: Headers | Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
    ) -> ClientResponse:
        """Send a request and read the head of its response. Raises UpstreamError whatever goes wrong.

        The response's body must be read before the next request.
        """
        try:
            reader = self._open()
            assert self._sock is not None
            self._send(self._sock, method, target, headers, body)
            reader.allow(self._timeout_s)
            response = read_response(reader, method)
        except (OSError, Disconnected, BadMessage) as error:
            self.close()
            raise UpstreamError(f"{self.authority}: {error}") from error
        if not response.may_be_followed:
            self._reader = None  # the socket stays open: the body still comes over it
        return response

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        if self._sock is not None:
            self._sock.close()
        self._sock = self._reader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Reader:
        if self._reader is not None:
            return self._reader
        self.close()
        self._sock = socket.create_connection((self._host, self._port), self._timeout_s)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self._sock = self._tls.wrap_socket(self._sock, server_hostname=self._host)
            if self._pin and not matches_pin(self._sock.getpeercert(binary_form=True), self._pin):
                raise OSError("the server's certificate does not have the expected fingerprint")
        self._reader = Reader(self._sock)
        return self._reader

    def _send(
        self,
        sock: socket.socket,
        method: str,
        target: str,
        headers: Headers | Mapping[str, str] | None,
        body: bytes | Iterable[bytes],
    ) -> None:
        sent = headers.copy() if isinstance(headers, Headers) else Headers((headers or {}).items())
        sent.set_default("Host", self.authority)
        is_streamed = not isinstance(body, bytes)
        if is_streamed:
            sent.set("Transfer-Encoding", "chunked")
        elif body or method in {"POST", "PUT", "PATCH"}:
            sent.set("Content-Length", str(len(body)))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent), "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        if isinstance(body, bytes):
            sock.sendall(head + body)
            return
        sock.sendall(head)
        for block in filter(None, body):
            sock.sendall(b"%x\r\n%b\r\n" % (len(block), block))
        sock.sendall(b"0\r\n\r\n")
