"""The server: puts listener, workers and connections together, starts them and stops them in order."""

import logging
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lantern.app import App
from lantern.config.settings import Settings
from lantern.core.connection import Connection, Surroundings
from lantern.core.listener import Listener
from lantern.core.refusal import refuse
from lantern.core.workers import Workers
from lantern.runtime.counters import Counters
from lantern.runtime.identity import Identity, identify
from lantern.tls.context import server_context

_log = logging.getLogger("lantern.server")


class Server:
    """An HTTP server on one address. Use it as a context manager, or call `start` and `stop`."""

    def __init__(
        self,
        app: App,
        settings: Settings | None = None,
        *,
        identity: Identity | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self.identity = identity or identify(self._settings.instance)
        self.counters = counters or Counters()
        self._stopping = threading.Event()
        self._workers = Workers(self._settings.workers, self._settings.waiting)
        self._shared = Surroundings(
            app=app,
            settings=self._settings,
            identity=self.identity,
            counters=self.counters,
            stopping=self._stopping,
            is_crowded=lambda: self._workers.is_crowded,
            tls=server_context(self._settings.tls) if self._settings.tls else None,
        )
        self._listener = Listener(self._settings.host, self._settings.port, self._take)
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on."""
        return self._listener.address

    @property
    def url(self) -> str:
        """The server's root address."""
        host, port = self.address
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._settings.tls else 'http'}://{shown}:{port}"

    def start(self) -> None:
        """Begin to serve; returns at once. The port is open already when the server has been built."""
        self._workers.start()
        self._listener.start()
        _log.info("%s listens on %s", self.identity.introduction(), self.url)

    def stop(self) -> bool:
        """Stop in order; returns whether every request that was being served got its response. Safe to call twice.

        First nothing new is accepted, then idle connections are closed, then the rest has `grace_s` seconds.
        """
        self._stopping.set()
        self._listener.stop()
        self._for_each_connection(Connection.hang_up_if_waiting)
        is_clean = self._workers.finish(self._settings.timeouts.grace_s)
        if not is_clean:
            self._for_each_connection(Connection.abort)
            self._workers.finish(1.0)
        _log.info("stopped %s", "in order" if is_clean else "with requests cut off")
        return is_clean

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take(self, sock: socket.socket, peer: str) -> None:
        connection = Connection(sock, peer, self._shared)
        with self._lock:
            self._connections.add(connection)
        self.counters.count("connections.accepted")
        if not self._workers.submit(lambda: self._serve(connection)):
            self._turn_away(sock, connection)

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            self._forget(connection)

    def _turn_away(self, sock: socket.socket, connection: Connection) -> None:
        self.counters.count("refused.503")
        if self._shared.tls is None:  # without a handshake a TLS client would not understand a word
            refuse(sock, 503, self.identity, linger_s=0)
        connection.close()
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.discard(connection)

    def _for_each_connection(self, act: Callable[[Connection], None]) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            act(connection)
