"""What a model wrote, turned into a tool's arguments, or into words about what is wrong with it."""

from difflib import get_close_matches
from typing import NoReturn, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, from_json

from selfplay_tools.errors import BadArgument
from selfplay_tools.output import format_names, quote
from selfplay_tools.tools.tool import AnyTool, ToolArguments

MAX_ARGUMENT_CHARS = 50_000
"""No honest call is longer; it also bounds what patterns and paths can cost."""
MAX_COMPLAINTS = 5
QUOTED_CHARS = 25
"""Characters quoted on either side of the place where the JSON breaks."""

WANTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "an object",
}
"""What a wrong type should have been, by pydantic's name of the error."""
LIMITS = {
    "greater_than_equal": "must be at least {ge}, not {given}",
    "less_than_equal": "must be at most {le}, not {given}",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length} in it",
    "too_long": "may have at most {max_length} in it, not {actual_length}",
}
"""What a value out of range should have been, likewise."""


def refuse_unknown_tool(name: str, known: tuple[str, ...]) -> NoReturn:
    """Raise BadArgument with the nearest tool and the list of all."""
    raise BadArgument(
        f"there is no tool {quote(name)}{_suggest_nearest(name, known)}\nThe tools are: {', '.join(known)}"
    )


def parse_arguments(tool: AnyTool, written: str) -> ToolArguments:
    """The call's arguments, checked. Raises BadArgument with everything that is wrong with them."""
    if len(written) > MAX_ARGUMENT_CHARS:
        raise BadArgument(
            f"the arguments of {tool.name} have {len(written):,} characters; at most {MAX_ARGUMENT_CHARS:,} are read"
        )
    value = _parse_json(tool, written)
    if not isinstance(value, dict):
        raise BadArgument(
            f"the arguments of {tool.name} must be one JSON object, not {_describe_kind(value)}; "
            f"{_describe_minimum(tool)}"
        )
    try:
        return tool.arguments.model_validate_json(written)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False)
    complaints = [_describe_error(error, tool) for error in errors if not _is_consequence(error, errors)]
    more = [f"and {len(complaints) - MAX_COMPLAINTS} more"] if len(complaints) > MAX_COMPLAINTS else []
    raise BadArgument(
        "\n- ".join([f"{_describe_signature(tool)}; it was not run:", *complaints[:MAX_COMPLAINTS], *more])
    )


def _parse_json(tool: AnyTool, written: str) -> object:
    try:
        return from_json(written.encode())
    except UnicodeEncodeError as broken:
        at, why = broken.start, "a lone surrogate is no character"
    except ValueError as broken:
        why, at = _locate_error(str(broken), written)
    if not written.strip():
        raise BadArgument(f"the arguments of {tool.name} are empty; {_describe_minimum(tool)}")
    around = written[max(0, at - QUOTED_CHARS) : at + QUOTED_CHARS]
    raise BadArgument(
        f"the arguments of {tool.name} are not valid JSON: {why}, at character {at + 1:,} of {len(written):,}, "
        f"near {quote(around)}; write one JSON object, with quotes, backslashes and line ends in strings escaped"
    )


def _locate_error(message: str, written: str) -> tuple[str, int]:
    """The parser's words, and the place they speak of as a position in `written`: it counts lines and bytes.

    Column 0 is the line end before the line.
    """
    why, _, place = message.rpartition(" at line ")
    line, _, column = place.partition(" column ")
    lines = written.split("\n")[: int(line)]
    inside = lines.pop().encode()[: max(int(column) - 1, 0)].decode(errors="ignore")
    start = sum(len(text) + 1 for text in lines)
    return why, max(start + len(inside) - (column == "0"), 0)


def _is_consequence(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """True for a list that is "too short" only because what is in it is wrong."""
    where = error["loc"]
    return error["type"] == "too_short" and any(other["loc"][: len(where)] == where != other["loc"] for other in errors)


def _describe_error(error: ErrorDetails, tool: AnyTool) -> str:
    given = error["input"]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).removeprefix(".")
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"there is no argument {quote(name)}{_suggest_nearest(name, _list_known_names(error['loc'], tool))}"
    if kind == "missing":
        return f"the argument {name!r} is missing"
    if kind in WANTED:
        return f"{name!r} must be {WANTED[kind]}, not {_describe_kind(given)} {_describe_value(given)}".rstrip()
    if kind in LIMITS:
        return f"{name!r} {LIMITS[kind].format(**error.get('ctx', {}), given=_describe_value(given))}"
    return f"{name!r}: {error['msg'].removeprefix('Value error, ')}"


def _describe_kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "the boolean"
        case int() | float():
            return "the number"
        case str():
            return "the string"
        case list() | tuple():
            return "a list"
        case _:
            return "an object"


def _describe_value(value: object) -> str:
    match value:
        case str():
            return quote(value)
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)[:40]
        case _:
            return ""


def _describe_signature(tool: AnyTool) -> str:
    """The tool's arguments in one line: `grep takes pattern, path="", limit=50`."""
    takes = [_describe_argument(name, field) for name, field in tool.arguments.model_fields.items()]
    return f"{tool.name} takes {', '.join(takes)}"


def _describe_argument(name: str, field: FieldInfo) -> str:
    inner = _inner_model_of(field)
    if inner:
        return f"{name}=[{{{', '.join(inner.model_fields)}}}, ...]"
    return name if field.is_required() else f"{name}={_format_default(field.default)}"


def _inner_model_of(field: FieldInfo) -> type[ToolArguments] | None:
    """The model that a list holds, if it holds one."""
    inside: tuple[object, ...] = get_args(field.annotation)
    return next((part for part in inside if isinstance(part, type) and issubclass(part, ToolArguments)), None)


def _list_known_names(where: tuple[int | str, ...], tool: AnyTool) -> tuple[str, ...]:
    """The names that may stand where an unknown one was found."""
    inner = _inner_model_of(tool.arguments.model_fields[str(where[0])]) if len(where) > 1 else None
    return tuple((inner or tool.arguments).model_fields)


def _format_default(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else quote(value) if isinstance(value, str) else str(value)


def _describe_minimum(tool: AnyTool) -> str:
    required = [name for name, field in tool.arguments.model_fields.items() if field.is_required()]
    return f"write an object with {format_names(required)}" if required else "write {} for none"


def _suggest_nearest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name.lower().rpartition(".")[2][:100], known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
