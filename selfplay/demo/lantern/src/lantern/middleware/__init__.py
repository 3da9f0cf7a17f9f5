"""Middleware: a function that gets the request and the rest of the application, and gives the response.

Use it for what concerns many routes. It sees requests that could be parsed and the responses of the application,
error pages included. It does not see connections.
"""

from collections.abc import Callable, Sequence
from functools import partial

from lantern.http.request import Request
from lantern.http.response import Response
from lantern.routing import Endpoint

Middleware = Callable[[Request, Endpoint], Response]


def chain(middleware: Sequence[Middleware], endpoint: Endpoint) -> Endpoint:
    """The endpoint with all middleware around it, the first one outermost."""
    for layer in reversed(middleware):
        endpoint = partial(_call, layer, endpoint)
    return endpoint


def _call(layer: Middleware, inner: Endpoint, request: Request) -> Response:
    return layer(request, inner)
