"""The client against a real server on loopback, and what it sends."""

import asyncio
import logging
import ssl
import traceback
from pathlib import Path

import aiohttp
import anyio
import httpx2
import pytest

from selfplay.core.errors import ConfigError, FatalModelError, ModelError, RateLimited, TransientModelError
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.openai.endpoint import VENDOR_URL, find_endpoint
from selfplay.models.protocol import ModelRequest
from tests import loopback
from tests.loopback import Behaviour, Json, LoopbackServer, answers, message_with_calls
from tests.selfplay.models.conftest import MakeModel

KEY = "sk-secret-0123456789/abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_ADMIN_KEY", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)


def handler(_: Json) -> Json:
    return message_with_calls(("grep", {"pattern": "header"}))


def model_of(server: LoopbackServer, timeout_s: float = 20.0, max_response_bytes: int = 1 << 20) -> OpenAIModel:
    return OpenAIModel("m", base_url=server.base_url, timeout_s=timeout_s, max_response_bytes=max_response_bytes)


@pytest.mark.anyio
async def test_the_bytes_that_are_sent_are_the_requests_own(request_: ModelRequest) -> None:
    async with LoopbackServer(handler) as server, model_of(server) as model:
        reply = await model.complete(request_)
    [received] = server.received
    assert received.body == request_.body()
    assert received.path == "/v1/chat/completions"
    assert received.headers["content-type"] == "application/json"
    assert reply.message.tool_calls[0].parse_arguments() == {"pattern": "header"}
    assert (reply.usage.input_tokens, reply.usage.cached_tokens) == (100, 60)


@pytest.mark.anyio
async def test_one_complete_is_one_request(request_: ModelRequest) -> None:
    async with LoopbackServer(handler, [loopback.server_error(503)]) as server, model_of(server) as model:
        with pytest.raises(TransientModelError, match="something broke"):
            await model.complete(request_)
        assert len(server.received) == 1
        assert (await model.complete(request_)).faults == ()


