"""What servers send with status 200, and the reply that it becomes."""

import json
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.errors import ModelError, TransientModelError
from selfplay.core.message import Origin
from selfplay.models.openai.client import read_response, utc_now
from selfplay.models.openai.response import ServerResponse, repair_json
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.models.token_counts import estimate_tokens
from tests.selfplay.models.conftest import MakeModel

Json = dict[str, Any]
USAGE = {"prompt_tokens": 9, "completion_tokens": 4}


def response(message: Json, finish: str | None = "stop", **top: object) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "r1", "object": "chat.completion", "model": "m-2", "choices": [choice], "usage": USAGE, **top}


def grep(arguments: object = '{"pattern":"x"}', call_id: object = "c1", name: object = "grep") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def message_with(*calls: Json, **message: object) -> Json:
    return {"content": None, "tool_calls": list(calls), **message}


@dataclass(frozen=True)
class Case:
    """A response, what is expected of the reply (by dotted path), and what its faults must speak of."""

    name: str
    body: Json | bytes
    expected: Json
    fault: str | None = None
    """None: the reply has no faults."""


DEEPSEEK = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 3}
PARTS = [{"type": "text", "text": "Look "}, {"type": "text", "text": "here"}]
THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
IMAGE = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "seen"}]
CUSTOM = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
HERMES = '<tool_call>{"name": "grep", "arguments": {}}</tool_call>'
FIRST = ("message.tool_calls.0.id", "message.tool_calls.0.name", "message.tool_calls.0.arguments")

