"""What several tests need: a running server, raw bytes to it, and the responses taken apart."""

import socket
import tempfile
import unittest
from pathlib import Path

from lantern.app import App
from lantern.client.connection import ClientConnection
from lantern.client.response import ClientResponse, read_response
from lantern.config.settings import Settings
from lantern.core.server import Server
from lantern.http.headers import Headers
from lantern.http.request import Request
from lantern.http.response import Response
from lantern.wire.body import Body, empty_body
from lantern.wire.reader import Reader


def a_request(target: str = "/", method: str = "GET", body: bytes = b"", **headers: str) -> Request:
    """A request as a handler would get it; `User_Agent="x"` becomes the header `User-Agent: x`."""
    blocks = iter([body] if body else [])
    content = Body(lambda: next(blocks, b"")) if body else empty_body()
    pairs = [("Host", "test"), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return Request(method, target, (1, 1), Headers(pairs), content, peer="192.0.2.1")


def content(response: Response) -> bytes:
    """The whole body of a response, streamed or not."""
    return response.body if isinstance(response.body, bytes) else b"".join(response.body)


class ServerTest(unittest.TestCase):
    """A test with servers and a temporary directory, all cleaned up."""

    def setUp(self) -> None:
        """Make the directory."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def serve(self, app: App, **settings: object) -> Server:
        """A started server on a free port."""
        server = Server(app, Settings(port=0, **settings))  # type: ignore[arg-type]  # the test names its settings
        server.start()
        self.addCleanup(server.stop)
        return server

    def client(self, server: Server) -> ClientConnection:
        """A client of that server."""
        connection = ClientConnection(server.url, timeout_s=5)
        self.addCleanup(connection.close)
        return connection

    def raw(self, server: Server, sent: bytes) -> ClientResponse:
        """The first response to bytes that need not be HTTP, read to its end."""
        with socket.create_connection(server.address, 5) as sock:
            sock.sendall(sent)
            reader = Reader(sock)
            reader.allow(5)
            response = read_response(reader, "GET")
            response.read()
            return response