BROKEN: dict[str, tuple[Behaviour, str]] = {
    "HTML with 200": (loopback.html(), "HTML"),
    "JSON that is cut": (loopback.cut_json(), "cut or no JSON"),
    "a body that ends too early": (loopback.cut_body(), "connection failed"),
    "a connection that is reset": (loopback.reset(), "connection failed"),
    "no choices": (loopback.empty_choices(), "no choices"),
    "a response without end": (loopback.flood(2 << 20), "more than 1048576 bytes"),
    "an error without end": (loopback.flood(2 << 20, status=500), "more than 1048576 bytes"),
    "no HTTP": (loopback.sends_raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "connection failed"),
    "compressed rubbish": (answers(200, b"abc", content_encoding="gzip"), "connection failed"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_server_is_worth_another_try(name: str, request_: ModelRequest) -> None:
    behaviour, words = BROKEN[name]
    async with LoopbackServer(handler, [behaviour]) as server, model_of(server) as model:
        with pytest.raises(TransientModelError, match=words):
            await model.complete(request_)
        assert (await model.complete(request_)).message.tool_calls[0].name == "grep"


@pytest.mark.anyio
@pytest.mark.parametrize("behaviour", [loopback.hang(), loopback.drip()], ids=["hang", "drip"])
async def test_a_server_can_not_hold_a_call_beyond_its_time(behaviour: Behaviour, request_: ModelRequest) -> None:
    async with LoopbackServer(handler, [behaviour]) as server, model_of(server, timeout_s=0.3) as model:
        with pytest.raises(TransientModelError, match=r"within 0\.3 s|timed out|[Tt]imeout"):
            await model.complete(request_)


@pytest.mark.anyio
async def test_a_rate_limit_says_how_long(request_: ModelRequest) -> None:
    async with LoopbackServer(handler, [loopback.rate_limited(2.5)]) as server, model_of(server) as model:
        with pytest.raises(RateLimited) as caught:
            await model.complete(request_)
    assert caught.value.retry_after_s == 2.5


ACCEPTED: dict[str, tuple[Behaviour, str]] = {
    "arguments as an object": (loopback.arguments_as_object(), "as an object"),
    "no ids": (loopback.null_ids(), "no id"),
    "a tool that does not exist, besides": (loopback.one_call_more("fly", {}), ""),
    "no call": (loopback.no_call("hm"), ""),
    "reasoning, old name": (loopback.adds_reasoning("why", "reasoning_content"), ""),
    "reasoning, new name": (loopback.adds_reasoning("why", "reasoning"), ""),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", ACCEPTED)
async def test_replies_in_odd_forms_are_replies(name: str, request_: ModelRequest) -> None:
    behaviour, fault = ACCEPTED[name]
    async with LoopbackServer(handler, [behaviour]) as server, model_of(server) as model:
        reply = await model.complete(request_)
    names = [call.name for call in reply.message.tool_calls]
    assert names == {"no call": [], "a tool that does not exist, besides": ["grep", "fly"]}.get(name, ["grep"])
    assert reply.message.reasoning == ("why" if "reasoning" in name else None)
    assert fault in "".join(reply.faults)


@pytest.mark.anyio
async def test_a_cancelled_call_is_cancelled_and_the_model_goes_on(request_: ModelRequest) -> None:
    async with LoopbackServer(handler, [loopback.hang()]) as server, model_of(server) as model:
        finished: list[str] = []
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                await model.complete(request_)
                finished.append("answered")

            group.start_soon(ask)
            await server.wait_for_requests(1)
            group.cancel_scope.cancel()
        assert finished == []
        assert (await model.complete(request_)).message.tool_calls


@pytest.mark.anyio
async def test_many_calls_at_once_are_each_answered(request_: ModelRequest) -> None:
    def echo(body: Json) -> Json:
        return {"content": body["number"]}

    answered: list[str] = []
    async with LoopbackServer(echo) as server, model_of(server) as model:

        async def ask(number: str) -> None:
            reply = await model.complete(ModelRequest({"number": number}, request_.messages, turn=0))
            assert reply.message.content == number
            answered.append(number)

        async with anyio.create_task_group() as group:
            for i in range(50):
                group.start_soon(ask, str(i))
    assert sorted(answered, key=int) == [str(i) for i in range(50)]


@pytest.mark.anyio
async def test_a_server_that_is_not_there_is_worth_another_try(request_: ModelRequest) -> None:
    async with LoopbackServer(handler) as server:
        url = server.base_url
    async with OpenAIModel("m", base_url=url) as model:
        with pytest.raises(TransientModelError, match="connection failed"):
            await model.complete(request_)


@pytest.mark.anyio
async def test_a_server_without_tls_is_worth_another_try(request_: ModelRequest) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with OpenAIModel("m", base_url=f"https://127.0.0.1:{port}/v1") as model:
            with pytest.raises(TransientModelError, match="SSL"):
                await model.complete(request_)


@pytest.mark.anyio
async def test_a_redirect_is_not_followed(request_: ModelRequest) -> None:
    async with LoopbackServer(handler) as elsewhere:
        target = f"{elsewhere.base_url}/chat/completions"
        async with LoopbackServer(handler, [answers(307, b"", location=target)]) as server, model_of(server) as model:
            with pytest.raises(FatalModelError, match="redirects to"):
                await model.complete(request_)
        assert elsewhere.received == []


def everything(error: BaseException) -> str:
    """All that a log of an error could hold: its words, its chain, its fields."""
    chain: list[BaseException] = []
    follow: BaseException | None = error
    while follow is not None:
        chain.append(follow)
        follow = follow.__cause__ or follow.__context__
    return "".join([*traceback.format_exception(error), *(repr(e) + repr(vars(e)) for e in chain)])


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 307, 400, 401, 429, 500])
async def test_a_key_that_the_server_repeats_is_in_no_error(
    status: int, request_: ModelRequest, model_at: MakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        body = {"error": {"message": f"you sent {KEY}, Bearer abcdefghijkl and sk-{'a' * 20}", "param": KEY}}
        return httpx2.Response(status, json=body, headers={"location": f"http://x/?key={KEY}"})

    caplog.set_level(logging.DEBUG)
    async with model_at(respond) as model:
        with pytest.raises(ModelError) as caught:
            await model.complete(request_)
        shown = everything(caught.value) + repr(model) + caplog.text
    assert "you sent [key]" in shown or status == 307
    for secret in (KEY, "abcdefghijkl", "a" * 20):
        assert secret not in shown


@pytest.mark.anyio
async def test_a_key_that_the_server_repeats_is_in_no_reply(request_: ModelRequest, model_at: MakeModel) -> None:
    message = {"content": f"key {KEY}", "note": KEY}
    escaped = httpx2.Response(200, json=loopback.completion(message)).content.replace(b"9/a", b"9\\/a")
    for content in (escaped, escaped.replace(b"9\\/a", b"9/a")):
        async with model_at(lambda _, content=content: httpx2.Response(200, content=content)) as model:
            reply = await model.complete(request_)
        assert reply.message.content == "key [key]"
        assert KEY not in reply.model_dump_json()


@pytest.mark.anyio
async def test_a_lost_connection_does_not_show_the_key(request_: ModelRequest, model_at: MakeModel) -> None:
    def lose(_: httpx2.Request) -> httpx2.Response:
        raise aiohttp.ServerDisconnectedError(f"lost with {KEY}")

    async with model_at(lose) as model:
        with pytest.raises(TransientModelError, match=r"lost with \[key\]") as caught:
            await model.complete(request_)
    assert KEY not in everything(caught.value)


@pytest.mark.anyio
async def test_an_untrusted_certificate_is_explained(request_: ModelRequest, model_at: MakeModel) -> None:
    def refuse(_: httpx2.Request) -> httpx2.Response:
        raise ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")

    async with model_at(refuse) as model:
        with pytest.raises(TransientModelError, match="SSL_CERT_FILE"):
            await model.complete(request_)


@pytest.mark.anyio
async def test_other_servers_get_no_account_and_no_admin_key(
    request_: ModelRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-mine")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-mine")
    async with LoopbackServer(handler) as server, model_of(server) as model:
        await model.complete(request_)
    assert server.received[0].headers["authorization"] == "Bearer none"
    assert "mine" not in str(server.received[0].headers)


@pytest.mark.anyio
async def test_the_query_of_an_address_is_sent_with_each_call(request_: ModelRequest) -> None:
    async with (
        LoopbackServer(handler) as server,
        OpenAIModel("m", base_url=f"{server.base_url}/?api-version=3") as model,
    ):
        await model.complete(request_)
        assert model.base_url == server.base_url
    assert server.received[0].path == "/v1/chat/completions?api-version=3"


def test_the_vendors_server_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="environment variable MY_KEY"):
        find_endpoint(None, "MY_KEY", {})
    found = find_endpoint(None, "MY_KEY", {"MY_KEY": f"{KEY}\n"})
    assert (found.url, found.key) == (VENDOR_URL, KEY)
    assert KEY not in repr(found)


def test_the_address_in_the_environment_counts_where_none_is_given() -> None:
    assert find_endpoint(None, "K", {"OPENAI_BASE_URL": "http://a:1/v1/"}).url == "http://a:1/v1"
    assert find_endpoint("http://b/v1", "K", {"OPENAI_BASE_URL": "http://a:1/v1"}).url == "http://b/v1"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://a/v1",
        "http:///v1",
        "http://u:sk-pass@a/v1",
        "http://a/v1/chat/completions",
        "http://a:port/v1",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        find_endpoint(url, "K", {})
    assert "sk-pass" not in str(caught.value)


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="MY_KEY") as caught:
        find_endpoint("http://a/v1", "MY_KEY", {"MY_KEY": "schlüssel-geheim"})
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]/v1", True),
        ("http://localhost/v1", True),
        ("http://a/v1", False),
    ],
)
def test_servers_on_this_machine_are_known(url: str, *, expected: bool) -> None:
    assert find_endpoint(url, "K", {}).is_loopback is expected


@pytest.mark.anyio
async def test_servers_on_this_machine_are_reached_without_a_proxy(
    request_: ModelRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:1/{tmp_path.name}")
    async with LoopbackServer(handler) as server, model_of(server) as model:
        assert (await model.complete(request_)).message.tool_calls


@pytest.mark.anyio
async def test_the_password_of_a_proxy_is_in_no_error(request_: ModelRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are kept in journals, and the HTTP library names a proxy with its password."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://anna:geheim%40wort@127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with OpenAIModel("m", base_url="https://models.example/v1", timeout_s=20) as model:
            with pytest.raises(TransientModelError, match="407") as caught:
                await model.complete(request_)
    assert str(port) in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "anna" not in str(caught.value)