CASES = [
    Case("plain text", response({"content": "hello"}), {"message.content": "hello", "finish_reason": "stop"}),
    Case("names and ids", response({"content": ""}), {"model": "m-2", "response_id": "r1", "message.content": ""}),
    Case("content null", response({"content": None}), {"message.content": "", "message.tool_calls": ()}),
    Case("content missing", response({}), {"message.content": ""}),
    Case("tool_calls null", response({"content": "a", "tool_calls": None}), {"message.tool_calls": ()}),
    Case("content in parts", response({"content": PARTS}), {"message.content": "Look here"}, "list of parts"),
    Case(
        "thinking in parts",
        response({"content": THINKING}),
        {"message.content": "yes", "message.reasoning": "hm"},
        "list of parts",
    ),
    Case("strings as parts", response({"content": ["a", "b"]}), {"message.content": "ab"}, "list of parts"),
    Case("an image part", response({"content": IMAGE}), {"message.content": "seen"}, "image_url"),
    Case(
        "a refusal part",
        response({"content": [{"type": "refusal", "refusal": "no"}]}),
        {"refusal": "no", "message.content": ""},
        "list of parts",
    ),
    Case("a refusal", response({"content": None, "refusal": "I can't"}), {"refusal": "I can't"}),
    Case("reasoning (vLLM)", response({"content": "a", "reasoning": "why"}), {"message.reasoning": "why"}),
    Case("reasoning_content", response({"content": "a", "reasoning_content": "why"}), {"message.reasoning": "why"}),
    Case(
        "both names",
        response({"content": "a", "reasoning": None, "reasoning_content": "why"}),
        {"message.reasoning": "why"},
    ),
    Case("empty reasoning", response({"content": "a", "reasoning_content": ""}), {"message.reasoning": None}),
    Case("think tags stay", response({"content": "<think>a</think>b"}), {"message.content": "<think>a</think>b"}),
    Case("calls as text stay", response({"content": HERMES}), {"message.content": HERMES, "message.tool_calls": ()}),
    Case(
        "one call",
        response(message_with(grep()), "tool_calls"),
        {FIRST[0]: "c1", FIRST[1]: "grep", FIRST[2]: '{"pattern":"x"}', "finish_reason": "tool_calls"},
    ),
    Case("finish stop with calls", response(message_with(grep()), "stop"), {"finish_reason": "tool_calls"}),
    Case("text beside a call", response(message_with(grep(), content="so"), "tool_calls"), {"message.content": "so"}),
    Case(
        "arguments as the model wrote them",
        response(message_with(grep('{ "a" : 1,}')), "tool_calls"),
        {FIRST[2]: '{ "a" : 1,}'},
    ),
    Case(
        "arguments as an object",
        response(message_with(grep({"pattern": "é", "n": 1})), "tool_calls"),
        {FIRST[2]: '{"pattern":"é","n":1}'},
        "arguments of call 0 came as an object",
    ),
    Case("arguments as a list", response(message_with(grep([1]))), {FIRST[2]: "[1]"}, "came as list"),
    Case("arguments null", response(message_with(grep(None))), {FIRST[2]: "{}"}, "without arguments"),
    Case("arguments empty", response(message_with(grep(""))), {FIRST[2]: ""}),
    Case(
        "huge number in arguments",
        response(message_with(grep({"n": 10**30}))),
        {FIRST[2]: f'{{"n":{10**30}}}'},
        "object",
    ),
    Case("id null", response(message_with(grep(call_id=None))), {FIRST[0]: "call_0_0"}, "call 0 has no id"),
    Case("id empty", response(message_with(grep(call_id=""))), {FIRST[0]: "call_0_0"}, "call 0 has no id"),
    Case("id a number", response(message_with(grep(call_id=7))), {FIRST[0]: "call_0_0"}, "call 0 has no id"),
    Case("id an object", response(message_with(grep(call_id={}))), {FIRST[0]: "call_0_0"}, "call 0 has no id"),
    Case(
        "two calls with one id",
        response(message_with(grep(), grep())),
        {FIRST[0]: "c1", "message.tool_calls.1.id": "call_0_1"},
        "call 1 has the id of another",
    ),
    Case(
        "a made-up id that is taken",
        response(message_with(grep(call_id="call_0_1"), grep(call_id=None))),
        {"message.tool_calls.1.id": "call_0_1_"},
        "call 1 has no id",
    ),
    Case("name missing", response(message_with(grep(name=None))), {FIRST[1]: ""}, "call 0 names no tool"),
    Case("function missing", response(message_with({"id": "c1"})), {FIRST[1]: ""}, "names no tool"),
    Case("a custom call", response(message_with(CUSTOM)), {FIRST[1]: "shell", FIRST[2]: "ls -l"}, "custom call"),
    Case(
        "legacy function_call",
        response({"content": None, "function_call": {"name": "grep", "arguments": "{}"}}, "function_call"),
        {FIRST[0]: "call_0_0", FIRST[1]: "grep", "finish_reason": "tool_calls"},
        "legacy",
    ),
    Case("cut by length", response({"content": "hal"}, "length"), {"finish_reason": "length"}),
    Case(
        "cut within a call",
        response(message_with(grep(), grep('{"pat', "c2")), "length"),
        {"message.tool_calls.0.is_cut": False, "message.tool_calls.1.is_cut": True, "finish_reason": "length"},
        "last call, which is not carried out",
    ),
    Case("content filter", response({"content": None}, "content_filter"), {"finish_reason": "content_filter"}),
    Case("capitals", response({"content": "a"}, "STOP"), {"finish_reason": "stop"}),
    Case("unknown finish", response({"content": "a"}, "banana"), {"finish_reason": "other"}, "banana"),
    Case("finish null", response({"content": "a"}, None), {"finish_reason": "other"}, "no finish_reason"),
    Case(
        "finish null, calls", response(message_with(grep()), None), {"finish_reason": "tool_calls"}, "no finish_reason"
    ),
    Case("finish says calls, none", response({"content": "a"}, "tool_calls"), {"finish_reason": "stop"}, "without a"),
    Case(
        "cached tokens",
        response({"content": "a"}, usage={**USAGE, "prompt_tokens_details": {"cached_tokens": 5}}),
        {"usage.input_tokens": 9, "usage.cached_tokens": 5, "usage.output_tokens": 4, "usage.is_approximate": False},
    ),
    Case("cached tokens, DeepSeek", response({"content": "a"}, usage=DEEPSEEK), {"usage.cached_tokens": 6}),
    Case("more cached than sent", response({}, usage={**USAGE, "cached_tokens": 99}), {"usage.cached_tokens": 9}),
    Case("details null", response({}, usage={**USAGE, "prompt_tokens_details": None}), {"usage.cached_tokens": 0}),
    Case("usage null", response({"content": "abcdefg"}, usage=None), {"usage.output_tokens": 2}, "no usage"),
    Case(
        "usage half",
        response({"content": "a"}, usage={"prompt_tokens": 9, "completion_tokens": None}),
        {"usage.input_tokens": 9, "usage.output_tokens": 1, "usage.is_approximate": True},
        "incomplete",
    ),
    Case("usage nonsense", response({}, usage={"prompt_tokens": "9", "completion_tokens": -1}), {}, "incomplete"),
    Case(
        "usage as floats",
        response({}, usage={"prompt_tokens": 9.0, "completion_tokens": 4.0}),
        {"usage.input_tokens": 9},
    ),
    Case("no usage at all", {"choices": response({"content": "a"})["choices"]}, {"model": ""}, "no usage"),
    Case(
        "fields beyond the protocol",
        response({"content": "a", "annotations": [], "note": "n"}, timings={"ms": 1}, prompt_logprobs=None),
        {"extra": {"timings": {"ms": 1}, "message": {"note": "n"}}},
    ),
    Case(
        "a provider's cost",
        response({"content": "a"}, usage={**USAGE, "cost": 0.5}),
        {"extra": {"usage": {"cost": 0.5}}},
    ),
    Case("a number beyond 64 bits", response({"content": "a"}, seed=2**80), {"extra": {"seed": str(2**80)}}),
    Case(
        "two choices",
        response({}, choices=[*response({"content": "a"})["choices"], *response({"content": "b"})["choices"]]),
        {"message.content": "a"},
        "2 choices",
    ),
    Case(
        "half of a surrogate pair",
        json.dumps(response({"content": "a\ud800b", "\udfff": 1})).encode(),
        {"message.content": "a\ufffdb", "extra": {"message": {"\ufffd": 1}}},
    ),
    Case("a whole pair", json.dumps(response({"content": "\U0001f600"})).encode(), {"message.content": "\U0001f600"}),
    Case(
        "bytes that are not UTF-8",
        json.dumps(response({"content": "a@b"})).encode().replace(b"@", b"\xff"),
        {"message.content": "a\ufffdb"},
    ),
    Case(
        "a byte-order mark", b"\xef\xbb\xbf" + json.dumps(response({"content": "a"})).encode(), {"message.content": "a"}
    ),
]


