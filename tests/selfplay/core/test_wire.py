import orjson
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.wire import encode_messages, request_body, sendable_arguments, sendable_name

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def user(text: str, origin: Origin = Origin.HINT) -> Message:
    return Message(role="user", content=text, origin=origin)


def tool(text: str) -> Message:
    return Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id="c1", name="grep")


@given(st.lists(texts, min_size=1, max_size=6))
def test_a_body_is_what_plain_json_would_be(texts: list[str]) -> None:
    encoded = encode_messages([tool(text) for text in texts])
    head: dict[str, object] = {"model": "m", "temperature": 0.5, "tools": []}
    assert orjson.loads(request_body(head, encoded)) == {**head, "messages": [dict(m.value) for m in encoded]}
    assert orjson.loads(request_body({}, encoded)) == {"messages": [dict(m.value) for m in encoded]}


def test_neighbouring_user_messages_become_one() -> None:
    encoded = encode_messages([tool("r"), user("a hint"), user("a nudge", Origin.NUDGE)])
    assert [m.value["role"] for m in encoded] == ["tool", "user"]
    assert encoded[1].value["content"] == "a hint\n\na nudge"


def test_in_the_tool_channel_advice_ends_the_last_result_behind_its_mark() -> None:
    encoded = encode_messages([tool("one"), tool("two"), user("a hint")], channel="tool", mark="[advice 7]")
    assert [m.value["content"] for m in encoded] == ["one", "two\n\n[advice 7] a hint"]


def test_in_the_tool_channel_advice_without_a_result_is_a_user_message() -> None:
    message = Message(role="assistant", content="hm", origin=Origin.PLAYER)
    encoded = encode_messages([message, user("a hint")], channel="tool", mark="[advice 7]")
    assert encoded[-1].value == {"role": "user", "content": "[advice 7] a hint"}


def test_the_task_is_never_folded_into_a_result() -> None:
    encoded = encode_messages([tool("r"), user("the task", Origin.TASK)], channel="tool", mark="[advice 7]")
    assert encoded[-1].value == {"role": "user", "content": "the task"}


def test_arguments_that_are_no_object_are_sent_as_an_empty_one() -> None:
    call = ToolCall(id="c", name="grep", arguments='{"pattern": "x')
    encoded = encode_messages([Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(call,))])
    assert encoded[0].value["tool_calls"][0]["function"]["arguments"] == "{}"
    assert call.arguments == '{"pattern": "x'
    assert sendable_arguments("[1]") == "{}"
    assert sendable_arguments('{"a" : 1}') == '{"a" : 1}'


def test_a_name_that_no_tool_can_have_is_sent_as_one_that_it_can() -> None:
    assert [sendable_name(n) for n in ("grep", "", "read file!", "x" * 99)] == [
        "grep",
        "unnamed",
        "read_file_",
        "x" * 64,
    ]


def test_reasoning_goes_back_under_the_wanted_name_or_not_at_all() -> None:
    message = Message(role="assistant", content="c", origin=Origin.PLAYER, reasoning="r")
    assert encode_messages([message], reasoning="reasoning")[0].value["reasoning"] == "r"
    assert encode_messages([message], reasoning="reasoning_content")[0].value["reasoning_content"] == "r"
    assert set(encode_messages([message])[0].value) == {"role", "content"}
