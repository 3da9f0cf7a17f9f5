"""Sessions in memory, with an end: by age, and by number."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Session:
    """What is remembered of one browser."""

    id: str
    expires_at: float
    fingerprint: str = ""
    """Of the client that started the session, see `lantern.sessions.fingerprint`."""
    values: dict[str, Any] = field(default_factory=dict)


class SessionStore:
    """Keeps sessions until they were not used for `ttl_s` seconds, or until there are too many."""

    def __init__(self, ttl_s: int, *, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_s = ttl_s
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # least recently used first

    def start(self, fingerprint: str = "") -> Session:
        """A new, empty session under an id that can't be guessed."""
        session = Session(secrets.token_urlsafe(24), self._clock() + self._ttl_s, fingerprint)
        with self._lock:
            self._sessions[session.id] = session
            while len(self._sessions) > self._capacity:
                self._sessions.popitem(last=False)
        return session

    def find(self, session_id: str) -> Session | None:
        """The session of that id, good for another `ttl_s` seconds; None when there is none, or it has expired."""
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                return None
            if session.expires_at <= self._clock():
                del self._sessions[session_id]
                return None
            session.expires_at = self._clock() + self._ttl_s
            self._sessions.move_to_end(session_id)
            return session

    def end(self, session_id: str) -> None:
        """Forget a session; none of that id is fine too."""
        with self._lock:
            self._sessions.pop(session_id, None)
