"""One request of the chat completions protocol and its response, as bytes, over aiohttp.

The `openai` client says once how a request looks (address, headers, key); each body then goes to aiohttp by itself.
This is the only way to a server. The client's own request path, with its aiohttp transport and as many connections as
there are calls, was measured against it in turns (512 episodes at once, 2 s latency; `docs/benchmarks-engine.md`): 0.87
and 0.88 of the ideal wall clock against 0.91 to 0.93, 2.2 to 2.6 ms of CPU per call against 1.4 to 1.5, and 173 kB per
waiting episode against 127. It builds and checks anew for each request what never changes.
"""

import math
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import anyio
import httpx2
import openai
from aiohttp.abc import AbstractStreamWriter

from selfplay.core.errors import ConfigError
from selfplay.models.openai.endpoint import ModelEndpoint

CONNECT_S = 15.0
KEEP_ALIVE_S = 4.0
"""An idle connection is kept so long: less than the 5 s after which uvicorn, under vLLM and others, closes it."""
PATH = "/chat/completions"
TRANSPORT_HEADERS = frozenset({"host", "connection", "content-length"})
"""Headers that the HTTP library sets; in lower case, as httpx2 gives them."""


class ResponseTooLargeError(Exception):
    """A response is longer than what is read."""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    """Looked up in any case."""
    body: bytes


class ChatTransport(Protocol):
    """Sends a body and reads what comes back. Made and used within one event loop; safe for many at once."""

    async def post(self, body: bytes) -> RawResponse:
        """One request; no redirect is followed.

        Raises ResponseTooLargeError, TimeoutError, and for a failed connection aiohttp.ClientError or OSError.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class DirectTransport:
    """Over aiohttp: to servers of this machine without a proxy, to others as the environment says.

    Raises ConfigError for a proxy that can't be used.
    """

    def __init__(self, endpoint: ModelEndpoint, timeout_s: float, max_bytes: int) -> None:
        self._endpoint, self._timeout_s, self._max_bytes = endpoint, timeout_s, max_bytes
        self._session: aiohttp.ClientSession | None = None
        self._opening = anyio.Lock()
        self._url = ""
        self._headers: dict[str, str] = {}
        self._proxy = None if endpoint.is_loopback else proxy_for(endpoint.url)

    async def post(self, body: bytes) -> RawResponse:
        """As `ChatTransport.post`."""
        session = self._session or await self._open_session()
        payload = OneTimePayload(body)
        del body  # not kept while the response is waited for
        async with session.post(
            self._url, data=payload, headers=self._headers, allow_redirects=False, proxy=self._proxy
        ) as response:
            return RawResponse(response.status, response.headers, await self._read_body(response))

    async def _read_body(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        left = self._max_bytes
        async for chunk in response.content.iter_any():
            left -= len(chunk)
            if left < 0:
                response.close()
                raise ResponseTooLargeError
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _open_session(self) -> aiohttp.ClientSession:
        """The session; made by the first call, after the client has said how a request looks."""
        async with self._opening:
            if self._session is None:
                request = await capture_client_request(self._endpoint, self._timeout_s)
                self._url = str(request.url)
                self._headers = {k: v for k, v in request.headers.items() if k not in TRANSPORT_HEADERS}
                self._session = session_for(self._url, self._timeout_s)
        return self._session

    async def aclose(self) -> None:
        """As `ChatTransport.aclose`."""
        if self._session is not None:
            await self._session.close()


class OneTimePayload(aiohttp.Payload):
    """A body that is freed when it was sent: a response may take long, and hundreds of calls wait for theirs."""

    def __init__(self, body: bytes) -> None:
        super().__init__(None, content_type="application/json")
        self._size = len(body)
        self._left = body

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """What was not sent yet."""
        return self._left.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it."""
        body, self._left = self._left, b""
        await writer.write(body)


def session_for(url: str, timeout_s: float) -> aiohttp.ClientSession:
    """An HTTP session with the client's own trust in certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` count)."""
    tls = httpx2.create_ssl_context() if url.startswith("https:") else True
    return aiohttp.ClientSession(
        # How many calls may be in flight is decided elsewhere: here none waits for another's connection.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, ssl=tls),
        timeout=aiohttp.ClientTimeout(
            total=timeout_s,
            sock_connect=min(CONNECT_S, timeout_s),
            ceil_threshold=math.inf,  # no rounding up to whole seconds
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def client_of(endpoint: ModelEndpoint, timeout_s: float, http_client: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    """The client for an endpoint. It asks once and follows nothing."""
    # Bodies come uncompressed, so that their bound is one on memory too.
    headers: dict[str, str | openai.Omit] = {"Accept-Encoding": "identity"}
    if not endpoint.is_vendors:  # the client takes these from the environment; they concern the vendor only
        headers |= {"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}
    return openai.AsyncOpenAI(
        api_key=endpoint.key,
        base_url=endpoint.url,
        default_query=dict(endpoint.query),
        default_headers=headers,  # pyright: ignore[reportArgumentType]  `omit` is what the client documents for leaving one out
        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
        max_retries=0,
        http_client=http_client,
    )


def url_of(client: openai.AsyncOpenAI) -> str:
    """Where its completions are asked for."""
    return f"{str(client.base_url).rstrip('/')}{PATH}"


async def capture_client_request(endpoint: ModelEndpoint, timeout_s: float) -> httpx2.Request:
    """A request as the client would send it: address, query, headers. Nothing is sent."""
    captured: list[httpx2.Request] = []

    def capture(request: httpx2.Request) -> httpx2.Response:
        captured.append(request)
        return httpx2.Response(200)

    async with client_of(endpoint, timeout_s, httpx2.AsyncClient(transport=httpx2.MockTransport(capture))) as client:
        await client.post(
            url_of(client),
            content=b"{}",
            cast_to=httpx2.Response,
            options={"headers": {"Content-Type": "application/json"}, "follow_redirects": False},
        )
    return captured[0]


def proxy_for(url: str) -> str | None:
    """The proxy that the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, ...) names for an address, if any.

    Raises ConfigError for one that is no HTTP proxy.
    """
    address = urlsplit(url)
    proxies = urllib.request.getproxies()
    named = proxies.get(address.scheme) or proxies.get("all")
    if not named or urllib.request.proxy_bypass(address.netloc):
        return None
    proxy = named if "://" in named else f"http://{named}"
    if not proxy.startswith(("http://", "https://")):
        raise ConfigError(
            f"the environment names a {proxy.partition(':')[0]} proxy: use an http one, or add to NO_PROXY"
        )
    return proxy
