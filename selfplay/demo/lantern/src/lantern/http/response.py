"""A response as handlers build it: status, header fields, body.

What every response needs besides (length, date, who keeps the connection open) is not the handler's business.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lantern.http.cookies import SetCookie
from lantern.http.headers import Headers


@dataclass(slots=True)
class Response:
    """One HTTP response. A body that is an iterable is streamed block by block."""

    status: int = 200
    headers: Headers = field(default_factory=Headers)
    body: bytes | Iterable[bytes] = b""
    length: int | None = None
    """Bytes of a streamed body, where that is known beforehand."""

    @property
    def known_length(self) -> int | None:
        """Bytes of the body, or None when only its end will tell."""
        return len(self.body) if isinstance(self.body, bytes) else self.length

    def set_cookie(self, cookie: SetCookie) -> None:
        """Add a `Set-Cookie` header to this response."""
        self.headers.add("Set-Cookie", str(cookie))

    def close(self) -> None:
        """Release what a streamed body holds (an open file, a connection). Safe to call twice."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


def text(content: str, status: int = 200, media_type: str = "text/plain") -> Response:
    """A response with text, as UTF-8."""
    return Response(status, Headers([("Content-Type", f"{media_type}; charset=utf-8")]), content.encode())


def html(content: str, status: int = 200) -> Response:
    """A response with an HTML page."""
    return text(content, status, "text/html")


def as_json(value: Any, status: int = 200) -> Response:
    """A response with JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, Headers([("Content-Type", "application/json")]), body)


def redirect(location: str, status: int = 303) -> Response:
    """A response that sends the browser elsewhere."""
    return Response(status, Headers([("Location", location)]))
