"""Routes: which handler answers which method and path.

A pattern is a path with named parts: `/users/{id:int}/files/{rest:path}`. Kinds are `str` (one segment, the default),
`int`, and `path` (the rest, slashes included). The first route added that fits wins.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lantern.errors import HttpError
from lantern.http.headers import Headers
from lantern.http.request import Request
from lantern.http.response import Response

Endpoint = Callable[[Request], Response]

_PART = re.compile(r"\{(?P<name>[a-z_][a-z0-9_]*)(?::(?P<kind>[a-z]+))?\}")
_KINDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "str": (r"[^/]+", str),
    "int": (r"[0-9]{1,18}", int),
    "path": (r".*", str),
}


@dataclass(frozen=True, slots=True)
class Route:
    """One pattern with the endpoint and the methods it takes."""

    pattern: re.Pattern[str]
    convert: dict[str, Callable[[str], Any]]
    methods: frozenset[str]
    """Empty for all of them."""
    endpoint: Endpoint

    def params(self, path: str) -> dict[str, Any] | None:
        """What the pattern's parts matched, or None when the path does not fit."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {name: self.convert[name](value) for name, value in found.groupdict().items()}

    def takes(self, method: str) -> bool:
        """Whether this route answers the method. Who answers GET answers HEAD."""
        return not self.methods or method in self.methods or (method == "HEAD" and "GET" in self.methods)


class Router:
    """An endpoint made of routes."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(self, pattern: str, endpoint: Endpoint, methods: Iterable[str] = ("GET",)) -> None:
        """Add a route; no methods means every method. Raises ValueError for a pattern that can't be read."""
        compiled, convert = _compile(pattern)
        self._routes.append(Route(compiled, convert, frozenset(methods), endpoint))

    def mount(self, prefix: str, endpoint: Endpoint) -> None:
        """Give everything under a prefix to one endpoint; `request.params["rest"]` is the path below it."""
        self.add(f"{prefix.rstrip('/')}/{{rest:path}}", endpoint, methods=())

    def __call__(self, request: Request) -> Response:
        """Answer a request. Raises HttpError 404, or 405 with the methods there are."""
        if request.target == "*":  # OPTIONS about the server as a whole
            return Response(204)
        allowed: set[str] = set()
        for route in self._routes:
            params = route.params(request.path)
            if params is None:
                continue
            if route.takes(request.method):
                request.params = params
                return route.endpoint(request)
            allowed |= route.methods
        if not allowed:
            raise HttpError(404, f"nothing is at {request.path}")
        if "GET" in allowed:
            allowed.add("HEAD")
        methods = ", ".join(sorted(allowed | {"OPTIONS"}))
        if request.method == "OPTIONS":
            return Response(204, Headers([("Allow", methods)]))
        raise HttpError(405, f"{request.method} is not for {request.path}", {"Allow": methods})


def _compile(pattern: str) -> tuple[re.Pattern[str], dict[str, Callable[[str], Any]]]:
    if not pattern.startswith("/"):
        raise ValueError(f"pattern {pattern!r} does not start with /")
    convert: dict[str, Callable[[str], Any]] = {}
    expression = ""
    end = 0
    for part in _PART.finditer(pattern):
        name, kind = part["name"], part["kind"] or "str"
        if kind not in _KINDS or name in convert:
            raise ValueError(f"pattern {pattern!r}: {part[0]} is of no known kind, or its name comes twice")
        matches, convert[name] = _KINDS[kind]
        expression += f"{re.escape(pattern[end : part.start()])}(?P<{name}>{matches})"
        end = part.end()
    return re.compile(expression + re.escape(pattern[end:])), convert
