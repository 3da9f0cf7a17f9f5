"""A model that answers with the lines of a script, and keeps what it was asked.

A script is a list of lines, one per turn of the model: `ModelRequest.turn` picks the line, so that a resumed episode
continues at the right one. A failure stands before the line of the turn in which it happens, once. Scripts are made in
Python (`says`, `call`, `judges`, `fails`) or read from JSONL (docs/models.md).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from selfplay.core.errors import (
    ContextTooLong,
    FatalModelError,
    InputError,
    ModelError,
    RateLimited,
    RequestRefused,
    ScriptError,
    TransientModelError,
)
from selfplay.models.openai.reply import build_reply
from selfplay.models.openai.response import ChatCompletion, CompletionChoice, MessagePart
from selfplay.models.protocol import ModelReply, ModelRequest

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


def says(
    text: str = "", *calls: ScriptedCall, reasoning: str | None = None, finish_reason: str | None = None
) -> ScriptedReply:
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


class _LineForm(BaseModel):
    """Base of a script file's lines."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _CallForm(_LineForm):
    name: str
    arguments: dict[str, JsonValue] | str = Field(default_factory=dict[str, JsonValue])
    """An object, or the text that the model writes."""

    def call(self) -> ScriptedCall:
        text = self.arguments if isinstance(self.arguments, str) else orjson.dumps(self.arguments).decode()
        return ScriptedCall(self.name, text)


class _WordsForm(_LineForm):
    say: str = ""
    call: _CallForm | None = None
    calls: tuple[_CallForm, ...] = ()
    reasoning: str | None = None
    finish_reason: str | None = None

    def line(self) -> ScriptLine:
        calls = ((self.call,) if self.call else ()) + self.calls
        return says(self.say, *(c.call() for c in calls), reasoning=self.reasoning, finish_reason=self.finish_reason)


class _VerdictForm(_LineForm):
    verdict: dict[str, JsonValue]

    def line(self) -> ScriptLine:
        return verdict_line(self.verdict)


class _ErrorForm(_LineForm):
    error: FailureKind
    text: str = ""
    retry_after_s: float | None = None

    def line(self) -> ScriptLine:
        return ScriptedFailure(self.error, self.text, self.retry_after_s)


class _MessageForm(MessagePart):
    """An assistant's message as in any chat log."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    role: Literal["assistant"] = "assistant"

    def line(self) -> ScriptLine:
        return ScriptedReply(
            MessagePart.model_validate_json(self.model_dump_json(exclude={"role"}, exclude_unset=True))
        )


LINE_FORMS: tuple[tuple[frozenset[str], type[_WordsForm | _VerdictForm | _ErrorForm | _MessageForm]], ...] = (
    (frozenset({"verdict"}), _VerdictForm),
    (frozenset({"error"}), _ErrorForm),
    (frozenset({"say", "call", "calls"}), _WordsForm),
    (frozenset({"content", "tool_calls"}), _MessageForm),
)
"""Forms of a line, by the keys that show it; the first that fits counts."""


def read_script(path: Path) -> list[ScriptLine]:
    """The lines of a JSONL file; empty ones are skipped. Raises InputError with file and line."""
    try:
        rows = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    return [_parse_line(row, f"{path}:{number}") for number, row in enumerate(rows, 1) if row.strip()]


def _parse_line(row: bytes, place: str) -> ScriptLine:
    try:
        value = orjson.loads(row)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error}") from None
    form = next((f for keys, f in LINE_FORMS if isinstance(value, dict) and keys & value.keys()), None)
    if form is None:
        raise InputError(f"{place}: a line has one of the keys say, call, calls, content, tool_calls, verdict, error")
    try:
        return form.model_validate_json(row).line()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise InputError(f"{place}: {where}: {problem['msg']}") from None


@dataclass(slots=True)
class _ScriptTurn:
    """What one turn is answered with: its failures, each once, then its reply each time."""

    failures: deque[ScriptedFailure] = field(default_factory=deque[ScriptedFailure])
    reply: ScriptedReply | None = None
    is_used: bool = False


class ScriptedModel:
    """Answers `request.turn` with the script's line of that number.

    Raises ScriptError when asked for a turn that the script does not have, and on `aclose` when lines are left after
    the last one used. A script that was never asked is no error: an episode that had ended before makes no call.
    """

    def __init__(self, lines: Sequence[ScriptLine], *, name: str = "scripted") -> None:
        self._name = name
        self._turns = _group_into_turns(lines)
        self.asked: list[ModelRequest] = []
        """Every request, failed ones included, in order."""

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The script in a JSONL file, see docs/models.md. Raises InputError with file and line."""
        return cls(read_script(path), name=f"scripted:{path}")

    @property
    def name(self) -> str:
        """As on the command line."""
        return self._name

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The line for the request's turn."""
        self.asked.append(request)
        if request.turn >= len(self._turns):
            raise ScriptError(f"{self._name}: asked for turn {request.turn + 1}, and the script ends before it")
        turn = self._turns[request.turn]
        if turn.failures:
            raise turn.failures.popleft().make_error()
        if turn.reply is None:
            raise ScriptError(f"{self._name}: asked again after its last line, which was a failure")
        turn.is_used = True
        return turn.reply.make_reply(request)

    async def aclose(self) -> None:
        """Raise ScriptError if lines are left over."""
        if not self.asked:
            return
        last = max(request.turn for request in self.asked)
        left = sum(len(t.failures) + (t.reply is not None and not t.is_used) for t in self._turns[last:])
        if left:
            raise ScriptError(
                f"{self._name}: {left} of its lines were not used; turn {last + 1} was the last asked for"
            )


def _group_into_turns(lines: Sequence[ScriptLine]) -> list[_ScriptTurn]:
    turns = [_ScriptTurn()]
    for line in lines:
        if isinstance(line, ScriptedFailure):
            turns[-1].failures.append(line)
        else:
            turns[-1].reply = line
            turns.append(_ScriptTurn())
    return turns if turns[-1].failures else turns[:-1]
