"""A script as a JSONL file, for the command line. The forms of a line are in docs/models.md."""

from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from selfplay.errors import InputError
from selfplay.models.response import MessagePart
from selfplay.models.script import ScriptedCall, ScriptedFailure, FailureKind, ScriptLine, ScriptedReply, says, verdict_line


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
        return ScriptedReply(MessagePart.model_validate_json(self.model_dump_json(exclude={"role"}, exclude_unset=True)))


LINE_FORMS: tuple[tuple[frozenset[str], type[_WordsForm | _VerdictForm | _ErrorForm | _MessageForm]], ...] = (
    (frozenset({"verdict"}), _VerdictForm),
    (frozenset({"error"}), _ErrorForm),
    (frozenset({"say", "call", "calls"}), _WordsForm),
    (frozenset({"content", "tool_calls"}), _MessageForm),
)
"""A line's form is told by the first of these keys that it has."""


def read_script(path: Path) -> list[ScriptLine]:
    """The lines of a JSONL file; empty lines count for nothing. Raises InputError with file and line."""
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
