"""The two ways to a server are one to the server; proxies of the environment."""

import asyncio

import httpx2
import pytest

from selfplay.core.errors import ConfigError
from selfplay.models.openai.endpoint import ModelEndpoint, find_endpoint
from selfplay.models.openai.transport import (
    ChatTransport,
    ClientTransport,
    DirectTransport,
    ResponseTooLargeError,
    proxy_for,
)
from tests.loopback import Json, LoopbackServer, answers

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def handler(_: Json) -> Json:
    return {"content": "fine"}


def endpoint_of(server: LoopbackServer) -> ModelEndpoint:
    return find_endpoint(f"{server.base_url}?version=a b", "KEY", {"KEY": "sk-0123456789abcdef"})


def both_transports(server: LoopbackServer, max_bytes: int = 1 << 20) -> tuple[ChatTransport, ChatTransport]:
    limits = (endpoint_of(server), 20.0, max_bytes)
    return DirectTransport(*limits), ClientTransport(*limits, httpx2.AsyncClient())


@pytest.mark.anyio
async def test_a_server_sees_the_same_either_way() -> None:
    async with LoopbackServer(handler) as server:
        for line in both_transports(server):
            assert (await line.post(b'{"a": "\xc3\xbc"}')).status == 200
            await line.aclose()
    direct, through = server.received
    assert (direct.path, direct.body) == (through.path, through.body)
    transports_own = {"connection"}
    assert {k: v for k, v in direct.headers.items() if k not in transports_own} == {
        k: v for k, v in through.headers.items() if k not in transports_own
    }


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 302, 404, 500])
async def test_what_comes_back_is_the_same_either_way(status: int) -> None:
    behaviour = answers(status, b"a body", retry_after="3", location="/elsewhere")
    async with LoopbackServer(handler, [behaviour, behaviour]) as server:
        for line in both_transports(server):
            received = await line.post(b"{}")
            assert (received.status, received.body, received.headers["Retry-After"]) == (status, b"a body", "3")
            await line.aclose()
        assert len(server.received) == 2


@pytest.mark.anyio
async def test_a_response_above_the_bound_is_refused_either_way() -> None:
    async with LoopbackServer(handler, [answers(200, b"x" * 11), answers(200, b"x" * 11)]) as server:
        for line in both_transports(server, max_bytes=10):
            with pytest.raises(ResponseTooLargeError):
                await line.post(b"{}")
            await line.aclose()


@pytest.mark.anyio
async def test_first_calls_at_once_share_one_session() -> None:
    async with LoopbackServer(handler) as server:
        line, other = both_transports(server)
        await asyncio.gather(*(line.post(b"{}") for _ in range(20)))
        assert (await line.post(b"{}")).status == 200
        await line.aclose()
        await other.aclose()
    assert len(server.received) == 21


def test_the_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for("https://a.example/v1") is None
    monkeypatch.setenv("ALL_PROXY", "all.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://tls.example:3128")
    monkeypatch.setenv("NO_PROXY", "near.example")
    assert proxy_for("https://a.example/v1") == "http://tls.example:3128"
    assert proxy_for("http://a.example/v1") == "http://all.example:3128"
    assert proxy_for("https://near.example/v1") is None


def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://a.example:1080")
    with pytest.raises(ConfigError, match="socks5"):
        proxy_for("https://b.example/v1")
