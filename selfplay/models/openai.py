"""Any server of the chat completions protocol, through the `openai` client's request path.

The body is sent exactly as `Request.body()` gives it and the response is read by our own model: the client's own
`chat.completions.create` walks the whole conversation again at each call. The client does not retry; one `complete` is
one request.

Not covered: streaming, the Responses API, images, several choices.
"""

import errno
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp
import anyio
import httpx2
import openai

from selfplay.errors import TransientModelError
from selfplay.models.around import ON_HEADERS
from selfplay.models.classify import failure, models_fault
from selfplay.models.complaint import complaint_of
from selfplay.models.endpoint import endpoint
from selfplay.models.protocol import Reply, Request
from selfplay.models.ratelimits import MARK
from selfplay.models.reply import reply_of, spoiled
from selfplay.models.response import Answer, decode

CONNECT_S = 15.0
MAX_RESPONSE_BYTES = 64 << 20
READ = ("content-type", "date", "location", "retry-after", "retry-after-ms", "x-ms-retry-after-ms")
"""Headers that tell something."""


def utc_now() -> datetime:
    """The time, for Retry-After headers that give a date."""
    return datetime.now(UTC)


class OpenAIModel:
    """One model at one server. Made and used within one event loop; safe for many calls at once.

    `timeout_s` bounds a call from its first byte out to its last byte in. `http_client` replaces the transport (for
    tests, proxies, own certificates) and is closed with the model. Raises ConfigError, see `endpoint`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 300.0,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        http_client: httpx2.AsyncClient | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._name = name
        self._endpoint = endpoint(base_url, api_key_env)
        self._timeout_s = timeout_s
        self._max_response_bytes = max_response_bytes
        self._now = now
        self._client = openai.AsyncOpenAI(
            api_key=self._endpoint.key,
            base_url=self._endpoint.url,
            default_query=dict(self._endpoint.query),
            default_headers=_headers(is_vendors=self._endpoint.is_vendors),
            timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            max_retries=0,
            http_client=http_client or self._aiohttp_client(),
        )

    @property
    def name(self) -> str:
        """`openai:` and the model's name."""
        return f"openai:{self._name}"

    @property
    def base_url(self) -> str:
        """The server's address, for prices and manifests. Holds no credentials."""
        return self._endpoint.url

    def __repr__(self) -> str:
        return f"OpenAIModel({self._name!r}, base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give connections back."""
        await self._client.close()

    async def complete(self, request: Request) -> Reply:
        """Ask once. Raises TransientModelError, FatalModelError and their children; the key is in none of them."""
        answer = await self._exchange(request.body())
        # Raised here, outside of every `except`: the client's own errors hold the request with its headers.
        if isinstance(answer, TransientModelError):
            raise answer
        return read(answer, request, self._now())

    async def _exchange(self, body: bytes) -> Answer | TransientModelError:
        """Send `body` and read the response to its end; an error for what happened on the way there and back."""
        try:
            with anyio.fail_after(self._timeout_s):
                return self._answer(await self._post(body))
        except openai.APIStatusError as error:
            return self._answer(error.response)
        except TransientModelError as error:
            return error
        except TimeoutError:
            problem = f"no complete response within {self._timeout_s:g} s"
        except (openai.APIConnectionError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            problem = _lost(error)
        return TransientModelError(self._endpoint.scrub_text(f"{self.base_url}: {problem}"))

    async def _post(self, body: bytes) -> httpx2.Response:
        return await self._client.post(
            "/chat/completions",
            content=body,
            cast_to=httpx2.Response,
            options={"headers": {"Content-Type": "application/json"}, "follow_redirects": False},
        )

    def _answer(self, response: httpx2.Response) -> Answer | TransientModelError:
        content = response.content
        if len(content) > self._max_response_bytes:
            return self._too_large()
        if (hear := ON_HEADERS.get()) is not None:
            hear({name: value for name, value in response.headers.items() if MARK in name})
        headers = {name: self._endpoint.scrub_text(response.headers[name]) for name in READ if name in response.headers}
        return Answer(status=response.status_code, body=self._endpoint.scrub(content), headers=headers)

    def _too_large(self) -> TransientModelError:
        return TransientModelError(f"{self.base_url}: a response of more than {self._max_response_bytes} bytes")

    def _aiohttp_client(self) -> httpx2.AsyncClient:
        """The faster transport; proxies of the environment are for servers that are not on this machine."""

        async def bound(response: httpx2.Response) -> None:
            response.stream = _Bounded(response.stream, self._max_response_bytes, self._too_large)

        return openai.DefaultAioHttpClient(
            trust_env=not self._endpoint.is_loopback, event_hooks={"response": [bound]}, follow_redirects=False
        )


class _Bounded(httpx2.AsyncByteStream):
    """A response's bytes, up to a limit: a server that never ends must not fill the memory."""

    def __init__(self, stream: Any, limit: int, too_large: Callable[[], TransientModelError]) -> None:  # noqa: ANN401  httpx2 types it as sync or async
        self._stream: httpx2.AsyncByteStream = stream
        self._left = limit
        self._too_large = too_large

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise self._too_large()
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def read(answer: Answer, request: Request, now: datetime) -> Reply:
    """A response as a reply. Raises ModelError, see `selfplay.models.classify`."""
    if answer.status // 100 == 2:  # noqa: PLR2004  the class of successes
        completion = decode(answer)
        if completion.choices or not completion.error:
            return reply_of(answer, completion, request)
    complaint = complaint_of(answer)
    fault = models_fault(complaint)
    if fault is not None:
        return spoiled(request, fault, complaint.written)
    raise failure(answer, complaint, request.head, now=now)


def _headers(*, is_vendors: bool) -> dict[str, Any]:
    """Headers of every request. Bodies come uncompressed, so that their bound is one on memory too."""
    headers: dict[str, Any] = {"Accept-Encoding": "identity"}
    if not is_vendors:  # the client takes these from the environment; they are nobody else's business
        headers |= {"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}
    return headers


def _lost(error: BaseException) -> str:
    """What happened to the connection, in the words of whoever noticed first."""
    first = error
    while (cause := first.__cause__ or first.__context__) is not None:
        first = cause
    text = str(first) or str(error)
    if isinstance(first, OSError) and first.errno in {errno.ECONNREFUSED, errno.ENOENT}:
        text += " (is the server running?)"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        text += " (set SSL_CERT_FILE to the file with your authority's certificates)"
    return f"connection failed: {type(first).__name__}: {text}"
