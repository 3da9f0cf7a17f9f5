"""What comes back over the wire, and how its bytes are read: strict in shape, open to fields beyond the protocol.

Read with `decode_completion` only. Fields whose type servers do not agree on (ids, arguments, usage) are taken as any
JSON here and interpreted in `selfplay.models.openai.reply`, where each deviation becomes a fault of the reply.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from selfplay.core.errors import TransientModelError
from selfplay.models.keys import hide_keys

EXCERPT_CHARS = 200


@dataclass(frozen=True, slots=True)
class ServerResponse:
    """One HTTP response, read to its end, with keys scrubbed from its body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names in lower case."""
    asked: str = "the server"
    """The server's address for errors, without credentials."""
    key_env: str = ""
    """The environment variable that the key came from."""
    has_key: bool = True
    """False where that variable was not set."""


class ResponsePart(BaseModel):
    """Base of the response's parts: strict, frozen, unknown fields kept in `model_extra`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    @property
    def extra_fields(self) -> dict[str, JsonValue]:
        """Fields beyond the protocol that hold something."""
        return {k: v for k, v in (self.model_extra or {}).items() if v not in (None, [], {})}


class CalledFunction(ResponsePart):
    """A function's name and arguments."""

    name: str | None = None
    arguments: JsonValue = None


class CustomToolCall(ResponsePart):
    """A call of a tool that takes free text."""

    name: str | None = None
    input: str | None = None


class ToolCallPart(ResponsePart):
    """One tool call."""

    id: JsonValue = None
    function: CalledFunction | None = None
    custom: CustomToolCall | None = None


class MessagePart(ResponsePart):
    """The assistant's message."""

    content: str | list[JsonValue] | None = None
    reasoning: JsonValue = None
    reasoning_content: JsonValue = None
    refusal: str | None = None
    tool_calls: list[ToolCallPart] | None = None
    function_call: CalledFunction | None = None
    """How calls travelled before there were tools."""


class CompletionChoice(ResponsePart):
    """One of the answers; only the first is ever asked for."""

    index: JsonValue = None
    message: MessagePart | None = None
    finish_reason: str | None = None
    error: JsonValue = None


class ChatCompletion(ResponsePart):
    """A chat completion (https://platform.openai.com/docs/api-reference/chat/object)."""

    id: JsonValue = None
    object: JsonValue = None
    created: JsonValue = None
    model: JsonValue = None
    choices: list[CompletionChoice] | None = None
    usage: JsonValue = None
    error: JsonValue = None


def decode_completion(response: ServerResponse) -> ChatCompletion:
    """The body as a completion. Raises TransientModelError that says what came instead."""
    try:
        return ChatCompletion.model_validate_json(response.body)
    except ValidationError as error:
        first = error
    # JSON that only Python's own reader takes: a byte-order mark, bytes that are not UTF-8, halves of surrogate pairs.
    try:
        return ChatCompletion.model_validate_json(repair_json(response.body))
    except ValueError:
        raise unusable_response_error(response, _describe_body(response, first)) from None


def repair_json(body: bytes) -> bytes:
    """JSON that any reader takes, with U+FFFD for what is no character. Raises ValueError where it is no JSON."""
    try:
        value = json.loads(body.decode("utf-8-sig", "replace"))
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def unusable_response_error(response: ServerResponse, what: str) -> TransientModelError:
    """The error for a response that is not what was asked for."""
    return TransientModelError(f"the server answered {response.status} with {what}; it begins {excerpt(response.body)}")


def excerpt(body: bytes) -> str:
    """The body's first characters, quoted, on one line."""
    text = hide_keys(" ".join(body[: 4 * EXCERPT_CHARS].decode("utf-8", "replace").split()))
    return repr(text[:EXCERPT_CHARS])


def _describe_body(response: ServerResponse, error: ValidationError) -> str:
    start = response.body[:64].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith(b"<"):
        return "HTML, as a gateway does, not with JSON"
    if start.startswith((b"data:", b"event:", b": ")):
        return "an event stream, though none was asked for"
    detail = error.errors(include_url=False, include_input=False)[0]
    if detail["type"] != "json_invalid":
        place = ".".join(map(str, detail["loc"])) or "top level"
        return f"JSON that is no chat completion ({place}: {detail['msg']})"
    kind = response.headers.get("content-type", "no content type")
    return f"a body that is cut or no JSON ({kind}; {detail['msg']})"
