"""Which headers pass through the proxy: from the client's request to the server behind, and from its response back."""

from lantern.http.headers import Headers
from lantern.http.request import Request

_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
_PSEUDONYM = "1.1 lantern"


def end_to_end(headers: Headers) -> Headers:
    """The headers without those that are about one connection only (RFC 9110, 7.6.1)."""
    dropped = _HOP_BY_HOP | set(headers.tokens("Connection"))
    return Headers((name, value) for name, value in headers if name.lower() not in dropped)


def request_headers(request: Request, host: str) -> Headers:
    """The headers of the request to the server behind. What the client claims of `X-Forwarded-*` is replaced."""
    headers = end_to_end(request.headers)
    headers.remove("Expect")
    headers.remove("Content-Length")
    headers.set("Host", host)
    headers.set("X-Forwarded-For", request.peer)
    headers.set("X-Forwarded-Host", request.host)
    headers.set("X-Forwarded-Proto", "https" if request.secure else "http")
    headers.add("Via", _PSEUDONYM)
    return headers


def response_headers(headers: Headers) -> Headers:
    """The headers of the response to the client; `Server` and `Date` stay those of the server behind."""
    returned = end_to_end(headers)
    returned.add("Via", _PSEUDONYM)
    return returned


def is_loop(request: Request) -> bool:
    """Whether the request went through this proxy before."""
    return _PSEUDONYM in request.headers.tokens("Via")
