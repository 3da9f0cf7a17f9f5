"""Buffered reading from a socket, line by line or by count, under a deadline."""

import socket
import time

from lantern.errors import BadMessage, Disconnected

_BLOCK = 64 * 1024


class Reader:
    """Reads one connection. Raises TimeoutError when the time that was allowed is used up."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._deadline: float | None = None

    def allow(self, seconds: float) -> None:
        """Give everything read from now on that much time in total, so that one byte a second gets nobody far."""
        self._deadline = time.monotonic() + seconds

    def has_more(self) -> bool:
        """Wait for a byte. False when the peer has closed its side."""
        return bool(self._buffer) or self._fill()

    def line(self, max_bytes: int, too_long: int = 431) -> bytes:
        """The next line without its end. Raises BadMessage: `too_long` beyond `max_bytes`, 400 without a CR."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > max_bytes:
                raise BadMessage(too_long, "a line is too long")
            self._fill_or_fail()
        if end > max_bytes + 1:
            raise BadMessage(too_long, "a line is too long")
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise BadMessage(400, "a line must end with CR LF")
        return line[:-2]

    def section(self, *, max_line: int, max_bytes: int, max_lines: int) -> list[bytes]:
        """Lines up to an empty one, which is read too. Raises BadMessage(431) when it grows too large."""
        lines: list[bytes] = []
        total = 0
        while line := self.line(max_line):
            total += len(line)
            lines.append(line)
            if total > max_bytes or len(lines) > max_lines:
                raise BadMessage(431, "too many header fields")
        return lines

    def some(self, max_bytes: int) -> bytes:
        """At least one byte and at most `max_bytes`. Raises Disconnected at the end of the stream."""
        if not self._buffer:
            self._fill_or_fail()
        block = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        return block

    def _fill_or_fail(self) -> None:
        if not self._fill():
            raise Disconnected("the peer closed the connection in the middle of a message")

    def _fill(self) -> bool:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the peer took too long")
            self._sock.settimeout(left)
        block = self._sock.recv(_BLOCK)
        self._buffer += block
        return bool(block)
