import json
import re
from pathlib import Path
from typing import Any

import pytest

from selfplay.core.errors import (
    ContextTooLong,
    FatalModelError,
    InputError,
    ModelError,
    RateLimited,
    RequestRefused,
    ScriptError,
    TransientModelError,
)
from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.models.offline.scripted import (
    FailureKind,
    ScriptedModel,
    ScriptLine,
    call,
    fails,
    judges,
    raw_call,
    read_script,
    says,
)
from selfplay.models.protocol import ModelRequest


def request_at_turn(number: int, origin: Origin = Origin.PLAYER) -> ModelRequest:
    task = Message(role="user", content="find it", origin=Origin.TASK)
    return ModelRequest({"model": "m"}, tuple(encode_messages([task])), turn=number, origin=origin)


@pytest.mark.anyio
async def test_a_script_answers_turn_by_turn_and_keeps_what_was_asked() -> None:
    model = ScriptedModel([says("looking", call("grep", pattern="é", limit=3)), says("done")])
    first, second = await model.complete(request_at_turn(0)), await model.complete(request_at_turn(1))
    [made] = first.message.tool_calls
    assert (first.message.content, made.name, made.id) == ("looking", "grep", "call_0_0")
    assert made.parse_arguments() == {"pattern": "é", "limit": 3}
    assert (first.finish_reason, second.finish_reason) == ("tool_calls", "stop")
    assert first.faults == second.faults == ()
    assert first.usage.is_approximate
    assert first.usage.total_tokens > 0
    assert [request.turn for request in model.asked] == [0, 1]
    await model.aclose()


@pytest.mark.anyio
async def test_the_same_request_gets_the_same_reply() -> None:
    model = ScriptedModel([says("a", call("grep"), call("grep"))])
    assert await model.complete(request_at_turn(0)) == await model.complete(request_at_turn(0))


@pytest.mark.anyio
async def test_a_resumed_episode_goes_on_where_it_was() -> None:
    lines = [says(str(i)) for i in range(4)]
    resumed = ScriptedModel(lines)
    assert [(await resumed.complete(request_at_turn(i))).message.content for i in (2, 3)] == ["2", "3"]
    await resumed.aclose()


@pytest.mark.anyio
async def test_a_turn_beyond_the_script_is_an_error() -> None:
    model = ScriptedModel([says("only")], name="scripted:a.jsonl")
    with pytest.raises(ScriptError, match=r"scripted:a\.jsonl: asked for turn 2"):
        await model.complete(request_at_turn(1))


@pytest.mark.anyio
async def test_lines_that_were_not_used_are_an_error() -> None:
    model = ScriptedModel([says("a"), fails("server"), says("b"), says("c")])
    await model.complete(request_at_turn(0))
    with pytest.raises(ScriptError, match="3 of its lines were not used; turn 1"):
        await model.aclose()


@pytest.mark.anyio
async def test_a_script_that_was_never_asked_is_no_error() -> None:
    await ScriptedModel([says("a")]).aclose()


@pytest.mark.anyio
async def test_failures_come_once_before_their_turn() -> None:
    model = ScriptedModel([says("a"), fails("rate_limited", retry_after_s=2), fails("timeout"), says("b")])
    assert (await model.complete(request_at_turn(0))).message.content == "a"
    with pytest.raises(RateLimited) as caught:
        await model.complete(request_at_turn(1))
    assert caught.value.retry_after_s == 2
    with pytest.raises(TransientModelError):
        await model.complete(request_at_turn(1))
    assert (await model.complete(request_at_turn(1))).message.content == "b"
    await model.aclose()


@pytest.mark.anyio
async def test_after_a_failure_without_another_try_its_line_is_left_over() -> None:
    model = ScriptedModel([fails("server"), says("a")])
    with pytest.raises(TransientModelError):
        await model.complete(request_at_turn(0))
    with pytest.raises(ScriptError, match="1 of its lines"):
        await model.aclose()


@pytest.mark.anyio
async def test_a_script_may_end_with_a_failure() -> None:
    model = ScriptedModel([fails("fatal")])
    with pytest.raises(FatalModelError):
        await model.complete(request_at_turn(0))
    await model.aclose()
    with pytest.raises(ScriptError, match="which was a failure"):
        await model.complete(request_at_turn(0))


KINDS: dict[FailureKind, type[ModelError]] = {
    "rate_limited": RateLimited,
    "server": TransientModelError,
    "timeout": TransientModelError,
    "refused": RequestRefused,
    "context": ContextTooLong,
    "fatal": FatalModelError,
}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_failure_has_its_error(kind: FailureKind) -> None:
    with pytest.raises(ModelError, match="why") as caught:
        await ScriptedModel([fails(kind, "why")]).complete(request_at_turn(0))
    assert type(caught.value) is KINDS[kind]


