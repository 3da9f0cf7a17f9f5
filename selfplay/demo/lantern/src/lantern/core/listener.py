"""Accepts connections on one address until told to stop."""

import logging
import selectors
import socket
import threading
from collections.abc import Callable

Accepted = Callable[[socket.socket, str], None]
"""Takes over a new connection and the peer's address. Must not block."""

_BACKLOG = 128
_log = logging.getLogger("lantern.listener")


class Listener:
    """A listening socket and the thread that accepts on it."""

    def __init__(self, host: str, port: int, on_accepted: Accepted) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._sock.setblocking(False)
        self._on_accepted = on_accepted
        # Writing to one end wakes the selector that watches the other: closing a socket does not, on every system.
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="lantern-listener", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on; the real port where 0 was asked for."""
        host, port = self._sock.getsockname()[:2]
        return host, port

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more. Returns when the thread has ended; the port is free then. Safe to call twice."""
        if self._sock.fileno() < 0:
            return
        self._wake_write.send(b"x")
        self._thread.join()
        for sock in (self._sock, self._wake_read, self._wake_write):
            sock.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wake_read in ready:
                    return
                self._accept()

    def _accept(self) -> None:
        try:
            sock, peer = self._sock.accept()
        except OSError as error:  # gone before we came, or out of file descriptors
            _log.warning("accept failed: %s", error)
            return
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_accepted(sock, peer[0])
