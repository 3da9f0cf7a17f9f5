"""Every knob of the server, with its default. A TOML table has the name of the field that holds it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may cost before it is refused. All in bytes, but for `header_fields`."""

    line_bytes: int = 8 * 1024
    header_bytes: int = 32 * 1024
    header_fields: int = 100
    body_bytes: int = 10 * 1024 * 1024
    unread_bytes: int = 64 * 1024
    """How much of a body that no handler read is skipped to keep the connection; beyond that it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the server waits for what, in seconds."""

    idle_s: float = 15.0
    """For the next request on a connection that is kept alive."""
    head_s: float = 10.0
    """For a request's line and headers, from their first byte."""
    body_s: float = 30.0
    write_s: float = 30.0
    """For each block of a response to be taken by the client."""
    grace_s: float = 10.0
    """For requests that are being answered when the server is told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificate and key of the server, PEM."""

    certificate: Path
    key: Path
    minimum_version: str = "TLSv1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticMount:
    """A directory whose files are served under a prefix."""

    prefix: str
    root: Path
    index: str = "index.html"
    max_age_s: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMount:
    """Another server that answers for a prefix."""

    prefix: str
    upstream: str
    """`http://host:port`, optionally with a path that is put in front."""
    timeout_s: float = 10.0
    preserve_host: bool = False
    """Send the client's Host header on instead of the upstream's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Sessions in signed cookies."""

    secret: str
    cookie: str = "lantern_session"
    ttl_s: int = 3600
    bind_to_client: bool = True
    """Drop a session that comes back with the fingerprint of a different browser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Headers that tell browsers to be careful."""

    enabled: bool = True
    content_security_policy: str = "default-src 'self'"
    hsts_max_age_s: int = 0
    """Above 0: answer TLS requests with Strict-Transport-Security."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """The endpoints for operators."""

    enabled: bool = False
    prefix: str = "/-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the server can be told."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes any free port."""
    instance: str = ""
    """Name of this one among several; the host's name if empty."""
    workers: int = 8
    waiting: int = 64
    """Connections that may wait for a worker; one more is turned away with 503."""
    access_log: str = "-"
    """A file, `-` for standard error, empty for none."""
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)
    security: Security = field(default_factory=Security)
    admin: Admin = field(default_factory=Admin)
    tls: Tls | None = None
    sessions: Sessions | None = None
    static: tuple[StaticMount, ...] = ()
    proxy: tuple[ProxyMount, ...] = ()