def value_at(reply: ModelReply, path: str) -> object:
    value: Any = reply
    for name in path.split("."):
        value = value[int(name)] if name.isdigit() else getattr(value, name)
    return value


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_what_servers_send_is_read(case: Case, request_: ModelRequest, model_at: MakeModel) -> None:
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
    async with model_at(lambda _: httpx2.Response(200, content=body)) as model:
        reply = await model.complete(request_)
    assert {path: value_at(reply, path) for path in case.expected} == case.expected
    assert (case.fault or "") in "; ".join(reply.faults)
    assert bool(reply.faults) == (case.fault is not None)
    assert ModelReply.model_validate_json(orjson.dumps(reply.model_dump(mode="json"))) == reply
    assert reply.message.origin is Origin.PLAYER


FOREIGN: dict[str, tuple[bytes, dict[str, str], str]] = {
    "an empty body": (b"", {}, "empty body"),
    "HTML": (b"<!DOCTYPE html><title>Sign in</title>", {"content-type": "text/html"}, "HTML"),
    "plain text": (b"upstream connect error", {"content-type": "text/plain"}, "text/plain"),
    "half of the JSON": (orjson.dumps(response({"content": "hello"}))[:-40], {}, "cut or no JSON"),
    "a list": (b"[]", {}, "no chat completion"),
    "a string": (b'"ok"', {}, "no chat completion"),
    "null": (b"null", {}, "no chat completion"),
    "nothing in it": (b"{}", {}, "no choices"),
    "choices null": (b'{"choices": null}', {}, "no choices"),
    "choices empty": (b'{"choices": []}', {}, "no choices"),
    "choices of a wrong type": (b'{"choices": [3]}', {}, "choices.0"),
    "a choice without a message": (b'{"choices": [{"index": 0}]}', {}, "without a message"),
    "content of a wrong type": (orjson.dumps(response({"content": 5})), {}, "content"),
    "a model's name as call": (orjson.dumps(response({"tool_calls": ["grep"]})), {}, "tool_calls"),
    "an event stream": (b'data: {"choices": []}\n\ndata: [DONE]\n', {}, "event stream"),
    "an error": (b'{"error": {"message": "engine is dead"}}', {}, "engine is dead"),
    "an error as text": (b'{"error": "loading model"}', {}, "loading model"),
    "an error with a server's code": (b'{"error": {"code": 502, "message": "bad upstream"}}', {}, "502"),
    "an error within the choice": (orjson.dumps(response({"content": ""}, "error")), {}, "broke off"),
    "an abort": (orjson.dumps(response({"content": "a"}, "abort")), {}, "broke off"),
    "JSON nested without end": (b'{"choices":' + b"[" * 100_000, {}, "no JSON"),
    "binary": (bytes(range(256)), {}, "no JSON"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", FOREIGN)
async def test_a_foreign_response_is_worth_another_try(name: str, request_: ModelRequest, model_at: MakeModel) -> None:
    body, headers, words = FOREIGN[name]
    async with model_at(lambda _: httpx2.Response(200, content=body, headers=headers)) as model:
        with pytest.raises(TransientModelError, match=words) as caught:
            await model.complete(request_)
    assert len(str(caught.value)) < 600


@pytest.mark.anyio
async def test_a_reply_is_born_with_the_origin_that_was_asked_for(request_: ModelRequest, model_at: MakeModel) -> None:
    asked = ModelRequest(request_.head, request_.messages, turn=4, origin=Origin.SUPERVISOR)
    body = orjson.dumps(response(message_with(grep(call_id=None))))
    async with model_at(lambda _: httpx2.Response(200, content=body)) as model:
        reply = await model.complete(asked)
    assert reply.message.origin is Origin.SUPERVISOR
    assert reply.message.tool_calls[0].id == "call_4_0"


def test_the_estimate_is_bytes_by_three_and_a_half(request_: ModelRequest) -> None:
    answer = ServerResponse(200, orjson.dumps(response({"content": "ééé", "reasoning": "a"}, usage=None)))
    usage = read_response(answer, request_, utc_now()).usage
    assert (usage.input_tokens, usage.output_tokens) == (estimate_tokens(len(request_.body())), 2)
    assert [estimate_tokens(n) for n in (0, 1, 3, 4, 7, 8)] == [0, 1, 1, 2, 2, 3]


ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS: st.SearchStrategy[Any] = st.lists(st.fixed_dictionaries({"id": ANY_JSON, "function": ANY_JSON}), max_size=3)
NAMES = ["content", "tool_calls", "reasoning", "refusal", "function_call", "x"]
MESSAGE: st.SearchStrategy[Any] = st.dictionaries(st.sampled_from(NAMES), ANY_JSON | CALLS)
CHOICE: st.SearchStrategy[Any] = st.fixed_dictionaries({"message": MESSAGE, "finish_reason": ANY_JSON | st.text()})
COUNTS: st.SearchStrategy[Any] = st.dictionaries(st.sampled_from(sorted(DEEPSEEK)), ANY_JSON)
SHAPED: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE, max_size=2), "usage": ANY_JSON | COUNTS, "error": ANY_JSON, "id": ANY_JSON}
)


@given(SHAPED | ANY_JSON)
def test_any_json_is_a_storable_reply_or_a_model_error(value: object) -> None:
    asked = ModelRequest({}, (), turn=0)
    try:
        reply = read_response(ServerResponse(200, json.dumps(value).encode()), asked, utc_now())
    except ModelError:
        return
    assert ModelReply.model_validate_json(orjson.dumps(reply.model_dump(mode="json"))).message == reply.message
    ids = [call.id for call in reply.message.tool_calls]
    assert len(set(ids)) == len(ids)


@given(st.binary(max_size=60) | st.text().map(lambda text: json.dumps({"error": text}).encode()))
def test_any_bytes_are_read_without_a_crash(body: bytes) -> None:
    with pytest.raises(TransientModelError):
        read_response(ServerResponse(200, body), ModelRequest({}, (), turn=0), utc_now())


@given(ANY_JSON)
def test_repaired_json_is_the_same_json(value: object) -> None:
    text = json.dumps(value)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        orjson.loads(repair_json(text.encode()).replace(b"NaN", b"0").replace(b"Infinity", b"0"))
    else:
        assert json.loads(repair_json(text.encode())) == json.loads(text)
