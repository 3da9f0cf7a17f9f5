"""Verdicts: the schema they are asked for with, and how they are read from what models really write."""

import json
import re
from typing import Any

from selfplay.config import VerdictMode
from selfplay.models.protocol import Reply
from selfplay.trace import Quality, Verdict

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "quality": {"type": "string", "enum": [q.value for q in Quality]},
        "why": {"type": "string", "description": "One sentence on the step, for the record."},
        "hint": {"type": ["string", "null"], "description": "What to tell the player; null unless asked for."},
    },
    "required": ["quality", "why", "hint"],
    "additionalProperties": False,
}

MAX_HINT_CHARS = 1000
"""A longer hint is no hint; the prompt asks for one or two sentences."""
TOOL_NAME = "give_verdict"
NEXT_MODE: dict[VerdictMode, VerdictMode] = {"json_schema": "tool", "tool": "text"}
"""What to fall back to where a server refuses a way of asking."""


def verdict_head(mode: VerdictMode) -> dict[str, Any]:
    """The part of a request's head that asks for a verdict in this way."""
    if mode == "json_schema":
        schema = {"name": "verdict", "strict": True, "schema": SCHEMA}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if mode == "tool":
        function = {"name": TOOL_NAME, "description": "Give your verdict on the step.", "parameters": SCHEMA}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    return {}


class UnreadableVerdictError(ValueError):
    """A reply holds no verdict; the message says why, in words for the supervisor."""


def read_verdict(reply: Reply) -> Verdict:
    """The verdict in a reply: the last readable one of its tool call, its text, or its reasoning, in that order.

    Tolerates prose and code fences around the object, a missing or empty hint, other letter case, extra keys.
    Raises UnreadableVerdictError.
    """
    if reply.refusal:
        raise UnreadableVerdictError(f"it was refused: {reply.refusal}")
    texts = [call.arguments for call in reply.message.tool_calls]
    texts += [reply.message.content, reply.message.reasoning or ""]
    problem = "it holds no JSON object"
    for text in texts:
        for value in reversed(objects_in(text)):
            try:
                return _verdict(value)
            except UnreadableVerdictError as error:
                problem = str(error)
    if reply.finish_reason == "length":
        problem = "it was cut off at its length limit; be brief"
    raise UnreadableVerdictError(problem)


def _verdict(value: dict[str, Any]) -> Verdict:
    """Raises UnreadableVerdictError."""
    quality = _text(value, "quality").lower()
    if quality not in set(Quality):
        raise UnreadableVerdictError(f"'quality' is {quality!r}; it must be one of {', '.join(Quality)}")
    hint = _text(value, "hint")
    if len(hint) > MAX_HINT_CHARS:
        raise UnreadableVerdictError(f"the hint has {len(hint)} characters; say it in one or two sentences")
    return Verdict(quality=Quality(quality), why=_text(value, "why"), hint=hint or None)


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key) or ""
    if not isinstance(text, str):
        raise UnreadableVerdictError(f"{key!r} must be a text, not {type(text).__name__}")
    return text.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_DECODER = json.JSONDecoder(strict=False)
_OPEN = re.compile(r"\{")
MAX_OBJECTS = 64
"""Braces that are tried as the beginning of an object; prose has few, a flood of them is no verdict."""


def objects_in(text: str) -> list[dict[str, Any]]:
    """JSON objects that stand in a text, outermost ones only, in order."""
    found: list[dict[str, Any]] = []
    end = tried = 0
    for brace in _OPEN.finditer(text):
        if brace.start() < end:
            continue
        tried += 1
        if tried > MAX_OBJECTS:
            break
        try:
            value, end = _DECODER.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        found.append(value)
    return found
