"""What goes over the wire and comes back; proxies of the environment."""

import asyncio

import httpx2
import openai
import pytest

from selfplay.core.errors import ConfigError
from selfplay.models.openai.endpoint import ModelEndpoint, find_endpoint
from selfplay.models.openai.transport import DirectTransport, ResponseTooLargeError, client_of, proxy_for, url_of
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


def transport_to(server: LoopbackServer, max_bytes: int = 1 << 20) -> DirectTransport:
    return DirectTransport(endpoint_of(server), 20.0, max_bytes)


async def post_through_client(server: LoopbackServer, body: bytes) -> None:
    """Send a body on the `openai` client's own request path."""
    async with client_of(endpoint_of(server), 20.0, httpx2.AsyncClient()) as client:
        options: openai.RequestOptions = {"headers": {"Content-Type": "application/json"}}
        await client.post(url_of(client), content=body, cast_to=httpx2.Response, options=options)


@pytest.mark.anyio
async def test_a_server_gets_what_the_vendors_client_would_send() -> None:
    body = b'{"a": "\xc3\xbc"}'
    async with LoopbackServer(handler) as server:
        transport = transport_to(server)
        assert (await transport.post(body)).status == 200
        await transport.aclose()
        await post_through_client(server, body)
    direct, through = server.received
    assert (direct.path, direct.body) == (through.path, through.body)
    transports_own = {"connection"}
    assert {k: v for k, v in direct.headers.items() if k not in transports_own} == {
        k: v for k, v in through.headers.items() if k not in transports_own
    }


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 302, 404, 500])
async def test_every_status_comes_back_as_it_was_sent(status: int) -> None:
    behaviour = answers(status, b"a body", retry_after="3", location="/elsewhere")
    async with LoopbackServer(handler, [behaviour]) as server:
        transport = transport_to(server)
        received = await transport.post(b"{}")
        assert (received.status, received.body, received.headers["Retry-After"]) == (status, b"a body", "3")
        await transport.aclose()
        assert len(server.received) == 1


@pytest.mark.anyio
async def test_a_response_above_the_bound_is_refused() -> None:
    async with LoopbackServer(handler, [answers(200, b"x" * 11), answers(200, b"x" * 10)]) as server:
        transport = transport_to(server, max_bytes=10)
        with pytest.raises(ResponseTooLargeError):
            await transport.post(b"{}")
        assert (await transport.post(b"{}")).body == b"x" * 10
        await transport.aclose()


@pytest.mark.anyio
async def test_first_calls_at_once_share_one_session() -> None:
    async with LoopbackServer(handler) as server:
        transport = transport_to(server)
        await asyncio.gather(*(transport.post(b"{}") for _ in range(20)))
        assert (await transport.post(b"{}")).status == 200
        await transport.aclose()
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
