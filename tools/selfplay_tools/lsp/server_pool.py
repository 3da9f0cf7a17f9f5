"""Which servers are alive: at most a few in this process, one per snapshot's content and server, ended when unused.

Snapshots of equal content share one server, and requests to it come one after the other. When there is no room for
another one, the one that was asked least recently is ended, and started anew when it is needed again.
"""

import asyncio
import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from selfplay_tools.lsp.connection import ServerConnection, ServerDied, ServerFailed, connect, kill_group
from selfplay_tools.lsp.servers import LanguageServer
from selfplay_tools.lsp.workspace import Workspace, write_workspace
from selfplay_tools.protocols import Snapshot

MAX_ALIVE = 4
"""Servers of this process that run at once."""
T = TypeVar("T")
LspRequest = Callable[[ServerConnection], Coroutine[Any, Any, T]]


@dataclass(eq=False, slots=True)
class _ServerSession:
    """A server on a snapshot's content, whether its process runs or not."""

    server: LanguageServer
    users: set[int] = field(default_factory=set[int])
    """Snapshots that asked for it and are not closed, by `id`."""
    workspace: Workspace | None = None
    connection: ServerConnection | None = None
    is_busy: bool = False


class ServerPool:
    """Servers by snapshot. Safe to use from several threads."""

    def __init__(self, max_alive: int = MAX_ALIVE) -> None:
        self._max_alive = max_alive
        self._sessions: OrderedDict[tuple[str, LanguageServer], _ServerSession] = OrderedDict()
        self._changed = threading.Condition()
        self._loop = _LoopThread()
        atexit.register(self._end_all)

    def ask(self, snapshot: Snapshot, server: LanguageServer, request: LspRequest[T]) -> T:
        """The answer to a request; a server that died is started anew, once.

        Waits for its turn, and for the start where the server does not run yet. Raises ServerFailed, NotUsable, and
        NotReadable for a snapshot that is too large.
        """
        session = self._reserve(snapshot, server)
        try:
            if session.workspace is None:
                session.workspace = write_workspace(snapshot, server)
            try:
                return self._loop.run(self._ask_session(session, request))
            except ServerDied:
                if not session.users:
                    raise
                return self._loop.run(self._ask_session(session, request))
        finally:
            self._release(session)

    async def _ask_session(self, session: _ServerSession, request: LspRequest[T]) -> T:
        assert session.workspace  # noqa: S101  `ask` has written it
        if session.connection is None or not session.connection.is_alive:
            await _end_session(session)
            session.connection = await connect(session.server, session.server.find_program(), session.workspace)
        try:
            return await request(session.connection)
        except ServerFailed:
            if not session.connection.is_alive:
                await _end_session(session)
            raise

    def _reserve(self, snapshot: Snapshot, server: LanguageServer) -> _ServerSession:
        """The session, once it is free and there is room for its process."""
        key = (snapshot.identity, server)
        with self._changed:
            session = self._sessions.setdefault(key, _ServerSession(server))
            user = id(snapshot)
            if user not in session.users:
                session.users.add(user)
                snapshot.call_at_close(lambda: self._forget_user(key, user))
            self._changed.wait_for(lambda: not session.is_busy and (session.connection or self._make_room()))
            session.is_busy = True
            self._sessions[key] = session  # it may have been closed while this waited
            self._sessions.move_to_end(key)
            return session

    def _make_room(self) -> bool:
        """Whether one more may run; makes room if it can. Called with the lock held."""
        running = [one for one in self._sessions.values() if one.connection or one.is_busy]
        if len(running) < self._max_alive:
            return True
        idle = next((one for one in running if not one.is_busy), None)
        if idle is not None:
            self._loop.run(_end_session(idle))
        return idle is not None

    def _release(self, session: _ServerSession) -> None:
        with self._changed:
            session.is_busy = False
            self._changed.notify_all()

    def _forget_user(self, key: tuple[str, LanguageServer], user: int) -> None:
        """A snapshot was closed; a server without other users ends with it."""
        with self._changed:
            session = self._sessions.get(key)
            if session is None:
                return
            session.users.discard(user)
            if session.users:
                return
            if session.connection:
                kill_group(session.connection.pid)  # a request that still waits for an answer fails now
            self._changed.wait_for(lambda: not session.is_busy)
            if not session.users:
                self._remove_session(self._sessions.pop(key, session))

    def _remove_session(self, session: _ServerSession) -> None:
        self._loop.run(_end_session(session))
        if session.workspace:
            session.workspace.remove()
            session.workspace = None
        self._changed.notify_all()

    def _end_all(self) -> None:
        """End what was not closed."""
        for session in self._sessions.values():
            if session.connection:
                kill_group(session.connection.pid)
                with suppress(TimeoutError):
                    self._loop.run(_end_session(session), timeout_s=5)
            if session.workspace:
                session.workspace.remove()
        self._loop.stop()


async def _end_session(session: _ServerSession) -> None:
    if session.connection is not None:
        connection, session.connection = session.connection, None
        await connection.close()


class _LoopThread:
    """An event loop in a thread of its own, started when it is first needed."""

    def __init__(self) -> None:
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Carry it out over there, and wait for it. Raises TimeoutError."""
        with self._lock:
            if self._running is None:
                loop = asyncio.new_event_loop()
                self._running = loop, threading.Thread(target=loop.run_forever, name="language servers", daemon=True)
                self._running[1].start()
            loop, _ = self._running
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout_s)

    def stop(self) -> None:
        """Let the thread end."""
        with self._lock:
            if self._running is not None:
                (loop, thread), self._running = self._running, None
                loop.call_soon_threadsafe(loop.stop)
                thread.join(timeout=5)
                if not thread.is_alive():
                    loop.close()
