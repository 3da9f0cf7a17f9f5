"""Arguments of calls as objects."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.clean.stages.resampled_turns import is_same_action
from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.clean_trace import Mask
from selfplay.core.message import MAX_DEPTH, Message, Origin, ToolCall, parse_object
from selfplay.export.formats.openai_chat import OPENAI, openai_row
from selfplay.export.formats.trl import TRL, trl_row
from tests.selfplay.traces import a_call, a_contract, a_step, a_trace, finish

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


def nested(levels: int) -> str:
    """An object of so many levels, itself the first."""
    return '{"pattern":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


TWICE = (
    '{"pattern":"look in respond.py, as you were told","pattern":"header"}',
    '{"pattern":"a:b","glob":{"x":1,"x":1}}',
    '{"pattern":"a","\\u0070attern":"b"}',
    '{"pattern" : "a" , "pattern" : [{"n":' + "9" * 300 + "}]}",
)


@given(st.dictionaries(texts, values, max_size=4))
def test_any_object_is_parsed_as_it_was_written(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value)) == value


def test_what_is_parsed_can_be_written_again_within_a_row() -> None:
    value = parse_object(nested(MAX_DEPTH))
    assert value is not None
    assert orjson.dumps([[[[[[[[value]]]]]]]])
    assert parse_object(nested(MAX_DEPTH + 1)) is None
    assert parse_object(json.dumps({"pattern": "[{" * 500})) == {"pattern": "[{" * 500}


@pytest.mark.parametrize("raw", TWICE)
def test_an_object_with_a_key_twice_is_none(raw: str) -> None:
    assert parse_object(raw) is None


@pytest.mark.parametrize("raw", [*TWICE, nested(300), nested(900), nested(2000)])
def test_a_turn_with_such_arguments_is_only_context_and_no_row_shows_them(raw: str) -> None:
    call = a_call("grep", id="a", raw=raw)
    clean = strip_supervision(a_trace(a_step(call), a_step(finish())), a_contract())
    assert Mask.UNPARSABLE in clean.turns[0].masks
    rows = openai_row(clean), trl_row(clean)
    assert [row["messages"][2]["tool_calls"][0]["function"]["arguments"] for row in rows] == ["{}", {}]
    assert OPENAI.lint(rows[0]) == ()
    assert TRL.lint(rows[1], weights=clean.weights) == ()


def test_calls_with_deep_arguments_are_the_same_when_their_text_is() -> None:
    one, other = (
        Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(a_call("grep", id="a", raw=nested(n)),))
        for n in (300, 301)
    )
    assert is_same_action(one, one)
    assert not is_same_action(one, other)


def test_no_object_is_none() -> None:
    assert [ToolCall(id="a", name="grep", arguments=raw).parse_arguments() for raw in ("", "[]", "{", '"x"')] == [
        None
    ] * 4
