"""Errors that servers send, and whose failure each is: the infrastructure's, the request's, or the model's own.

    429, 529                       RateLimited, with Retry-After; FatalModelError when money has run out
    408, 409, 425, 499, 5xx        TransientModelError
    a tool call the server could   none of these: the model wrote it, so it is a reply with a fault
      not read (any status)
    too long (400, 413, 422, 5xx)  ContextTooLong
    400, 413, 422; a grammar that  RequestRefused, with the field if the server names it
      can't be built (5xx)
    everything else                FatalModelError

Servers word these differently; the patterns are those of vLLM, SGLang, llama.cpp, Ollama, TGI, LiteLLM, OpenAI,
Azure, Anthropic, Gemini, Groq, Mistral and xAI.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson

from selfplay.core.errors import (
    ContextTooLong,
    FatalModelError,
    ModelError,
    RateLimited,
    RequestRefused,
    TransientModelError,
)
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


TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|ContextWindowExceeded|context length exceeded"
    r"|maximum (context|prompt|model) length|maximum input length|model'?s context length|max_model_len"
    r"|exceeds? (the )?(available )?context|exceed context limit|context window"
    r"|prompt is too long|prompt.{0,40}is longer than|input is too (long|large)|too many (input )?tokens"
    r"|input token count .{0,40}exceeds|input tokens exceed|inputs?`? tokens \+ `?max_new_tokens"
    r"|reduce the length of (the|your) (messages|prompt|input)|requested token count exceeds",
    re.IGNORECASE,
)
UNREADABLE_CALL = re.compile(
    r"does not match the expected \S+ format|failed to parse (tool call|input at pos|fc related)"
    r"|(error|failed) (parsing|extracting|to parse|to extract|in extracting) (the )?tool call"
    r"|tool_use_failed|failed to call a function|invalid diff: now finding less tool calls"
    r"|unexpected tokens remaining in message header|json_validate_failed",
    re.IGNORECASE,
)
"""The server ran the model, and could not read what it wrote."""
OUT_OF_MONEY = re.compile(
    r"insufficient_quota|billing_(hard_limit|not_active)|exceeded your current quota|credit balance"
    r"|insufficient (balance|credits|funds)|payment required",
    re.IGNORECASE,
)
NO_SUCH_GRAMMAR = re.compile(
    r"failed to (parse|compile|initialize) .{0,24}(grammar|samplers)|json schema conversion failed", re.IGNORECASE
)
"""A response format that the server can't build, whatever status it says so with."""
NEVER_FITS = re.compile(r"request too large for", re.IGNORECASE)
"""One request above the account's tokens per minute: waiting does not help."""

SLOW_DOWN = frozenset({429, 529})
TRY_AGAIN = frozenset({408, 409, 425, 499})
REFUSED = frozenset({400, 413, 422})
ADVICE = {
    403: "the key may not use this model",
    404: "check the model's name, and that base_url ends where /chat/completions begins (mostly /v1)",
    405: "check that base_url ends where /chat/completions begins (mostly /v1)",
}


def find_model_fault(error_body: ErrorBody) -> str | None:
    """What the model did, where a server failed because it could not read the model's output."""
    if not UNREADABLE_CALL.search(error_body.searchable_text):
        return None
    return f"the server could not read what the model wrote: {error_body.text}"


def classify_failure(
    response: ServerResponse, error_body: ErrorBody, head: Mapping[str, Any], *, now: datetime
) -> ModelError:
    """The error for a failed response. A status in the body (an error sent with 200) overrides the response's."""
    status = response.status
    if status < 300:  # noqa: PLR2004  the class of successes
        status = int(error_body.code) if re.fullmatch(r"[45]\d\d", error_body.code) else 500
    text = f"{status} from the server: {error_body.text}"
    wait_s = retry_after_s(response.headers, now=now)
    if OUT_OF_MONEY.search(error_body.searchable_text) or status == 402:  # noqa: PLR2004  Payment Required
        return FatalModelError(f"{response.asked}: {text} (the account has no money left)", status=status)
    if status in SLOW_DOWN and not NEVER_FITS.search(error_body.searchable_text):
        return RateLimited(text, retry_after_s=wait_s)
    is_server_error = status >= 500 and status not in SLOW_DOWN  # noqa: PLR2004  the class of server errors
    if (status in REFUSED or is_server_error) and TOO_LONG.search(error_body.searchable_text):
        return ContextTooLong(text, status=status)
    if status in REFUSED or (is_server_error and NO_SUCH_GRAMMAR.search(error_body.searchable_text)):
        return RequestRefused(text, status=status, param=error_body.find_refused_field(head))
    if status in TRY_AGAIN or is_server_error:
        return TransientModelError(text, retry_after_s=wait_s)
    return FatalModelError(f"{response.asked}: {text}{_advice(response, status)}", status=status)


def _advice(response: ServerResponse, status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004  redirects
        return f" (it redirects to {response.headers.get('location', 'nowhere')!r}: if that is right, make it base_url)"
    if status == 401:  # noqa: PLR2004  Unauthorized
        variable = f" {response.key_env}" if response.key_env else ""
        return (
            f" (check the key in the environment variable{variable})"
            if response.has_key
            else f" (no key was sent: the environment variable{variable} is not set; api_key_env names another one)"
        )
    return f" ({ADVICE[status]})" if status in ADVICE else ""


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds that the server asked to wait (RFC 9110, 10.2.3, and the vendors' milliseconds), or None."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        wait_ms = _parse_seconds(headers.get(name))
        if wait_ms is not None:
            return wait_ms / 1000
    value = headers.get("retry-after")
    wait_s = _parse_seconds(value)
    if wait_s is not None or value is None:
        return wait_s
    until, sent_at = _parse_date(value), _parse_date(headers.get("date", ""))
    return None if until is None else max(0.0, (until - (sent_at or now)).total_seconds())


def _parse_seconds(value: str | None) -> float | None:
    """A plain number of seconds: no sign, no infinity."""
    return float(value) if value is not None and re.fullmatch(r"\s*\d{1,9}(\.\d{0,9})?\s*", value, re.ASCII) else None


def _parse_date(value: str) -> datetime | None:
    """A date as in RFC 9110, or None. What the library raises for other text, it does not promise."""
    try:
        date = parsedate_to_datetime(value)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
