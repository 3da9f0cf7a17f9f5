"""What can go wrong, by who is to blame.

LanternError
├── ConfigError         the operator: a setting that can't be used
├── HttpError           answered with a status: raised by handlers on purpose
│   └── BadMessage          the peer: what came over the wire is not HTTP that we accept
├── Disconnected        the peer went away in the middle of something
└── UpstreamError       the server behind the proxy, or the one a client talks to
"""

from collections.abc import Mapping


class LanternError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(LanternError):
    """A setting is missing, unknown, or of the wrong type. The message names its place in the file."""


class HttpError(LanternError):
    """Stop handling the request and answer with `status`."""

    def __init__(self, status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {detail}".rstrip())
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


class BadMessage(HttpError):
    """The peer's message breaks the protocol or our limits; the connection can't be used any further."""


class Disconnected(LanternError):
    """The peer closed the connection where more bytes were due."""


class UpstreamError(LanternError):
    """The other server could not be reached or did not speak HTTP."""
