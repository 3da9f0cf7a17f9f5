import orjson
from hypothesis import given
from hypothesis import strategies as st

from selfplay.clean.stages.strip import strip_supervision
from selfplay.export.formats.openai_chat import openai_row
from tests.selfplay.traces import a_call, a_contract, a_search, a_step, a_trace, finish

CONTRACT = a_contract()


def test_a_row_is_the_conversation_with_a_weight_on_each_turn() -> None:
    row = openai_row(strip_supervision(a_search(), CONTRACT))
    assert list(row) == ["messages", "tools", "parallel_tool_calls"]
    assert row["tools"] == list(CONTRACT.tools)
    assert [(m["role"], m.get("weight")) for m in row["messages"]] == [
        *(("system", None), ("user", None), ("assistant", 1), ("tool", None)),
        *(("assistant", 1), ("tool", None), ("tool", None), ("assistant", 0), ("tool", None)),
        *(("assistant", 1), ("tool", None), ("assistant", 1)),
    ]


def test_a_row_ends_with_the_finish_call_and_without_its_result() -> None:
    last = openai_row(strip_supervision(a_search(), CONTRACT))["messages"][-1]
    assert [call["function"]["name"] for call in last["tool_calls"]] == ["finish"]


def test_arguments_are_the_text_that_the_model_wrote() -> None:
    row = openai_row(strip_supervision(a_search(), CONTRACT))
    function = row["messages"][2]["tool_calls"][0]["function"]
    assert function == {"name": "grep", "arguments": '{ "pattern":"finger\\u0070rint" }'}


@given(
    st.dictionaries(
        st.text(max_size=5), st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
    )
)
def test_arguments_round_trip(values: dict[str, object]) -> None:
    call = a_call("grep", id="a", raw=orjson.dumps(values).decode())
    row = openai_row(strip_supervision(a_trace(a_step(call), a_step(finish())), CONTRACT))
    assert orjson.loads(row["messages"][2]["tool_calls"][0]["function"]["arguments"]) == values


def test_arguments_that_do_not_parse_stand_as_the_model_saw_them_afterwards() -> None:
    broken = a_call("grep", id="a", raw='{"pattern": "x')
    turn = openai_row(strip_supervision(a_trace(a_step(broken), a_step(finish())), CONTRACT))["messages"][2]
    assert turn["tool_calls"][0]["function"]["arguments"] == "{}"
    assert turn["weight"] == 0


def test_content_is_null_only_beside_calls_without_text() -> None:
    contents = [
        m["content"]
        for m in openai_row(strip_supervision(a_search(), CONTRACT))["messages"]
        if m["role"] == "assistant"
    ]
    assert [content is None for content in contents] == [False, True, False, False, False]


def test_reasoning_is_left_out_and_counted() -> None:
    clean = strip_supervision(a_search(), CONTRACT)
    assert b"Start with the word itself" not in orjson.dumps(openai_row(clean))


def test_parallel_calls_are_announced_only_where_a_row_has_some() -> None:
    one = strip_supervision(a_trace(a_step(a_call("grep", id="a", pattern="x")), a_step(finish())), CONTRACT)
    assert not one.has_parallel_calls
    assert openai_row(one)["parallel_tool_calls"] is False
    assert openai_row(strip_supervision(a_search(), CONTRACT))["parallel_tool_calls"] is True
