"""Any server of the chat completions protocol.

The body is sent exactly as `ModelRequest.body()` gives it (see `selfplay.models.openai.transport`), and the response is
read by `selfplay.models.openai.response`: the `openai` client's `chat.completions.create` walks the whole conversation
again at each call. Nothing is tried again; one `complete` is one request.

Not covered: streaming, the Responses API, images, several choices.
"""

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

import aiohttp

from selfplay.core.errors import TransientModelError
from selfplay.models.openai.endpoint import NO_KEY, find_endpoint
from selfplay.models.openai.failures import classify_failure, find_model_fault, read_error_body
from selfplay.models.openai.reply import reply_from_completion, unreadable_reply
from selfplay.models.openai.response import ServerResponse, decode_completion
from selfplay.models.openai.transport import (
    ChatTransport,
    DirectTransport,
    RawResponse,
    ResponseTooLargeError,
)
from selfplay.models.protocol import ON_HEADERS, RATE_LIMIT_MARK, ModelReply, ModelRequest

MAX_RESPONSE_BYTES = 64 << 20
READ_HEADERS = ("content-type", "date", "location", "retry-after", "retry-after-ms", "x-ms-retry-after-ms")
"""Those that a reply or an error is made of."""


def utc_now() -> datetime:
    """The time, for Retry-After headers that give a date."""
    return datetime.now(UTC)


class OpenAIModel:
    """One model at one server. Made and used within one event loop; safe for many calls at once.

    `timeout_s` bounds a call from its first byte sent to the last byte received, and `max_response_bytes` its response.
    A `transport` of one's own (a SOCKS proxy, own certificates) keeps such bounds itself, brings the key, and is closed
    with the model. Raises ConfigError, see `find_endpoint`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 300.0,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        transport: ChatTransport | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._name = name
        self._endpoint = find_endpoint(base_url, api_key_env)
        self._timeout_s = timeout_s
        self._max_response_bytes = max_response_bytes
        self._now = now
        self._transport = transport or DirectTransport(self._endpoint, timeout_s, max_response_bytes)

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
        """Close connections."""
        await self._transport.aclose()

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once. Raises TransientModelError, FatalModelError and their children; the key is in none of them."""
        response = await self._send(request)
        # Raised here, outside of every `except`: the transport's own errors may hold the request with its headers.
        if isinstance(response, TransientModelError):
            raise response
        return read_response(response, request, self._now())

    async def _send(self, request: ModelRequest) -> ServerResponse | TransientModelError:
        """Send the body and read the response to its end; an error for what happened on the way there and back."""
        try:
            return self._scrub_response(await self._transport.post(request.body()))
        except ResponseTooLargeError:
            problem = f"a response of more than {self._max_response_bytes} bytes"
        except aiohttp.ServerTimeoutError as error:
            problem = _describe_connection_error(error)
        except TimeoutError:
            problem = f"no complete response within {self._timeout_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            problem = _describe_connection_error(error)
        return TransientModelError(self._endpoint.scrub_text(f"{self.base_url}: {problem}"))

    def _scrub_response(self, received: RawResponse) -> ServerResponse:
        on_headers = ON_HEADERS.get()
        received_headers = {name.lower(): value for name, value in received.headers.items()}
        limits = {name: value for name, value in received_headers.items() if RATE_LIMIT_MARK in name}
        if on_headers is not None and limits:
            on_headers(limits)
        headers = {
            name: self._endpoint.scrub_text(received_headers[name]) for name in READ_HEADERS if name in received_headers
        }
        return ServerResponse(
            status=received.status,
            body=self._endpoint.scrub(received.body),
            headers=headers,
            asked=self.base_url,
            key_env=self._endpoint.key_env,
            has_key=self._endpoint.key != NO_KEY,
        )


def read_response(response: ServerResponse, request: ModelRequest, now: datetime) -> ModelReply:
    """A response as a reply. Raises ModelError, see `selfplay.models.openai.failures`."""
    if response.status // 100 == 2:  # noqa: PLR2004  the class of successes
        completion = decode_completion(response)
        if completion.choices or not completion.error:
            return reply_from_completion(response, completion, request)
    error_body = read_error_body(response)
    fault = find_model_fault(error_body)
    if fault is not None:
        return unreadable_reply(request, fault, error_body.model_output)
    raise classify_failure(response, error_body, request.head, now=now)


def _describe_connection_error(error: BaseException) -> str:
    """What happened to the connection, in the words of the error that came first."""
    first = error
    while (cause := first.__cause__ or first.__context__) is not None:
        first = cause
    text = str(first) or str(error)
    if isinstance(first, OSError) and first.errno in {errno.ECONNREFUSED, errno.ENOENT}:
        text += " (is the server running?)"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        text += " (set SSL_CERT_FILE to the file with your authority's certificates)"
    return f"connection failed: {type(first).__name__}: {text}"
