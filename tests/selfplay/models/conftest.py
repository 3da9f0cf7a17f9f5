"""Requests, and a model whose server is a function."""

from collections.abc import Callable

import httpx2
import pytest

from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.protocol import ModelRequest

MakeModel = Callable[[Callable[[httpx2.Request], httpx2.Response]], OpenAIModel]


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
    monkeypatch.setenv("TEST_MODEL_KEY", "sk-secret-0123456789/abcdef")

    def make(respond: Callable[[httpx2.Request], httpx2.Response]) -> OpenAIModel:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
        return OpenAIModel("m", base_url="http://server/v1", api_key_env="TEST_MODEL_KEY", http_client=client)

    return make
