import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.tools.schema import MAX_DIFFERENCES, Schema, find_differences, function_schema
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS

ALL = [function_schema(tool) for tool in DEFAULT_TOOLS]
GREP = ALL[3]


def change_schema(change: dict[str, Any]) -> Schema:
    """`grep` with some of its limit's keywords replaced, None taking one out."""
    schema = json.loads(json.dumps(GREP))
    limit = schema["function"]["parameters"]["properties"]["limit"]
    limit.update(change)
    for key in [key for key, value in change.items() if value is None]:
        del limit[key]
    return schema


def test_equal_tools_do_not_differ() -> None:
    assert find_differences(ALL, json.loads(json.dumps(ALL))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"default": 20}, "grep.function.parameters.properties.limit.default: 50 here, 20 expected"),
        ({"default": 50.0}, "grep.function.parameters.properties.limit.default: 50 here, 50.0 expected"),
        ({"default": None}, "grep.function.parameters.properties.limit.default: 50 here, nothing expected"),
        ({"format": "x"}, 'grep.function.parameters.properties.limit.format: nothing here, "x" expected'),
    ],
)
def test_a_difference_is_told_where_it_is(change: dict[str, Any], said: str) -> None:
    assert find_differences([GREP], [change_schema(change)]) == [said]


def test_tools_that_only_one_side_has_are_named() -> None:
    assert find_differences(ALL[:3], ALL[1:4]) == [
        "grep: expected, and not among the tools here",
        "list_dir: among the tools here, and not expected",
    ]


def test_another_order_is_a_difference() -> None:
    """Chat templates print schemas as they come: another order is another prompt."""
    assert find_differences(ALL[:2], ALL[1::-1]) == [
        "the order of the tools: list_dir, find_files here, find_files, list_dir expected"
    ]
    turned = {"function": dict(reversed(GREP["function"].items())), "type": "function"}
    assert [line.partition(":")[0] for line in find_differences([GREP], [turned])] == ["grep.function", "grep"]


def test_what_is_no_function_tool_is_a_difference() -> None:
    assert find_differences([], [{"name": "grep"}]) == [
        '[no function tool: {"name": "grep"}]: expected, and not among the tools here'
    ]


def test_many_differences_are_counted() -> None:
    unknown = [{"function": {"name": str(number)}} for number in range(MAX_DIFFERENCES + 5)]
    found = find_differences([], unknown)
    assert len(found) == MAX_DIFFERENCES + 1
    assert found[-1] == "and 5 more"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(ours=VALUES, expected=VALUES)
def test_schemas_differ_exactly_when_their_bytes_do(ours: object, expected: object) -> None:
    one, other = ({"type": "function", "function": {"name": "t", "parameters": value}} for value in (ours, expected))
    assert (find_differences([one], [other]) == []) == (json.dumps(one) == json.dumps(other))
