"""Middleware that gives each request its session and keeps the browser's cookie up to date."""

import hashlib
import hmac

from lantern.config.settings import Sessions
from lantern.errors import ConfigError
from lantern.http.cookies import SetCookie
from lantern.http.request import Request
from lantern.http.response import Response
from lantern.middleware import Middleware
from lantern.routing import Endpoint
from lantern.sessions.fingerprint import client_fingerprint, is_same_client
from lantern.sessions.store import Session, SessionStore

_SHORTEST_SECRET = 16


def sessions(settings: Sessions, store: SessionStore) -> Middleware:
    """Middleware that puts the session into `request.state["session"]`. Raises ConfigError for a short secret.

    A session is started for every request without one, and its cookie is sent only if a handler left a value in it.
    """
    if len(settings.secret) < _SHORTEST_SECRET:
        raise ConfigError(f"sessions: the secret needs {_SHORTEST_SECRET} characters or more")
    key = settings.secret.encode()

    def attach(request: Request, inner: Endpoint) -> Response:
        session = _find(request, settings, store, key)
        is_new = session is None
        if session is None:
            session = store.start(client_fingerprint(request) if settings.bind_to_client else "")
        request.state["session"] = session
        response = inner(request)
        if is_new and not session.values:
            store.end(session.id)
        elif is_new:
            value = sign(session.id, key)
            response.set_cookie(
                SetCookie(name=settings.cookie, value=value, max_age_s=settings.ttl_s, secure=request.secure)
            )
        return response

    return attach


def sign(session_id: str, key: bytes) -> str:
    """The cookie's value: the id, and a proof that we made it."""
    proof = hmac.new(key, session_id.encode(), hashlib.sha256).hexdigest()
    return f"{session_id}.{proof}"


def unsign(value: str, key: bytes) -> str | None:
    """The id in a cookie's value, or None when the proof is wrong."""
    session_id, _, _ = value.rpartition(".")
    return session_id if hmac.compare_digest(sign(session_id, key).encode(), value.encode()) else None


def _find(request: Request, settings: Sessions, store: SessionStore, key: bytes) -> Session | None:
    session_id = unsign(request.cookies.get(settings.cookie, ""), key)
    session = store.find(session_id) if session_id else None
    if session is None or not settings.bind_to_client or is_same_client(session.fingerprint, request):
        return session
    store.end(session.id)
    return None
