"""The access log: one line for each request that reached the application."""

import logging
import sys
import time
from pathlib import Path

from lantern.http.request import Request
from lantern.http.response import Response
from lantern.middleware import Middleware
from lantern.routing import Endpoint

_log = logging.getLogger("lantern.access")


def open_access_log(where: str) -> None:
    """Send access lines to a file, or to standard error for `-`. Raises OSError when the file can't be opened."""
    sink = logging.StreamHandler(sys.stderr) if where == "-" else logging.FileHandler(Path(where), encoding="utf-8")
    sink.setFormatter(logging.Formatter("%(message)s"))
    _log.addHandler(sink)
    _log.setLevel(logging.INFO)
    _log.propagate = False


def access_log() -> Middleware:
    """Middleware that writes a line per request: the common log format, and the time to the response in ms."""

    def write_line(request: Request, inner: Endpoint) -> Response:
        begun = time.perf_counter()
        response = inner(request)
        _log.info("%s", _line(request, response, (time.perf_counter() - begun) * 1000))
        return response

    return write_line


def _line(request: Request, response: Response, took_ms: float) -> str:
    when = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    version = f"HTTP/{request.version[0]}.{request.version[1]}"
    # The target comes from outside: quotes and control characters must not forge a second line.
    target = request.target.encode("unicode_escape").decode("ascii").replace('"', "%22")
    length = response.known_length
    size = "-" if length is None else str(length)
    return f'{request.peer} - - [{when}] "{request.method} {target} {version}" {response.status} {size} {took_ms:.1f}'
