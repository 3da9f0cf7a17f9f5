"""The common form of traces from elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from selfplay.core.json_rows import explain_errors
from selfplay.core.message import Message, Noun, Origin, ToolCall

ImportFormat = Literal["chat", "preference", "swe-agent", "mini-swe-agent", "atif"]


class ImportedTrace(Noun):
    """A trace from elsewhere."""

    where: str
    """`FILE`, `FILE:LINE`, and `#PART` behind it where a file holds several."""
    format: ImportFormat
    id: str
    """As the file names it; else `where`."""
    messages: tuple[Message, ...]
    """Calls and results are paired where the format does it, or where their order says how. A command in a code block
    is a call of `bash`, and stays in the text too."""
    places: tuple[str, ...]
    """Where each message stands in its document: `messages[3]`, `steps[2].observation.results[0]`."""
    weights: tuple[int | None, ...]
    """For each message: whether it is learned; None where the file does not say."""
    tools: tuple[dict[str, JsonValue], ...] = ()
    notes: tuple[str, ...] = ()
    """What the common form has no place for, and was left out."""
    about: dict[str, JsonValue] = Field(default_factory=dict)
    """What the file says of the run: model, version, how it ended."""


class UnreadDocument(Noun):
    """Something that should hold a trace and can't be read as one."""

    where: str
    reason: str


class ImportedShape(BaseModel):
    """Base of the shapes of other projects: what is needed is checked, anything else is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ContentPart(ImportedShape):
    """One part of a content that has several."""

    type: str = "text"
    text: str | None = None


Content = str | list[ContentPart | str] | None


class UnreadableTraceError(ValueError):
    """This document is no trace of its format; the message says what and where."""


@dataclass
class ConversationDraft:
    """A conversation that is being read."""

    messages: list[Message] = field(default_factory=list[Message])
    places: list[str] = field(default_factory=list[str])
    weights: list[int | None] = field(default_factory=list["int | None"])
    notes: list[str] = field(default_factory=list[str])
    _open_calls: list[ToolCall] = field(default_factory=list[ToolCall])
    """Calls without a result so far."""
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def append(self, message: Message, place: str, weight: int | None = None) -> None:
        """Append a message."""
        self.messages.append(message)
        self.places.append(place)
        self.weights.append(weight)
        if message.role == "assistant":
            self._open_calls = list(message.tool_calls)
            self._names |= {call.id: call.name for call in message.tool_calls}

    def text_of(self, content: Content, place: str) -> str:
        """A content's text; a part that is none is left out with a note."""
        if isinstance(content, str) or content is None:
            return content or ""
        texts: list[str] = []
        for k, part in enumerate(content):
            text = part if isinstance(part, str) else part.text
            if text is None:
                kind = "" if isinstance(part, str) else part.type
                self.notes.append(f"{place}[{k}]: a part of type {kind!r} is left out")
            else:
                texts.append(text)
        return "\n".join(texts)

    def append_text(self, role: Literal["system", "user"], text: str, place: str, origin: Origin | None = None) -> None:
        """Append a text for the model: the first system text is the prompt, users' texts are the task."""
        usual = Origin.PROMPT if role == "system" else Origin.TASK
        self.append(Message(role=role, content=text, origin=origin or usual), place)

    def append_result(self, text: str, place: str, call_id: str | None = None) -> None:
        """Append a result: of the call it names, else of the first that waits, else of nothing that was called."""
        waiting = next((c for c in self._open_calls if call_id is None or c.id == call_id), None)
        if waiting is not None:
            self._open_calls.remove(waiting)
        if call_id is None and waiting is None:
            self.append(Message(role="user", content=text, origin=Origin.TOOL), place)
            return
        named = call_id if waiting is None else waiting.id
        name = self._names.get(named or "")
        self.append(Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id=named, name=name), place)

    @property
    def has_open_call(self) -> bool:
        """True while the last turn has a call without a result."""
        return bool(self._open_calls)

    def to_trace(self, where: str, format: ImportFormat, **more: Any) -> ImportedTrace:  # noqa: A002, ANN401  fields of ImportedTrace
        """The trace. Raises UnreadableTraceError if there is no turn of a model in it."""
        if not any(m.role == "assistant" for m in self.messages):
            raise UnreadableTraceError("no turn of a model in it")
        more["id"] = more.get("id") or where
        return ImportedTrace(
            where=where,
            format=format,
            messages=tuple(self.messages),
            places=tuple(self.places),
            weights=tuple(self.weights),
            notes=tuple(self.notes),
            **more,
        )


def catch_unreadable(
    found: Iterator[ImportedTrace | UnreadDocument], where: str
) -> Iterator[ImportedTrace | UnreadDocument]:
    """What is read of one part of a file; if that fails, an UnreadDocument with the part's own place."""
    try:
        yield from found
    except ValidationError as error:
        yield UnreadDocument(where=where, reason=explain_errors(error, {}))
    except UnreadableTraceError as error:
        yield UnreadDocument(where=where, reason=str(error))
    except RecursionError:
        yield UnreadDocument(where=where, reason="nested too deeply")


def make_call(name: str, arguments: object, id: str) -> ToolCall:  # noqa: A002  the field's name
    """A call whose arguments are text as the model wrote it, or an object. Raises UnreadableTraceError for no JSON."""
    if arguments is None:
        arguments = {}
    try:
        text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    except orjson.JSONEncodeError as error:
        raise UnreadableTraceError(f"the arguments of {name} ({id}) can't be written as JSON: {error}") from None
    return ToolCall(id=id, name=name, arguments=text)


def make_bash_call(command: str, number: int) -> ToolCall:
    """A command as a call, for formats without calls."""
    return make_call("bash", {"command": command}, f"action-{number}")


class ImportedFunction(ImportedShape):
    """What is called."""

    name: str = ""
    arguments: str | dict[str, Any] | None = None


class ImportedCall(ImportedShape):
    """One call, in OpenAI's shape."""

    id: str | None = None
    function: ImportedFunction = ImportedFunction()


def make_calls(calls: Sequence[ImportedCall], number: int) -> tuple[ToolCall, ...]:
    """The calls of a document's `number`-th entry; one without an id gets one from its place."""
    return tuple(
        make_call(c.function.name, c.function.arguments, c.id or f"call-{number}-{k}") for k, c in enumerate(calls)
    )
