"""Requests, and a model whose server is a function."""

from collections.abc import Callable

import httpx2
import pytest

from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.openai.endpoint import find_endpoint
from selfplay.models.openai.transport import RawResponse, capture_client_request
from selfplay.models.protocol import ModelRequest

Respond = Callable[[httpx2.Request], httpx2.Response]
MakeModel = Callable[[Respond], OpenAIModel]
URL, KEY_ENV = "http://server/v1", "TEST_MODEL_KEY"


class FunctionTransport:
    """Hands each request, as it would be sent, to a function."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def post(self, body: bytes) -> RawResponse:
        first = await capture_client_request(find_endpoint(URL, KEY_ENV), timeout_s=20)
        response = self._respond(httpx2.Request("POST", first.url, headers=first.headers, content=body))
        return RawResponse(response.status_code, response.headers, response.content)

    async def aclose(self) -> None:
        pass


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def request_() -> ModelRequest:
    """A first request: a prompt, a task, one tool."""
    opening = [
        Message(role="system", content="You search code.", origin=Origin.PROMPT),
        Message(role="user", content="Where are headers set? Grüße \N{PINCHING HAND}", origin=Origin.TASK),
    ]
    tool = {"type": "function", "function": {"name": "grep", "parameters": {"type": "object"}}}
    head = {"model": "m", "temperature": 0.7, "tools": [tool], "response_format": {"type": "json_schema"}}
    return ModelRequest(head=head, messages=tuple(encode_messages(opening)), turn=0)


@pytest.fixture
def model_at(monkeypatch: pytest.MonkeyPatch) -> MakeModel:
    """Makes a model that is answered by a function instead of a server."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv(KEY_ENV, "sk-secret-0123456789/abcdef")

    def make(respond: Respond) -> OpenAIModel:
        return OpenAIModel("m", base_url=URL, api_key_env=KEY_ENV, transport=FunctionTransport(respond))

    return make
