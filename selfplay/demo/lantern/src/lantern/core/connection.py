"""One client connection: requests in, responses out, until one side has had enough."""

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lantern.app import App
from lantern.config.settings import Settings
from lantern.core.refusal import linger, refuse
from lantern.errors import BadMessage, Disconnected
from lantern.http.parser import body_length, check_request, parse_headers, parse_request_line
from lantern.http.request import Request
from lantern.runtime.counters import Counters
from lantern.runtime.identity import Identity
from lantern.wire.body import Body, chunked_source, empty_body, fixed_source
from lantern.wire.emit import emit, emit_continue
from lantern.wire.reader import Reader

_log = logging.getLogger("lantern.connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all connections of one server share."""

    app: App
    settings: Settings
    identity: Identity
    counters: Counters
    stopping: threading.Event
    is_crowded: Callable[[], bool]
    tls: ssl.SSLContext | None = None


class Connection:
    """Serves one socket and closes it."""

    def __init__(self, sock: socket.socket, peer: str, shared: Surroundings) -> None:
        self._sock = sock
        self._peer = peer
        self._shared = shared
        self._reader = Reader(sock)
        self._lock = threading.Lock()
        self._is_waiting = True
        self._is_closed = False

    def serve(self) -> None:
        """Exchange messages until the connection ends. Never raises."""
        try:
            self._begin_tls()
            while self._exchange():
                pass
        except (Disconnected, OSError) as error:
            _log.debug("%s: connection lost: %s", self._peer, error)
        except Exception:
            _log.exception("%s: connection dropped", self._peer)
        finally:
            self.close()

    def close(self) -> None:
        """Close the socket. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            self._sock.close()

    def hang_up_if_waiting(self) -> None:
        """End a connection that is idle between two requests; one that is being served goes on."""
        with self._lock:
            if self._is_waiting and not self._is_closed:
                self._shutdown(socket.SHUT_RD)

    def abort(self) -> None:
        """End the connection whatever it does."""
        with self._lock:
            if not self._is_closed:
                self._shutdown(socket.SHUT_RDWR)

    def _shutdown(self, how: int) -> None:
        with contextlib.suppress(OSError):
            # Not SSLSocket.shutdown: that would pull the TLS state from under the thread that uses it.
            socket.socket.shutdown(self._sock, how)

    def _begin_tls(self) -> None:
        """Shake hands here and not where connections are accepted: a slow peer must only hold up itself."""
        if self._shared.tls is None:
            return
        self._sock.settimeout(self._shared.settings.timeouts.head_s)
        with self._lock:
            self._sock = self._shared.tls.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        assert isinstance(self._sock, ssl.SSLSocket)
        self._sock.do_handshake()
        self._reader = Reader(self._sock)

    def _exchange(self) -> bool:
        """One request and its response; whether another may follow."""
        if not self._wait_for_request():
            return False
        timeouts = self._shared.settings.timeouts
        try:
            self._reader.allow(timeouts.head_s)
            request = self._read_request()
        except BadMessage as error:
            return self._turn_away(error.status, error.detail)
        except TimeoutError:
            return self._turn_away(408, "the request did not arrive in time")
        return self._respond(request)

    def _wait_for_request(self) -> bool:
        """Wait, idle, for the next request's first byte. False when there is none to come."""
        with self._lock:
            self._is_waiting = True
        if self._shared.stopping.is_set():
            self.hang_up_if_waiting()  # what the peer sent before is still read
        self._reader.allow(self._shared.settings.timeouts.idle_s)
        try:
            is_there = self._reader.has_more()
        except TimeoutError:
            return False
        with self._lock:
            self._is_waiting = False
        return is_there

    def _read_request(self) -> Request:
        limits = self._shared.settings.limits
        line = self._reader.line(limits.line_bytes, too_long=414)
        if not line:  # RFC 9112, 2.2: an empty line before the request line is forgiven
            line = self._reader.line(limits.line_bytes, too_long=414)
        method, target, version = parse_request_line(line)
        section = self._reader.section(
            max_line=limits.line_bytes, max_bytes=limits.header_bytes, max_lines=limits.header_fields
        )
        headers = parse_headers(section)
        check_request(version, headers)
        length = body_length(headers)
        if length is not None and length > limits.body_bytes:
            raise BadMessage(413, "the body is too large")
        waits = version >= (1, 1) and "100-continue" in headers.tokens("Expect")
        body = self._body(length, waits=waits)
        is_secure = self._shared.tls is not None
        return Request(method, target, version, headers, body, peer=self._peer, secure=is_secure)

    def _body(self, length: int | None, *, waits: bool) -> Body:
        if length == 0:
            return empty_body()
        source = chunked_source(self._reader) if length is None else fixed_source(self._reader, length)

        def start() -> None:
            self._reader.allow(self._shared.settings.timeouts.body_s)
            if waits:
                emit_continue(self._sock, self._shared.identity)

        return Body(source, max_bytes=self._shared.settings.limits.body_bytes, on_start=start)

    def _respond(self, request: Request) -> bool:
        shared = self._shared
        reply = shared.app(request)
        shared.counters.count(f"responses.{reply.status}")
        self._sock.settimeout(shared.settings.timeouts.write_s)
        try:
            may_stay = emit(self._sock, reply, to=request, keep=self._may_keep(request), identity=shared.identity)
        finally:
            reply.close()
        try:
            is_clean = self._skip_unread(request)
        except (BadMessage, TimeoutError):
            is_clean = False
        if not is_clean:
            linger(self._sock, 1.0)
        return may_stay and is_clean

    def _may_keep(self, request: Request) -> bool:
        """Whether to offer the client this connection for its next request."""
        if not request.wants_keep_alive or self._shared.stopping.is_set() or self._shared.is_crowded():
            return False
        # A body that broke off, or that the client still holds back, leaves no place where a next request could start.
        is_held_back = "Expect" in request.headers and not request.body.is_started
        return not is_held_back and not request.state.get("broken")

    def _skip_unread(self, request: Request) -> bool:
        """Read past what the handler left of the body. False when that is not possible."""
        if request.state.get("broken"):
            return False
        if request.body.is_finished:
            return True
        if "Expect" in request.headers and not request.body.is_started:
            return False
        return request.body.drain(self._shared.settings.limits.unread_bytes)

    def _turn_away(self, status: int, why: str) -> bool:
        _log.info("%s: turned away with %d: %s", self._peer, status, why)
        self._shared.counters.count(f"refused.{status}")
        refuse(self._sock, status, self._shared.identity)
        return False
