"""What servers send with other statuses, and whose failure it is."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay.core.errors import (
    ContextTooLong,
    FatalModelError,
    ModelError,
    RateLimited,
    RequestRefused,
    TransientModelError,
)
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.openai.failures import retry_after_s
from selfplay.models.pool.rate_limits import read_limits
from selfplay.models.protocol import ModelRequest
from tests.loopback import LoopbackServer, answers
from tests.selfplay.models.conftest import MakeModel

Json = dict[str, Any]
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def error(message: str, **more: object) -> Json:
    return {"error": {"message": message, **more}}


@dataclass(frozen=True)
class Case:
    """A status and a body, the error it becomes (exactly), and what else is known of it."""

    name: str
    status: int
    body: Json | list[Any] | bytes
    kind: type[ModelError]
    words: str = ""
    param: str | None = None


OPENAI_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
    "Please reduce the length of the messages."
)
VLLM_LONG = (
    "You passed 1015 input tokens and requested 10 output tokens. However, the model's context length is only 1024 "
    "tokens, resulting in a maximum input length of 1014 tokens."
)
LLAMA_LONG = "request (33056 tokens) exceeds the available context size (32768 tokens), try increasing it"
GEMINI_LONG = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
SGLANG_LONG = "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
TGI_LONG = "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"
NO_AUTO = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
QUOTA = "You exceeded your current quota, please check your plan and billing details."
FASTAPI = {"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be 'text'", "input": {"a": 1}}]}
TOO_LARGE_EVER = "Request too large for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000"
QUOTING = "1 validation error: {'type': 'missing', 'loc': ('tools',), 'input': '" + "x" * 600 + " context window'}"

CASES = [
    Case("rate limit", 429, error("slow down"), RateLimited, "slow down"),
    Case("rate limit without a body", 429, b"", RateLimited, "no text"),
    Case("overloaded", 529, error("Overloaded", type="overloaded_error"), RateLimited, "Overloaded"),
    Case("quota", 429, error(QUOTA, code="insufficient_quota"), FatalModelError, "no money"),
    Case("payment", 402, error("Insufficient credits"), FatalModelError, "no money"),
    Case("larger than the minute's tokens", 429, error(TOO_LARGE_EVER), FatalModelError, "too large"),
    Case("timeout", 408, error("timed out"), TransientModelError),
    Case("conflict", 409, error("locked"), TransientModelError),
    Case("server", 500, error("internal"), TransientModelError, "500 from the server: internal"),
    Case("bad gateway", 502, b"<html>Bad Gateway</html>", TransientModelError, "Bad Gateway"),
    Case("unavailable", 503, error("Loading model", code=503, type="unavailable_error"), TransientModelError),
    Case("gateway timeout", 504, b"", TransientModelError),
    Case("cloudflare", 524, b"<html>A timeout occurred</html>", TransientModelError),
    Case("key", 401, error("Incorrect API key", code="invalid_api_key"), FatalModelError, "check the key"),
    Case("forbidden", 403, error("no access to model"), FatalModelError, "may not use"),
    Case("no such model", 404, error("The model `x` does not exist"), FatalModelError, "model's name"),
    Case("no such page", 404, {"detail": "Not Found"}, FatalModelError, "Not Found"),
    Case("method", 405, b"", FatalModelError, "base_url"),
    Case("context, by code", 400, error("too big", code="context_length_exceeded"), ContextTooLong),
    Case("context, OpenAI", 400, error(OPENAI_LONG), ContextTooLong, "8192"),
    Case("context, OpenAI, newer", 400, error("Input tokens exceed the configured limit of 272000"), ContextTooLong),
    Case("context, vLLM", 400, error(VLLM_LONG, code=400, param="input_tokens"), ContextTooLong),
    Case("context, vLLM, older", 400, {"object": "error", "message": OPENAI_LONG, "code": 400}, ContextTooLong),
    Case("context, SGLang", 400, error(SGLANG_LONG), ContextTooLong),
    Case("context, llama.cpp", 400, error(LLAMA_LONG, type="exceed_context_size_error"), ContextTooLong),
    Case("context, llama.cpp, older", 500, error("the request exceeds the available context size."), ContextTooLong),
    Case("context, LiteLLM", 400, error("litellm.ContextWindowExceededError: BadRequest"), ContextTooLong),
    Case("context, Anthropic", 400, error("prompt is too long: 210000 tokens > 200000 maximum"), ContextTooLong),
    Case("context, Anthropic, sum", 400, error("input length and `max_tokens` exceed context limit"), ContextTooLong),
    Case("context, Gemini", 400, [error(GEMINI_LONG, code=400)], ContextTooLong),
    Case("context, TGI", 422, {"error": TGI_LONG, "error_type": "validation"}, ContextTooLong),
    Case("context, xAI", 400, {"error": "This model's maximum prompt length is 131072"}, ContextTooLong),
    Case("context, Bedrock", 413, {"message": "Input is too long for requested model."}, ContextTooLong),
    Case("context, Ollama", 400, error("the input length exceeds the context length"), ContextTooLong),
    Case("field, named", 400, error("bad", param="response_format.type"), RequestRefused, "bad", "response_format"),
    Case("field, in words", 400, error("temperature must be 1"), RequestRefused, "", "temperature"),
    Case("field, FastAPI", 422, FASTAPI, RequestRefused, "Input should be", "response_format"),
    Case("field, by its words", 400, error("grammar is not supported"), RequestRefused, "", "response_format"),
    Case("field, tool choice", 400, error(NO_AUTO), RequestRefused, "auto", "tool_choice"),
    Case("no field", 400, error("the model can't do this"), RequestRefused, "", None),
    Case("grammar, as 500", 500, error("failed to parse grammar"), RequestRefused, "", "response_format"),
    Case("too large for the proxy", 413, b"<html>Request Entity Too Large</html>", RequestRefused, "Too Large"),
    Case("quotes the request", 400, error(QUOTING), RequestRefused, "validation", "tools"),
    Case("a redirect", 307, b"", FatalModelError, "https://elsewhere/v1"),
    Case("an error in 200, too long", 200, error(OPENAI_LONG, code=400), ContextTooLong),
    Case("an error in 200, rate", 200, error("slow", code=429), RateLimited),
    Case("an error in 200, key", 200, error("no auth", code=401), FatalModelError),
]


def as_bytes(body: Json | list[Any] | bytes) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_failure_is_blamed_on_who_caused_it(case: Case, request_: ModelRequest, model_at: MakeModel) -> None:
    headers = {"location": "https://elsewhere/v1"} if case.status == 307 else {}
    async with model_at(lambda _: httpx2.Response(case.status, content=as_bytes(case.body), headers=headers)) as model:
        with pytest.raises(ModelError) as caught:
            await model.complete(request_)
    assert type(caught.value) is case.kind
    assert case.words in str(caught.value)
    assert getattr(caught.value, "param", None) == case.param
    assert len(str(caught.value)) < 800


SPOILED = {
    "llama.cpp": (500, error("The model produced output that does not match the expected peg-native format"), ""),
    "llama.cpp, older": (500, error("Failed to parse input at pos 395: <|tool_call_start|>[f(x=5)]"), ""),
    "llama.cpp, arguments": (500, error("Failed to parse tool call arguments as JSON: [json.exception]"), ""),
    "Ollama": (500, error("error parsing tool call: raw='{\"a\": ', err=unexpected end of JSON input"), ""),
    "Groq": (400, error("Failed to call a function.", code="tool_use_failed", failed_generation="<grep>"), "<grep>"),
    "vLLM, harmony": (500, error("unexpected tokens remaining in message header: ['to=grep']"), ""),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", SPOILED)
async def test_a_call_the_server_could_not_read_is_the_models_fault(
    name: str, request_: ModelRequest, model_at: MakeModel
) -> None:
    status, body, written = SPOILED[name]
    async with model_at(lambda _: httpx2.Response(status, json=body)) as model:
        reply = await model.complete(request_)
    assert reply.message.content == written
    assert reply.message.tool_calls == ()
    assert reply.finish_reason == "other"
    assert body["error"]["message"][:20] in reply.faults[0]
    assert reply.usage.is_approximate
    assert reply.usage.input_tokens > 0


WAITS: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry-after": "7"}, 7.0),
    "fractions": ({"retry-after": "0.5"}, 0.5),
    "milliseconds": ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
    "Azure's milliseconds": ({"x-ms-retry-after-ms": "1500"}, 1.5),
    "a date": ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, 30.0),
    "a date, and the server's clock": (
        {"retry-after": "Fri, 20 Nov 2026 13:00:30 GMT", "date": "Fri, 20 Nov 2026 13:00:00 GMT"},
        30.0,
    ),
    "a date that is past": ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
    "nothing": ({}, None),
    "empty": ({"retry-after": ""}, None),
    "words": ({"retry-after": "soon"}, None),
    "negative": ({"retry-after": "-5"}, None),
    "infinite": ({"retry-after": "inf"}, None),
    "a year that is none": ({"retry-after": "Wed, 21 Oct 99999999999 07:28:00 GMT"}, None),
    "a time zone that is none": ({"retry-after": "Wed, 21 Oct 2026 07:28:00 +99999999999999"}, None),
    "a clock of the server's that is none": (
        {"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT", "date": "Fri, 20 Nov 99999999999 12:00:00 GMT"},
        30.0,
    ),
}


@pytest.mark.parametrize("name", WAITS)
def test_retry_after_is_read_in_every_form(name: str) -> None:
    headers, expected = WAITS[name]
    assert retry_after_s(headers, now=NOW) == expected


NUMBERS = st.integers(0, 99) | st.integers(0, 10**22)
DATES = st.builds(
    "{}, {} Oct {} {:02}:{:02}:{:02} {}{}".format,
    st.sampled_from(["Wed", ""]),
    *[NUMBERS] * 5,
    st.sampled_from(["GMT", "+", "-", ""]),
    NUMBERS,
)
TEXTS = st.one_of(st.text(max_size=40), DATES)
A_DATE = "Fri, 20 Nov 2026 12:00:30 GMT"


@settings(max_examples=300)
@given(TEXTS, TEXTS)
def test_no_header_makes_the_reading_fail(text: str, date: str) -> None:
    headers = {"retry-after": text, "retry-after-ms": date, "x-ms-retry-after-ms": text, "date": date}
    limits = {f"x-ratelimit-{field}-tokens": text for field in ("limit", "reset")}
    for waits in (headers, {"retry-after": text, "date": date}, {"retry-after": A_DATE, "date": date}):
        wait_s = retry_after_s(waits, now=NOW)
        assert wait_s is None or wait_s >= 0
    for status in read_limits({**limits, "x-ratelimit-remaining-tokens": "1"}, now=NOW).values():
        assert status.reset_s is None or status.reset_s >= 0


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, TransientModelError)])
async def test_the_wait_that_the_server_asks_for_is_on_the_error(
    status: int, kind: type[TransientModelError], request_: ModelRequest, model_at: MakeModel
) -> None:
    async with model_at(lambda _: httpx2.Response(status, headers={"Retry-After": "3"})) as model:
        with pytest.raises(kind) as caught:
            await model.complete(request_)
    assert caught.value.retry_after_s == 3.0


@pytest.mark.anyio
@pytest.mark.parametrize(("key", "advice"), [("sk-12345678", "check the key"), ("", "no key was sent")])
async def test_an_error_names_who_refused_the_key_and_its_variable(
    request_: ModelRequest, monkeypatch: pytest.MonkeyPatch, key: str, advice: str
) -> None:
    monkeypatch.setenv("HOUSE_KEY", key)
    body = {"error": {"message": f"wrong key: {key}"}}
    async with LoopbackServer(lambda _: {}, [answers(401, body)]) as server:
        model, address = OpenAIModel("m", base_url=server.base_url, api_key_env="HOUSE_KEY"), server.base_url
        async with model:
            with pytest.raises(FatalModelError) as caught:
                await model.complete(request_)
    text = str(caught.value)
    assert text.startswith(f"{address}: 401 from the server: ")
    assert advice in text
    assert "HOUSE_KEY" in text
    assert not key or key not in text
