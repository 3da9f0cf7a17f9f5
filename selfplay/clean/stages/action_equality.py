"""When two turns are the same action."""

from collections import Counter
from typing import Any, cast

import orjson

from selfplay.core.message import Message, ToolCall
from selfplay.environments.environment import ANSWER_TOOL


def is_same_action(one: Message, other: Message) -> bool:
    """Whether two turns make the same calls, in whatever order and words.

    Arguments are compared as JSON values; one that is null equals one that is left out. Two answers (`finish`) are the
    same when they name the same files: the reasons are words. Two turns without a call are never the same action.
    """
    return bool(one.tool_calls) and Counter(map(_canonical_call, one.tool_calls)) == Counter(
        map(_canonical_call, other.tool_calls)
    )


def _canonical_call(call: ToolCall) -> tuple[str, bytes]:
    values = call.parse_arguments()
    if values is None or call.is_cut:
        return call.name, call.arguments.encode("utf-8", "surrogatepass")
    told = {key: value for key, value in values.items() if value is not None}
    if call.name == ANSWER_TOOL:
        told["files"] = _answer_paths(told.get("files"))
    return call.name, orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _answer_paths(files: object) -> object:
    """The paths of an answer, sorted; anything else as it is."""
    if not isinstance(files, list):
        return files
    named = [cast("dict[str, Any]", f).get("path") for f in cast("list[object]", files) if isinstance(f, dict)]
    return sorted(path for path in named if isinstance(path, str))