@pytest.mark.anyio
async def test_a_cut_reply_can_be_scripted() -> None:
    model = ScriptedModel([says("", call("grep"), raw_call("grep", '{"pat'), finish_reason="length")])
    reply = await model.complete(request_at_turn(0))
    assert [c.is_cut for c in reply.message.tool_calls] == [False, True]
    assert reply.message.tool_calls[1].arguments == '{"pat'
    assert reply.finish_reason == "length"


@pytest.mark.anyio
async def test_a_verdict_is_json_in_the_supervisors_name() -> None:
    reply = await ScriptedModel([judges("productive", "near", "Who sets headers?")]).complete(
        request_at_turn(0, Origin.SUPERVISOR)
    )
    assert json.loads(reply.message.content) == {"quality": "productive", "why": "near", "hint": "Who sets headers?"}
    assert reply.message.origin is Origin.SUPERVISOR


SHORT = {"say": "I look.", "call": {"name": "grep", "arguments": {"pattern": "x"}}}
FUNCTION = {"name": "grep", "arguments": '{"pattern":"x"}'}
LONG = {
    "role": "assistant",
    "content": "I look.",
    "tool_calls": [{"id": "c9", "type": "function", "function": FUNCTION}],
}


async def replies_of(tmp_path: Path, *lines: object) -> list[Message]:
    path = tmp_path / "script.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    model = ScriptedModel.from_file(path)
    assert model.name == f"scripted:{path}"
    count = sum(bool(line) for line in lines)
    return [(await model.complete(request_at_turn(i))).message for i in range(count)]


@pytest.mark.anyio
async def test_a_file_holds_either_form(tmp_path: Path) -> None:
    short, long = await replies_of(tmp_path, SHORT, "", LONG)
    assert (short.tool_calls[0].id, long.tool_calls[0].id) == ("call_0_0", "c9")
    assert short.content == long.content == "I look."
    assert [c.model_copy(update={"id": ""}) for c in short.tool_calls] == [
        c.model_copy(update={"id": ""}) for c in long.tool_calls
    ]


@pytest.mark.anyio
async def test_a_file_holds_many_calls_reasoning_and_verdicts(tmp_path: Path) -> None:
    both = {"say": "", "calls": [{"name": "a"}, {"name": "b", "arguments": "{not json"}], "reasoning": "hm"}
    verdict = {"verdict": {"quality": "neutral", "why": "so", "hint": None}}
    first, second, third = await replies_of(tmp_path, both, verdict, {"content": "x", "reasoning_content": "y"})
    assert [(c.name, c.arguments) for c in first.tool_calls] == [("a", "{}"), ("b", "{not json")]
    assert first.reasoning == "hm"
    assert json.loads(second.content) == verdict["verdict"]
    assert (third.content, third.reasoning) == ("x", "y")


@pytest.mark.anyio
async def test_a_file_holds_failures(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('{"error": "rate_limited", "retry_after_s": 1.5}\n{"say": "a"}\n')
    model = ScriptedModel.from_file(path)
    with pytest.raises(RateLimited) as caught:
        await model.complete(request_at_turn(0))
    assert caught.value.retry_after_s == 1.5
    assert (await model.complete(request_at_turn(0))).message.content == "a"


BAD: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "not JSON"),
    "a list": ([], "one of the keys"),
    "no known key": ({"text": "a"}, "one of the keys"),
    "an unknown key": ({"say": "a", "cals": []}, "cals"),
    "a wrong type": ({"say": 3}, "say"),
    "another role": ({"role": "user", "content": "a"}, "role"),
    "an unknown failure": ({"error": "tired"}, "error"),
    "a call without a name": ({"call": {"arguments": {}}}, "name"),
    "an unknown key in a message": ({"content": "a", "reasonning": "b"}, "reasonning"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", BAD)
async def test_a_bad_line_is_named_with_file_and_number(name: str, tmp_path: Path) -> None:
    line, words = BAD[name]
    with pytest.raises(InputError, match=rf"script\.jsonl:2: .*{words}"):
        await replies_of(tmp_path, SHORT, line)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: can't be read"):
        ScriptedModel.from_file(tmp_path / "none.jsonl")


def test_the_forms_in_the_documentation_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs/models.md").read_text("utf-8")
    [example] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "script.jsonl"
    path.write_text(example, "utf-8")
    assert len(read_script(path)) == 6


def test_a_line_is_a_value() -> None:
    lines: list[ScriptLine] = [says("a", call("b")), fails("server")]
    assert lines == [says("a", call("b")), fails("server")]
