"""Verdicts and guesses: the schemas they are asked for with, and how they are read from what models really write."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from selfplay.config import VerdictMode
from selfplay.core.trace import Quality, Verdict
from selfplay.models.protocol import ModelReply

VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "quality": {"type": "string", "enum": [q.value for q in Quality]},
        "why": {"type": "string", "description": "One sentence on the step, for the record."},
        "hint": {"type": ["string", "null"], "description": "What to tell the player; null unless asked for."},
    },
    "required": ["quality", "why", "hint"],
    "additionalProperties": False,
}

FILES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "why": {"type": "string", "description": "What speaks for them, in a sentence."},
        "files": {"type": "array", "items": {"type": "string"}, "description": "Paths, the likeliest first."},
    },
    "required": ["why", "files"],
    "additionalProperties": False,
}

MAX_HINT_CHARS = 1000
"""A longer hint is no hint; the prompt asks for one or two sentences."""


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """What a model is asked to fill in."""

    name: str
    tool: str
    description: str
    schema: dict[str, Any]


VERDICT_FORM = ReplyForm("verdict", "give_verdict", "Give your verdict on the step.", VERDICT_SCHEMA)
FILES_FORM = ReplyForm("files", "name_files", "Name the files that you would open.", FILES_SCHEMA)
FALLBACK_MODE: dict[VerdictMode, VerdictMode] = {"json_schema": "tool", "tool": "text"}
"""What to fall back to where a server refuses a way of asking."""


def form_head(mode: VerdictMode, form: ReplyForm = VERDICT_FORM) -> dict[str, Any]:
    """The part of a request's head that asks for a form in this way."""
    if mode == "json_schema":
        schema = {"name": form.name, "strict": True, "schema": form.schema}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if mode == "tool":
        function = {"name": form.tool, "description": form.description, "parameters": form.schema}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    return {}


class UnreadableReplyError(ValueError):
    """A reply does not hold what was asked for; the message says why, in words for the model."""


def read_verdict(reply: ModelReply) -> Verdict:
    """The verdict in a reply: the last readable one of its tool call, its text, or its reasoning, in that order.

    Tolerates prose and code fences around the object, a missing or empty hint, other letter case, extra keys.
    Raises UnreadableVerdictError.
    """
    problem = _explain_missing_object(reply)
    for value in _find_form_values(reply):
        try:
            return _parse_verdict(value)
        except UnreadableReplyError as error:
            problem = str(error)
    raise UnreadableReplyError(problem if reply.finish_reason != "length" else _explain_missing_object(reply))


def read_guessed_paths(reply: ModelReply) -> tuple[str, ...]:
    """The paths in a judge's reply as it wrote them, each once. Raises UnreadableVerdictError."""
    problem = _explain_missing_object(reply)
    for value in _find_form_values(reply):
        files = value.get("files")
        if isinstance(files, list):
            named = [name.strip() for name in files if isinstance(name, str)]  # pyright: ignore[reportUnknownVariableType]
            return tuple(dict.fromkeys(filter(None, named)))
        problem = "'files' is no list"
    raise UnreadableReplyError(problem)


def _find_form_values(reply: ModelReply) -> Iterator[dict[str, Any]]:
    """JSON objects of a reply, the likeliest first. Raises UnreadableVerdictError where the model refused."""
    if reply.refusal:
        raise UnreadableReplyError(f"it was refused: {reply.refusal}")
    texts = [call.arguments for call in reply.message.tool_calls]
    for text in (*texts, reply.message.content, reply.message.reasoning or ""):
        yield from reversed(objects_in(text))


def _explain_missing_object(reply: ModelReply) -> str:
    if reply.finish_reason == "length":
        return "it was cut off at its length limit; be brief"
    return "it holds no JSON object"


def _parse_verdict(value: dict[str, Any]) -> Verdict:
    """Raises UnreadableVerdictError."""
    quality = _read_text_field(value, "quality").lower()
    if quality not in set(Quality):
        raise UnreadableReplyError(f"'quality' is {quality!r}; it must be one of {', '.join(Quality)}")
    hint = _read_text_field(value, "hint")
    if len(hint) > MAX_HINT_CHARS:
        raise UnreadableReplyError(f"the hint has {len(hint)} characters; say it in one or two sentences")
    return Verdict(quality=Quality(quality), why=_read_text_field(value, "why"), hint=hint or None)


def _read_text_field(value: dict[str, Any], key: str) -> str:
    text = value.get(key) or ""
    if not isinstance(text, str):
        raise UnreadableReplyError(f"{key!r} must be a text, not {type(text).__name__}")
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
