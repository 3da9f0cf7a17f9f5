"""The lines of a script: what a scripted model says, or how it fails, turn by turn."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import JsonValue

from selfplay.errors import (
    ContextTooLong,
    FatalModelError,
    ModelError,
    RateLimited,
    RequestRefused,
    TransientModelError,
)
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.models.reply import build_reply
from selfplay.models.response import CompletionChoice, ChatCompletion, MessagePart

FailureKind = Literal["rate_limited", "server", "timeout", "refused", "context", "fatal"]


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """A line that answers: the assistant's message as it would come over the wire."""

    message: MessagePart
    finish_reason: str | None = None
    """By default `tool_calls` or `stop`, as the message has it."""

    def make_reply(self, request: ModelRequest) -> ModelReply:
        """The line as a model's reply; its usage is estimated."""
        reason = self.finish_reason or ("tool_calls" if self.message.tool_calls else "stop")
        choice = CompletionChoice(message=self.message, finish_reason=reason)
        completion = ChatCompletion(id=f"scripted-{request.turn}", model="scripted", choices=[choice])
        reply = build_reply(completion, choice, self.message, request)
        expected = {"no usage", *(f"call {i} has no id" for i in range(len(reply.message.tool_calls)))}
        return reply.model_copy(update={"faults": tuple(f for f in reply.faults if f not in expected)})


@dataclass(frozen=True, slots=True)
class ScriptedFailure:
    """A line that fails."""

    kind: FailureKind
    text: str = ""
    retry_after_s: float | None = None

    def make_error(self) -> ModelError:
        """A new error of the kind."""
        text = self.text or f"scripted failure: {self.kind}"
        match self.kind:
            case "rate_limited":
                return RateLimited(text, retry_after_s=self.retry_after_s)
            case "server" | "timeout":
                return TransientModelError(text, retry_after_s=self.retry_after_s)
            case "refused":
                return RequestRefused(text, status=400)
            case "context":
                return ContextTooLong(text, status=400)
            case "fatal":
                return FatalModelError(text)


ScriptLine = ScriptedReply | ScriptedFailure


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """A tool call of a scripted line."""

    name: str
    arguments: str


def says(text: str = "", *calls: ScriptedCall, reasoning: str | None = None, finish_reason: str | None = None) -> ScriptedReply:
    """A line with content and calls."""
    message: dict[str, Any] = {"content": text, "reasoning": reasoning}
    message["tool_calls"] = [{"function": {"name": c.name, "arguments": c.arguments}} for c in calls]
    return ScriptedReply(MessagePart.model_validate_json(orjson.dumps(message)), finish_reason)


def call(name: str, /, **arguments: JsonValue) -> ScriptedCall:
    """A call with these arguments."""
    return ScriptedCall(name, orjson.dumps(arguments).decode())


def raw_call(name: str, arguments: str) -> ScriptedCall:
    """A call with arguments as a model might write them, good JSON or not."""
    return ScriptedCall(name, arguments)


def judges(quality: str, why: str, hint: str | None = None) -> ScriptedReply:
    """A supervisor's line: a verdict as JSON."""
    return verdict_line({"quality": quality, "why": why, "hint": hint})


def fails(kind: FailureKind, text: str = "", *, retry_after_s: float | None = None) -> ScriptedFailure:
    """A line that fails once, before the line that follows it."""
    return ScriptedFailure(kind, text, retry_after_s)


def verdict_line(fields: dict[str, JsonValue]) -> ScriptedReply:
    """A supervisor's line: these fields as JSON, whatever they are."""
    return says(orjson.dumps(fields).decode())
