"""A tool's OpenAI function schema, derived from its arguments model.

Small and plain, because the player pays for it in every conversation and because servers turn it into grammars: no
titles, no `$ref`, no union with null; an optional argument has a default instead. Key order is fixed, so that equal
tools give equal bytes.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from selfplay_tools.tools.tool import AnyTool

KEPT = (
    "type",
    "description",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "default",
    "properties",
    "required",
    "additionalProperties",
)
"""The keywords that a schema may have, in the order in which they are written."""
DROPPED = frozenset({"title", "$defs"})

Schema = dict[str, Any]


@cache
def function_schema(tool: AnyTool) -> Schema:
    """`{"type": "function", "function": {...}}`, made once for a tool; not to be changed.

    Raises TypeError for an arguments model that needs more than plain types, lists and nested models: that is a
    mistake in the tool, not in a call of it.
    """
    whole = tool.arguments.model_json_schema()
    parameters = _simplify(whole, whole.get("$defs", {}), of=tool.name)
    del parameters["description"]  # the model's docstring, written for the reader of the code
    parameters.setdefault("properties", {})
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def _simplify(schema: Schema, definitions: Mapping[str, Schema], *, of: str) -> Schema:
    """The schema with references resolved, every keyword known, keys in the order of `KEPT`."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        schema = {**{key: value for key, value in target.items() if key != "description"}, **schema}
        del schema["$ref"]
    unknown = schema.keys() - DROPPED - set(KEPT)
    if unknown:
        raise TypeError(
            f"tool {of!r}: {sorted(unknown)} can't stand in a tool's schema; give the argument a plain type"
        )
    return {key: _simplify_keyword(key, schema[key], definitions, of) for key in KEPT if key in schema}


def _simplify_keyword(key: str, value: object, definitions: Mapping[str, Schema], of: str) -> object:
    if key == "properties":
        return {name: _simplify(inner, definitions, of=of) for name, inner in cast("dict[str, Schema]", value).items()}
    return _simplify(cast("Schema", value), definitions, of=of) if key == "items" else value
