"""The content of a message as it arrives: of known length, chunked, or up to the end of the connection."""

import re
from collections.abc import Callable, Iterator

from lantern.errors import BadMessage
from lantern.wire.reader import Reader

_BLOCK = 64 * 1024
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_MAX_LINE = 4096

Source = Callable[[], bytes]
"""Gives the next bytes of a body; `b""` at its end, and again after that."""


def _nothing() -> None:
    """The body starts without anybody having to be told."""


class Body:
    """Content that can be read once, in any number of pieces."""

    def __init__(
        self, source: Source, *, max_bytes: int | None = None, on_start: Callable[[], None] = _nothing
    ) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._on_start = on_start
        self._pending = b""
        self.read_bytes = 0
        """Bytes taken from the connection so far."""
        self.is_started = False
        self.is_finished = False

    def read(self, max_bytes: int | None = None) -> bytes:
        """The rest of the content, or the next `max_bytes` of it at most; `b""` at its end.

        Raises BadMessage (413) when the content grows beyond what is allowed.
        """
        if max_bytes is None:
            return b"".join(self)
        block = self._pending or self._next()
        self._pending = block[max_bytes:]
        return block[:max_bytes]

    def drain(self, max_bytes: int) -> bool:
        """Read and forget the rest. False when there is more than `max_bytes` of it."""
        left = max_bytes
        self._pending = b""
        while block := self._next():
            left -= len(block)
            if left < 0:
                return False
        return True

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(_BLOCK):
            yield block

    def _next(self) -> bytes:
        if self.is_finished:
            return b""
        if not self.is_started:
            self.is_started = True
            self._on_start()
        block = self._source()
        self.read_bytes += len(block)
        self.is_finished = not block
        if self._max_bytes is not None and self.read_bytes > self._max_bytes:
            raise BadMessage(413, f"at most {self._max_bytes} bytes are taken")
        return block


def empty_body() -> Body:
    """A body without content."""
    body = Body(lambda: b"")
    body.is_started = body.is_finished = True
    return body


def fixed_source(reader: Reader, length: int) -> Source:
    """Exactly `length` bytes of the connection."""
    left = length

    def take() -> bytes:
        nonlocal left
        if left == 0:
            return b""
        block = reader.some(min(left, _BLOCK))
        left -= len(block)
        return block

    return take


def chunked_source(reader: Reader) -> Source:
    """Chunks with their sizes taken off (RFC 9112, 7.1). Trailers are read and dropped."""
    left = 0
    is_done = False

    def take() -> bytes:
        nonlocal left, is_done
        if is_done:
            return b""
        if left == 0:
            left = _chunk_size(reader.line(_MAX_LINE, too_long=400))
            if left == 0:
                reader.section(max_line=_MAX_LINE, max_bytes=4 * _MAX_LINE, max_lines=32)
                is_done = True
                return b""
        block = reader.some(min(left, _BLOCK))
        left -= len(block)
        if left == 0 and reader.line(_MAX_LINE, too_long=400):
            raise BadMessage(400, "a chunk is longer than it said")
        return block

    return take


def closing_source(reader: Reader) -> Source:
    """Everything until the peer closes: how an HTTP/1.0 server ends its content."""
    return lambda: reader.some(_BLOCK) if reader.has_more() else b""


def _chunk_size(line: bytes) -> int:
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
        raise BadMessage(400, "a chunk has no size")
    return int(found[1], 16)
