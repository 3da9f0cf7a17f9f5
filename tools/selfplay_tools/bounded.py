"""A response of an HTTP server, no larger and no slower than is good for us."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import httpx2


def bound_response(max_bytes: int, time_s: float) -> Callable[[httpx2.Response], None]:
    """A response hook for a synchronous client: reading the body raises ReadError beyond either bound."""

    def bind(response: httpx2.Response) -> None:
        response.stream = _BoundedBody(response.stream, max_bytes, monotonic() + time_s)

    return bind


class _BoundedBody(httpx2.SyncByteStream):
    """A body that must not go on for ever: a server may send a byte now and then, so that no read times out."""

    def __init__(self, stream: Any, max_bytes: int, until: float) -> None:  # noqa: ANN401  httpx2 types it as sync or async
        self._stream: httpx2.SyncByteStream = stream
        self._left = max_bytes
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise httpx2.ReadError("the response is too large")
            if monotonic() > self._until:
                raise httpx2.ReadError("the response takes too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()
