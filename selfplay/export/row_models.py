"""What the rows of conversations are made of, in any format, and what can be wrong with a row.

A format's own models derive from these and take no other keys. `selfplay.export.lint` checks whatever is made of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, Protocol, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from selfplay.core.message import Noun, parse_object

Arguments = TypeVar("Arguments")
Content = TypeVar("Content")


class RowModel(BaseModel):
    """Base of everything in a row: strict, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SystemTurn(RowModel):
    """The contract's prompt."""

    role: Literal["system"]
    content: str


class UserTurn(RowModel):
    """The task."""

    role: Literal["user"]
    content: str


class ToolFunction(RowModel):
    """A tool's name, what it is for, and the JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: dict[str, JsonValue]
    strict: bool = False


class FunctionTool(RowModel):
    """One tool that the model is offered."""

    type: Literal["function"]
    function: ToolFunction


class FunctionCall(RowModel, Generic[Arguments]):
    """The name of a tool, and arguments for it."""

    name: str
    arguments: Arguments


class RowCall(RowModel, Generic[Arguments]):
    """One call of a turn; `Arguments` is text that holds a JSON object, or the object itself."""

    id: str
    type: Literal["function"]
    function: FunctionCall[Arguments]

    @property
    def values(self) -> dict[str, Any] | None:
        """The arguments as an object; None where they are none."""
        arguments = self.function.arguments
        return parse_object(arguments) if isinstance(arguments, str) else cast("dict[str, Any]", arguments)


class AssistantTurn(RowModel, Generic[Content, Arguments]):
    """A turn of the model. `Content` is what stands there where it only calls: an empty text, or also null."""

    role: Literal["assistant"]
    content: Content
    tool_calls: Annotated[Sequence[RowCall[Arguments]], Field(min_length=1)] = ()

    @model_validator(mode="after")
    def _require_content_or_calls(self) -> Self:
        if not self.content and not self.tool_calls:
            raise ValueError("neither content nor tool_calls")
        return self


class ToolTurn(RowModel):
    """The result of a call."""

    role: Literal["tool"]
    tool_call_id: str
    content: str


RowTurn = SystemTurn | UserTurn | AssistantTurn[Any, Any] | ToolTurn


class ConversationRow(Protocol):
    """A row that holds a whole conversation."""

    @property
    def messages(self) -> Sequence[RowTurn]:
        """System prompt, task, then turns and results."""
        ...

    @property
    def tools(self) -> Sequence[FunctionTool]:
        """What the model is offered."""
        ...


class RowProblemKind(StrEnum):
    """What a row is refused for."""

    SHAPE = "shape"
    """A key, role or type that the format does not have; a null where there must be none."""
    TEXT = "text"
    """A lone surrogate or a NUL: some reader on the way breaks on it."""
    ORDER = "order"
    """System, task, then turns and results; no two turns of the model in a row."""
    ENDING = "ending"
    """The last message is not the model's."""
    PAIRING = "pairing"
    """A call without its result, or a result without its call."""
    ARGUMENTS = "arguments"
    """Arguments that are no object, or not what the tool's schema asks for; a tool that is not offered."""
    WEIGHT = "weight"
    """Nothing in the row is learned, or weights that fit no turn."""
    SUPERVISION = "supervision"
    """Words of the supervisor or of the engine."""


class RowProblem(Noun):
    """One thing that is wrong with a row."""

    kind: RowProblemKind
    where: str
    """`messages[3].tool_calls[0]`; empty for the row as a whole."""
    text: str


def describe_problems(problems: Sequence[RowProblem]) -> str:
    """All of them in one line."""
    return "; ".join(f"{problem.where}: {problem.text}" for problem in problems)


def walk_strings(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a JSON value, keys included, each with its place."""
    match value:
        case str():
            yield where, value
        case Mapping():
            for key, inner in cast("Mapping[str, Any]", value).items():
                yield where, key
                yield from walk_strings(inner, f"{where}.{key}".lstrip("."))
        case list() | tuple():
            for i, inner in enumerate(cast("list[Any]", value)):
                yield from walk_strings(inner, f"{where}[{i}]")
        case _:
            return
