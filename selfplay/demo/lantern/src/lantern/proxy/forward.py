"""The endpoint that hands a request to another server."""

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from lantern.client.connection import ClientConnection
from lantern.client.response import ClientResponse
from lantern.config.settings import ProxyMount
from lantern.errors import ConfigError, HttpError, UpstreamError
from lantern.http.request import Request
from lantern.http.response import Response
from lantern.proxy.headers import is_loop, request_headers, response_headers


class Upstream:
    """The body of an upstream's response as it streams in; closing it ends the connection."""

    def __init__(self, connection: ClientConnection, response: ClientResponse) -> None:
        self._connection = connection
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response.body)

    def close(self) -> None:
        """Close the connection to the upstream."""
        self._connection.close()


class Forward:
    """Endpoint for everything below a prefix: asks the upstream and streams its response."""

    def __init__(self, mount: ProxyMount) -> None:
        self._mount = mount
        self._base_path = urlsplit(mount.upstream).path.rstrip("/")
        try:
            self._authority = ClientConnection(mount.upstream).authority
        except ValueError as error:
            raise ConfigError(f"proxy {mount.prefix}: {error}") from error

    def __call__(self, request: Request) -> Response:
        """The upstream's response. Raises HttpError 502 when there is none, 508 for a proxy that asks itself."""
        if is_loop(request):
            raise HttpError(508, "the request has been here before")
        host = request.host if self._mount.preserve_host else self._authority
        body = request.body.read()  # whole, so that a slow client holds up no connection of the upstream
        connection = ClientConnection(self._mount.upstream, timeout_s=self._mount.timeout_s)
        try:
            answer = connection.request(request.method, self._target(request), request_headers(request, host), body)
        except UpstreamError as error:
            raise HttpError(502, "the server behind did not answer") from error
        headers = response_headers(answer.headers)
        length = headers.get("Content-Length")
        return Response(answer.status, headers, Upstream(connection, answer), int(length) if length else None)

    def _target(self, request: Request) -> str:
        prefix = self._mount.prefix.rstrip("/") + "/"
        if request.raw_path.startswith(prefix):
            rest = request.raw_path.removeprefix(prefix)
        else:  # the prefix itself came encoded
            rest = quote(request.params["rest"])
        return f"{self._base_path}/{rest}" + (f"?{request.raw_query}" if request.raw_query else "")
