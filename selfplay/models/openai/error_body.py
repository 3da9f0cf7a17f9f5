"""What a server says when it fails, in any of the forms that servers use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from selfplay.models.keys import hide_keys
from selfplay.models.openai.response import ServerResponse, excerpt, repair_json

MOST_CHARS = 500
AMBIGUOUS_FIELDS = frozenset({"model", "messages", "stream", "user", "n"})
"""Fields whose names are words of any error text."""
JSON_SCHEMA_WORDS = re.compile(r"json.?schema|structured.?output|guided|grammar", re.IGNORECASE)
TOOL_CHOICE_WORDS = re.compile(r"tool choice", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """A server's error, read as far as it can be."""

    message: str
    code: str = ""
    kind: str = ""
    param: str | None = None
    model_output: str = ""
    """What the model had written, where the server hands it over (Groq's `failed_generation`)."""

    @property
    def searchable_text(self) -> str:
        """Its beginning, to look for known wordings in: further on, servers quote the request."""
        return f"{self.code} {self.kind} {self.message[:MOST_CHARS]}"

    @property
    def text(self) -> str:
        """For a person: the message on one line, bounded, with its code."""
        line = hide_keys(" ".join(self.message.split()))
        line = line if len(line) <= MOST_CHARS else f"{line[:MOST_CHARS]}..."
        return f"{line} [{self.code}]" if self.code and not self.code.isdigit() else line

    def find_refused_field(self, head: Mapping[str, Any]) -> str | None:
        """The field of the request that was refused: as the server names it, else the first that its words name."""
        if self.param:
            return re.split(r"[.\[]", self.param)[0]
        keys = head.keys() - AMBIGUOUS_FIELDS
        named = [(m.start(), key) for key in keys if (m := re.search(rf"\b{re.escape(key)}\b", self.message))]
        if named:
            return min(named)[1]
        if "response_format" in head and JSON_SCHEMA_WORDS.search(self.message):
            return "response_format"
        return "tool_choice" if TOOL_CHOICE_WORDS.search(self.message) else None


def read_error_body(response: ServerResponse) -> ErrorBody:
    """The error that a response holds; its first characters where it has no form known here."""
    value = parse_json(response.body)
    if isinstance(value, list) and value:
        value = cast("list[object]", value)[0]
    if not isinstance(value, dict):
        return ErrorBody(message=excerpt(response.body) if response.body.strip() else "no text")
    outer = cast("dict[str, object]", value)
    error = outer.get("error", outer)
    if isinstance(error, str):
        return ErrorBody(message=error)
    if not isinstance(error, dict):
        error = outer
    return _read_fields(cast("dict[str, object]", error), response)


def parse_json(body: bytes) -> object:
    """The body as JSON, or None."""
    try:
        return orjson.loads(repair_json(body))
    except ValueError:
        return None


def _read_fields(error: Mapping[str, object], response: ServerResponse) -> ErrorBody:
    message, param = error.get("message"), error.get("param")
    detail = error.get("detail")
    if isinstance(detail, list) and detail:
        message, param = _read_first_detail(cast("list[object]", detail)[0])
    elif isinstance(detail, str):
        message = message or detail
    return ErrorBody(
        message=message if isinstance(message, str) and message else excerpt(response.body),
        code=_text_or_empty(error.get("code")),
        kind=_text_or_empty(error.get("type")),
        param=param if isinstance(param, str) and param else None,
        model_output=_text_or_empty(error.get("failed_generation")),
    )


def _read_first_detail(problem: object) -> tuple[str | None, str | None]:
    """Message and field of a FastAPI validation problem: `{"loc": ["body", "tools", 0], "msg": ...}`."""
    if not isinstance(problem, dict):
        return str(problem), None
    fields = cast("dict[str, object]", problem)
    where = fields.get("loc")
    names = [n for n in cast("list[object]", where) if isinstance(n, str) and n != "body"] if _is_list(where) else []
    place = ".".join(names)
    return f"{place}: {fields.get('msg')}", names[0] if names else None


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _text_or_empty(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""
