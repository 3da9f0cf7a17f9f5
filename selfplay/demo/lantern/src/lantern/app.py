"""The application: routes, middleware around them, and an answer for whatever goes wrong inside."""

import logging
from collections.abc import Callable

from lantern.errors import BadMessage, Disconnected, HttpError
from lantern.http.request import Request
from lantern.http.response import Response
from lantern.middleware import Middleware, chain
from lantern.pages import error_page
from lantern.routing import Endpoint, Router

_log = logging.getLogger("lantern.app")


class App:
    """Call it with a request, get a response; it raises nothing but Disconnected.

    Error pages are made inside the middleware, so that middleware sees them like any other response.
    """

    def __init__(self) -> None:
        self.router = Router()
        self._middleware: list[Middleware] = []
        self._endpoint: Endpoint = self._answer

    def use(self, middleware: Middleware) -> None:
        """Put a middleware around the application. The first one added is the outermost."""
        self._middleware.append(middleware)
        self._endpoint = chain(self._middleware, self._answer)

    def route(self, pattern: str, *methods: str) -> Callable[[Endpoint], Endpoint]:
        """Decorator: add the function as endpoint; GET unless methods are named."""

        def add(endpoint: Endpoint) -> Endpoint:
            self.router.add(pattern, endpoint, methods or ("GET",))
            return endpoint

        return add

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        try:
            return self._endpoint(request)
        except Disconnected:
            raise
        except Exception:
            _log.exception("middleware failed on %s %s", request.method, request.path)
            return error_page(request, HttpError(500))

    def _answer(self, request: Request) -> Response:
        try:
            return self.router(request)
        except BadMessage as error:  # found while a handler read the body
            request.state["broken"] = True
            return error_page(request, error)
        except HttpError as error:
            return error_page(request, error)
        except TimeoutError:
            request.state["broken"] = True
            return error_page(request, HttpError(408, "the body did not arrive in time"))
        except Disconnected:
            raise
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return error_page(request, HttpError(500, "the server failed; the operator can read why in its log"))
