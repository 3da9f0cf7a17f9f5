"""A request as handlers see it."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from lantern.errors import BadMessage
from lantern.http.cookies import parse_cookies
from lantern.http.headers import Headers
from lantern.wire.body import Body


@dataclass(slots=True)
class Request:
    """One HTTP request. The body is read from the connection when a handler asks for it, and only then."""

    method: str
    target: str
    """As it stood in the request line."""
    version: tuple[int, int]
    headers: Headers
    body: Body
    peer: str = ""
    """The client's address."""
    secure: bool = False
    """Whether it came over TLS."""
    params: dict[str, Any] = field(default_factory=dict)
    """What the route's pattern matched."""
    state: dict[str, Any] = field(default_factory=dict)
    """For middleware to leave things for handlers, such as the session."""

    @property
    def path(self) -> str:
        """The decoded path: starts with `/`, or is `*`."""
        return unquote(self.raw_path, errors="replace")

    @property
    def raw_path(self) -> str:
        """The path as it was sent, still encoded."""
        return _split(self.target)[1]

    @property
    def raw_query(self) -> str:
        """What stands behind the `?`, still encoded."""
        return _split(self.target)[2]

    @property
    def query(self) -> dict[str, list[str]]:
        """The decoded query: every name with all its values."""
        return parse_qs(self.raw_query, keep_blank_values=True)

    @property
    def host(self) -> str:
        """The host that the client asked for, with its port if it named one."""
        return _split(self.target)[0] or self.headers.get("Host")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the client sent."""
        return parse_cookies("; ".join(self.headers.get_all("Cookie")))

    @property
    def wants_keep_alive(self) -> bool:
        """Whether the client would like to send another request on the same connection."""
        options = self.headers.tokens("Connection")
        if self.version >= (1, 1):
            return "close" not in options
        return "keep-alive" in options

    def text(self) -> str:
        """The whole body as UTF-8. Raises BadMessage when it is not."""
        try:
            return self.body.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadMessage(400, "the body is not UTF-8") from error

    def json(self) -> Any:
        """The whole body as JSON. Raises BadMessage when it is not."""
        try:
            return json.loads(self.text())
        except ValueError as error:
            raise BadMessage(400, "the body is not JSON") from error

    def form(self) -> dict[str, list[str]]:
        """The body of an HTML form."""
        return parse_qs(self.text(), keep_blank_values=True)


def _split(target: str) -> tuple[str, str, str]:
    """Authority, path and query of a request's target.

    Not `urlsplit`: it takes `//a/b` for a host and a path, where a request line means a path.
    """
    before, _, query = target.partition("?")
    if before.startswith("/") or before == "*":
        return "", before, query
    authority, _, path = before.partition("://")[2].partition("/")
    return authority, f"/{path}", query
