import json
from typing import Any, cast

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from selfplay_tools.tools.finish import FINISH
from selfplay_tools.tools.grep import GREP
from selfplay_tools.tools.schema import KEPT, function_schema
from selfplay_tools.tools.tool import AnyTool, CallResult, Tool, ToolArguments
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS

MAX_TOKENS = 1_500
CHARS_PER_TOKEN = 4

by_tool = pytest.mark.parametrize("tool", DEFAULT_TOOLS, ids=[tool.name for tool in DEFAULT_TOOLS])


def parameters(tool: AnyTool) -> dict[str, Any]:
    return function_schema(tool)["function"]["parameters"]


def keywords(schema: object) -> set[str]:
    """Every keyword that stands anywhere in a schema."""
    if not isinstance(schema, dict):
        return set()
    inner = cast("dict[str, object]", schema)
    properties = cast("dict[str, object]", inner.get("properties", {}))
    return set(inner).union(keywords(inner.get("items")), *map(keywords, properties.values()))


@by_tool
def test_a_schema_is_valid_small_and_closed(tool: AnyTool) -> None:
    schema = parameters(tool)
    jsonschema_rs.Draft202012Validator(schema)  # raises for what is no schema
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert keywords(schema) <= set(KEPT)


@by_tool
def test_every_optional_argument_has_a_default_that_its_own_schema_allows(tool: AnyTool) -> None:
    schema = parameters(tool)
    optional = {name: inner for name, inner in schema["properties"].items() if name not in schema.get("required", [])}
    for inner in optional.values():
        jsonschema_rs.Draft202012Validator(inner).validate(inner["default"])


def test_the_schemas_together_cost_little() -> None:
    text = json.dumps([function_schema(tool) for tool in DEFAULT_TOOLS], ensure_ascii=False, separators=(",", ":"))
    assert len(text) / CHARS_PER_TOKEN < MAX_TOKENS


def test_the_same_tool_gives_the_same_bytes() -> None:
    assert json.dumps(function_schema(GREP)) == json.dumps(function_schema(GREP))
    assert list(parameters(GREP)) == ["type", "properties", "required", "additionalProperties"]


def test_a_nested_model_is_written_in_place() -> None:
    items = parameters(FINISH)["properties"]["files"]["items"]
    assert items["required"] == ["path", "reason"]
    assert items["additionalProperties"] is False


VALUES = st.none() | st.booleans() | st.integers(-2, 500) | st.floats(0, 3) | st.text("ab", max_size=2)
FILES = st.lists(st.dictionaries(st.sampled_from(["path", "reason", "why"]), VALUES, max_size=3) | VALUES, max_size=3)


def calls(tool: AnyTool) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from([*tool.arguments.model_fields, "other"]), VALUES | FILES, max_size=4)


@given(data=st.data())
def test_schema_and_model_allow_the_same_calls(data: st.DataObject) -> None:
    tool = data.draw(st.sampled_from(DEFAULT_TOOLS))
    call = data.draw(calls(tool))
    # JSON Schema takes 1.0 for an integer, the model does not: nothing is changed silently.
    has_float = any(isinstance(value, float) for value in call.values())
    try:
        tool.arguments.model_validate_json(json.dumps(call))
    except ValidationError:
        assert has_float or not jsonschema_rs.Draft202012Validator(parameters(tool)).is_valid(call)
    else:
        assert jsonschema_rs.Draft202012Validator(parameters(tool)).is_valid(call)


class Odd(ToolArguments):
    """An argument that needs a union."""

    word: str | None = Field(None)


def test_a_union_is_refused_where_the_tool_is_made() -> None:
    tool = Tool(name="odd", description="", arguments=Odd, run=lambda _snapshot, _arguments: CallResult(""))
    with pytest.raises(TypeError, match=r"tool 'odd': \['anyOf'\]"):
        function_schema(tool)
