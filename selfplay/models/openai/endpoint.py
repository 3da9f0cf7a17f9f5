"""Where a model is reached, and with which key. Keys come from the environment only and are never shown."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfplay.core.errors import ConfigError
from selfplay.models.keys import SCRUBBED, hide_keys

if TYPE_CHECKING:
    import httpx2

VENDOR_URL = "https://api.openai.com/v1"
NO_KEY = "none"
"""Sent where there is no key: servers that want none still want the header."""

SHORTEST_SECRET = 8
"""Shorter keys (`none`, `EMPTY`, `test`) protect nothing, and are words that replies may hold."""


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """A server of the chat completions protocol."""

    url: str
    """Up to and including `/v1`; without credentials and query."""
    query: Mapping[str, str]
    key: str = field(repr=False)
    key_env: str
    """The environment variable's name that the key came from, or would have."""
    is_vendors: bool
    is_loopback: bool

    def scrub(self, body: bytes) -> bytes:
        """`body` without the key, however JSON writes it."""
        if len(self.key) < SHORTEST_SECRET:
            return body
        key = self.key.encode()
        return body.replace(key, SCRUBBED).replace(key.replace(b"/", b"\\/"), SCRUBBED)

    def scrub_text(self, text: str) -> str:
        """`text` without the key, and without anything that looks like one: for errors."""
        return hide_keys(self.scrub(text.encode("utf-8", "replace")).decode())


def find_endpoint(base_url: str | None, api_key_env: str, environ: Mapping[str, str] = os.environ) -> ModelEndpoint:
    """The server at `base_url` (or `$OPENAI_BASE_URL`, or the vendor's own) with the key in `$<api_key_env>`.

    Raises ConfigError for an address that can't be one, for a key that no header can carry, and for no key where the
    vendor's own server is asked.
    """
    given = base_url or environ.get("OPENAI_BASE_URL") or VENDOR_URL
    url = _parse_address(given)
    is_vendors = url.host == _parse_address(VENDOR_URL).host
    key = environ.get(api_key_env, "").strip()
    if not key and is_vendors:
        raise ConfigError(
            f"no key for {VENDOR_URL}: set the environment variable {api_key_env}, or name another server with base_url"
        )
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise ConfigError(f"the key in {api_key_env} holds characters that no HTTP header can carry: set it anew")
    return ModelEndpoint(
        url=str(url.copy_with(query=None)).rstrip("/"),
        query=dict(url.params),
        key=key or NO_KEY,
        key_env=api_key_env,
        is_vendors=is_vendors,
        is_loopback=_is_loopback(url.host),
    )


def _parse_address(text: str) -> "httpx2.URL":
    import httpx2  # noqa: PLC0415  an HTTP client, which those who ask no server have no use for

    try:
        url = httpx2.URL(text.strip())
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise ConfigError(f"base_url is no address ({error}): write it like http://localhost:8000/v1") from None
    if url.userinfo:
        raise ConfigError("base_url holds a user name or password: take it out and put the key into the environment")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError(f"base_url {text!r} is no http(s) address: write it like http://localhost:8000/v1")
    if url.path.rstrip("/").endswith("/chat/completions"):
        raise ConfigError(f"base_url {text!r} goes too far: leave /chat/completions away")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
