"""A server that a tool asks over HTTP: its address and key, one request, and why there was no answer.

The key comes from the environment and leaves in the header of a request only: no text that this module gives holds it.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import httpx2
import openai

from selfplay_tools.errors import NotUsable
from selfplay_tools.output import shorten


def bound_response(max_bytes: int, time_s: float) -> Callable[[httpx2.Response], None]:
    """A response hook for a synchronous client: reading the body raises ReadError beyond either bound."""

    def bind(response: httpx2.Response) -> None:
        response.stream = _BoundedBody(response.stream, max_bytes, monotonic() + time_s)

    return bind


class _BoundedBody(httpx2.SyncByteStream):
    """A body that must not go on for ever: a server may send a byte now and then, so that no read times out."""

    def __init__(self, stream: Any, max_bytes: int, until: float) -> None:  # noqa: ANN401  httpx2 types it as sync or async
        self._stream: httpx2.SyncByteStream = stream
        self._left = max_bytes
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise httpx2.ReadError("the response is too large")
            if monotonic() > self._until:
                raise httpx2.ReadError("the response takes too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()


WHY_CHARS = 300
CONNECT_S = 15.0
SHORTEST_SECRET = 8
"""Shorter keys protect nothing, and are words that answers may hold."""
KEY_LIKE = re.compile(r"(?<![A-Za-z0-9])(sk-[A-Za-z0-9_-]{16,}|pplx-[A-Za-z0-9]{16,}|Bearer [A-Za-z0-9._~+/=-]{8,})")


class NoAnswer(Exception):
    """The server gave no answer that can be used. The message says why, in one line, and holds no key."""


@dataclass(frozen=True, slots=True)
class RemoteService:
    """One server, with the key that opens it. Made by `make_remote_service`; safe to use from several threads."""

    base_url: str
    key: str = field(repr=False)
    timeout_s: float
    """For one attempt, from sending to the answer's last byte."""
    tries: int
    """Attempts where the server is busy, broken or out of reach."""
    max_bytes: int
    """Of a response."""

    def post(self, path: str, body: Mapping[str, object]) -> bytes:
        """The content of the response. Blocks for as long as that takes. Raises NoAnswer."""
        with self.connect() as post:
            return post(path, body)

    @contextmanager
    def connect(self) -> Generator[Callable[[str, Mapping[str, object]], bytes]]:
        """`post` for several requests, also from several threads: a client takes 40 ms to make."""
        with self._make_client() as client:
            yield partial(self._post, client)

    def _post(self, client: openai.OpenAI, path: str, body: Mapping[str, object]) -> bytes:
        try:
            return client.post(path, cast_to=httpx2.Response, body=body).content
        except openai.APIStatusError as error:
            raise self.make_no_answer(
                f"the server answered with status {error.status_code}: {_extract_server_message(error)}"
            ) from None
        except openai.APITimeoutError:
            raise self.make_no_answer(f"no answer within {self.timeout_s:g} s") from None
        except (openai.APIConnectionError, httpx2.HTTPError, OSError) as error:
            raise self.make_no_answer(f"the connection failed: {_find_root_cause(error)}") from None

    def make_no_answer(self, why: str) -> NoAnswer:
        """The error that says so, on one line, without the key."""
        return NoAnswer(shorten(self.scrub(" ".join(why.split())), WHY_CHARS))

    def scrub(self, text: str) -> str:
        """The text without the key, and without anything that looks like one."""
        without = text.replace(self.key, "[key]") if len(self.key) >= SHORTEST_SECRET else text
        return KEY_LIKE.sub("[key]", without)

    def _make_client(self) -> openai.OpenAI:
        limits = httpx2.Timeout(self.timeout_s, connect=min(CONNECT_S, self.timeout_s))
        headers: dict[str, Any] = {
            "Accept-Encoding": "identity",  # so that the bound on the response is one on memory
            "OpenAI-Organization": openai.omit,  # from the environment, and of no concern to this server
            "OpenAI-Project": openai.omit,
        }
        return openai.OpenAI(
            api_key=self.key,
            base_url=self.base_url,
            default_headers=headers,
            max_retries=self.tries - 1,
            timeout=limits,
            http_client=openai.DefaultHttpx2Client(
                timeout=limits,
                trust_env=not _is_loopback(httpx2.URL(self.base_url).host),
                follow_redirects=False,
                event_hooks={"response": [bound_response(self.max_bytes, self.timeout_s)]},
            ),
        )


def make_remote_service(
    tool: str,
    base_url: str,
    api_key_env: str,
    *,
    timeout_s: float,
    tries: int,
    max_bytes: int,
    environ: Mapping[str, str] = os.environ,
) -> RemoteService:
    """The server of a tool. Raises NotUsable for an address that is none, and where the key is missing.

    A server of this machine needs no key.
    """
    url = _parse_address(tool, base_url)
    key = environ.get(api_key_env, "").strip()
    if not key and not _is_loopback(url.host):
        raise NotUsable(f"{tool}: no key for {url.host}: set the environment variable {api_key_env}")
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise NotUsable(f"{tool}: the key in {api_key_env} holds characters that no HTTP header can carry")
    return RemoteService(base_url, key or "none", timeout_s, tries, max_bytes)


def _parse_address(tool: str, base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, UnicodeError):
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise NotUsable(f"{tool}: base_url is no http(s) address: write it like https://api.example.org/v1")
    if url.userinfo:
        raise NotUsable(f"{tool}: base_url holds a user name or password: put the key into the environment")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _extract_server_message(error: openai.APIStatusError) -> str:
    """The server's own words, as far as it has any."""
    match error.body:
        case {"message": str(words)} | {"error": {"message": str(words)} | str(words)} | str(words):
            return words
        case _:
            return error.response.reason_phrase or "no reason given"


def _find_root_cause(error: BaseException) -> str:
    """What happened first, in the words of its error."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
