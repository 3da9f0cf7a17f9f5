from selfplay.core.message import Message, Origin, ToolCall
from selfplay.models.dialogue import Dialogue, message_from_reply
from selfplay.models.protocol import ModelReply


def message_of(role: str, text: str, origin: Origin) -> Message:
    return Message.model_validate({"role": role, "content": text, "origin": origin})


def test_every_request_begins_with_the_one_before() -> None:
    dialogue = Dialogue()
    dialogue.append(message_of("system", "s", Origin.PROMPT), message_of("user", "t", Origin.TASK))
    first = dialogue.build_request({}, Origin.PLAYER)
    dialogue.append(message_of("assistant", "a", Origin.PLAYER), message_of("user", "h", Origin.HINT))
    second = dialogue.build_request({}, Origin.PLAYER)
    assert second.messages[: len(first.messages)] == first.messages
    assert second.body().startswith(first.body()[:-2])
    assert (first.turn, second.turn) == (0, 1)


def test_messages_added_between_two_requests_are_not_merged_into_those_that_were_sent() -> None:
    dialogue = Dialogue()
    dialogue.append(message_of("user", "t", Origin.TASK))
    first = dialogue.build_request({}, Origin.PLAYER)
    dialogue.append(message_of("user", "h", Origin.HINT))
    assert dialogue.build_request({}, Origin.PLAYER).messages[:1] == first.messages


def test_a_verdict_by_tool_call_becomes_text() -> None:
    call = ToolCall(id="c", name="give_verdict", arguments='{"quality": "neutral"}')
    message = Message(role="assistant", content="", origin=Origin.SUPERVISOR, tool_calls=(call,))
    assert message_from_reply(ModelReply(message=message)).content == call.arguments
    assert message_from_reply(ModelReply(message=message)).tool_calls == ()


def test_of_a_verdict_with_prose_beside_it_the_verdict_is_kept() -> None:
    call = ToolCall(id="c", name="give_verdict", arguments='{"quality": "neutral"}')
    message = Message(role="assistant", content="Let me see.", origin=Origin.SUPERVISOR, tool_calls=(call,))
    assert message_from_reply(ModelReply(message=message)).content == call.arguments


def test_an_empty_reply_becomes_a_text_that_servers_take() -> None:
    assert message_from_reply(
        ModelReply(message=Message(role="assistant", content="", origin=Origin.SUPERVISOR))
    ).content


def test_a_players_message_is_kept_as_it_is() -> None:
    call = ToolCall(id="c", name="grep", arguments="{}")
    message = Message(role="assistant", content="x", origin=Origin.PLAYER, tool_calls=(call,))
    assert message_from_reply(ModelReply(message=message)) is message
