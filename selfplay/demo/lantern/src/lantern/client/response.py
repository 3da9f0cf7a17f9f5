"""A response as a client receives it from a server: the status line, each header, the body."""

from dataclasses import dataclass

from lantern.http.headers import Headers
from lantern.http.parser import body_length, parse_headers, parse_status_line
from lantern.http.status import forbids_body, is_interim
from lantern.wire.body import Body, chunked_source, closing_source, empty_body, fixed_source
from lantern.wire.reader import Reader

_LIMITS = {"max_line": 16 * 1024, "max_bytes": 128 * 1024, "max_lines": 200}


@dataclass(frozen=True, slots=True)
class ClientResponse:
    """One HTTP response from a server. The body is read from the connection on demand."""

    version: tuple[int, int]
    status: int
    reason: str
    headers: Headers
    body: Body
    interim: tuple[int, ...] = ()
    """Status codes of interim responses that came before this one."""

    @property
    def server(self) -> str:
        """What the server calls itself in its `Server` header; empty if it does not say."""
        return self.headers.get("Server")

    @property
    def may_be_followed(self) -> bool:
        """Whether the server keeps the connection open for another request."""
        options = self.headers.tokens("Connection")
        return "close" not in options if self.version >= (1, 1) else "keep-alive" in options

    def read(self) -> bytes:
        """The whole body."""
        return self.body.read()

    def text(self) -> str:
        """The whole body as UTF-8, with U+FFFD for what is not."""
        return self.read().decode("utf-8", errors="replace")


def read_response(reader: Reader, method: str) -> ClientResponse:
    """Read the response to a request of that method from a server. Raises BadMessage, Disconnected, TimeoutError."""
    interim: list[int] = []
    while True:
        version, status, reason = parse_status_line(reader.line(_LIMITS["max_line"], too_long=502))
        headers = parse_headers(reader.section(**_LIMITS))
        if not is_interim(status):
            break
        interim.append(status)
    body = _body(reader, method, status, headers)
    return ClientResponse(version, status, reason, headers, body, tuple(interim))


def _body(reader: Reader, method: str, status: int, headers: Headers) -> Body:
    if method == "HEAD" or forbids_body(status):
        return empty_body()
    if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
        return Body(closing_source(reader))
    length = body_length(headers)
    return Body(chunked_source(reader) if length is None else fixed_source(reader, length))
