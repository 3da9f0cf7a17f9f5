from hypothesis import given
from hypothesis import strategies as st

from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.message import ToolCall
from selfplay.export.formats.trl import trl_row
from tests.selfplay.traces import a_call, a_contract, a_search, a_step, a_trace, finish

CONTRACT = a_contract()


def test_a_row_is_the_conversation_and_its_tools() -> None:
    row = trl_row(strip_supervision(a_search(), CONTRACT))
    assert list(row) == ["messages", "tools"]
    assert row["messages"][2] == {
        "role": "assistant",
        "content": "The task names a fingerprint.",
        "reasoning_content": "Start with the word itself.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "grep", "arguments": {"pattern": "fingerprint"}}}
        ],
    }
    assert row["messages"][3] == {"role": "tool", "tool_call_id": "c1", "name": "grep", "content": "result of c1"}


def test_no_key_of_a_message_is_null() -> None:
    messages = trl_row(strip_supervision(a_search(), CONTRACT))["messages"]
    assert all(value is not None for message in messages for value in message.values())
    assert messages[4]["content"] == ""


def test_a_null_that_the_model_wrote_stays() -> None:
    messages = trl_row(strip_supervision(a_search(), CONTRACT))["messages"]
    assert messages[4]["tool_calls"][0]["function"]["arguments"] == {"pattern": "header", "glob": None}


def test_a_message_has_no_weight() -> None:
    assert not any("weight" in message for message in trl_row(strip_supervision(a_search(), CONTRACT))["messages"])


def test_a_row_ends_with_the_finish_call() -> None:
    last = trl_row(strip_supervision(a_search(), CONTRACT))["messages"][-1]
    assert last["tool_calls"][0]["function"]["name"] == "finish"


@given(st.text())
def test_arguments_are_what_the_model_wrote_as_an_object(raw: str) -> None:
    call = ToolCall(id="a", name="grep", arguments=raw)
    row = trl_row(strip_supervision(a_trace(a_step(call), a_step(finish())), CONTRACT))
    assert row["messages"][2]["tool_calls"][0]["function"]["arguments"] == (call.parse_arguments() or {})


def test_arguments_of_any_shape_stay_as_they_are() -> None:
    call = a_call("grep", id="a", pattern="x", deep={"a": [1, {"b": None}], "c": 1.5})
    row = trl_row(strip_supervision(a_trace(a_step(call), a_step(finish())), CONTRACT))
    assert row["messages"][2]["tool_calls"][0]["function"]["arguments"] == call.parse_arguments()
