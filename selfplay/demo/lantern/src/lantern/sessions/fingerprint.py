"""The fingerprint of a client: what its request headers say about the browser.

A stolen session cookie that is sent from another browser comes with another fingerprint. That is a hurdle for a thief,
not a wall: request headers are easily copied.
"""

import hashlib
import hmac

from lantern.http.request import Request

_HEADERS = ("User-Agent", "Accept-Language", "Sec-CH-UA-Platform")


def client_fingerprint(request: Request) -> str:
    """32 hex digits over the request headers that a browser sends with every request and seldom changes."""
    said = "\0".join(request.headers.get(name) for name in _HEADERS)
    return hashlib.sha256(said.encode("latin-1")).hexdigest()[:32]


def is_same_client(fingerprint: str, request: Request) -> bool:
    """Whether the request carries the fingerprint that a session was started with."""
    return hmac.compare_digest(fingerprint, client_fingerprint(request))
