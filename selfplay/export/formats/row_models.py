"""What a row may look like, key by key: pydantic models that take nothing else, one family per format."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from selfplay.core.message import parse_object

RowFormat = Literal["openai", "trl"]


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


class OpenAIFunctionCall(RowModel):
    """Arguments are the text that the model wrote."""

    name: str
    arguments: str


class OpenAICall(RowModel):
    """One call in the OpenAI format."""

    id: str
    type: Literal["function"]
    function: OpenAIFunctionCall

    @property
    def values(self) -> dict[str, Any] | None:
        """The arguments as an object; None where they are none."""
        return parse_object(self.function.arguments)


class OpenAIAssistantTurn(RowModel):
    """A turn of the model; `content` is null where it only calls."""

    role: Literal["assistant"]
    content: str | None
    tool_calls: Annotated[Sequence[OpenAICall], Field(min_length=1)] = ()
    weight: Annotated[int, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _require_content_or_calls(self) -> Self:
        if not self.content and not self.tool_calls:
            raise ValueError("neither content nor tool_calls")
        return self


class OpenAIToolTurn(RowModel):
    """The result of a call."""

    role: Literal["tool"]
    tool_call_id: str
    content: str


class OpenAIRow(RowModel):
    """One row of the OpenAI format."""

    messages: Sequence[
        Annotated[SystemTurn | UserTurn | OpenAIAssistantTurn | OpenAIToolTurn, Field(discriminator="role")]
    ]
    tools: Sequence[FunctionTool]
    parallel_tool_calls: bool


class TRLFunctionCall(RowModel):
    """Arguments are an object. Nulls inside it are the model's own."""

    name: str
    arguments: dict[str, Any]


class TRLCall(RowModel):
    """One call in the TRL format."""

    id: str
    type: Literal["function"]
    function: TRLFunctionCall

    @property
    def values(self) -> dict[str, Any] | None:
        """The arguments."""
        return self.function.arguments


class TRLAssistantTurn(RowModel):
    """A turn of the model; `content` is empty where it only calls."""

    role: Literal["assistant"]
    content: str
    reasoning_content: str = ""
    tool_calls: Annotated[Sequence[TRLCall], Field(min_length=1)] = ()

    @model_validator(mode="after")
    def _require_content_or_calls(self) -> Self:
        if not self.content and not self.tool_calls:
            raise ValueError("neither content nor tool_calls")
        return self


class TRLToolTurn(RowModel):
    """The result of a call, with the tool's name: some templates print it."""

    role: Literal["tool"]
    tool_call_id: str
    name: str
    content: str


class TRLRow(RowModel):
    """One row of the TRL format: no key of it is ever null."""

    messages: Sequence[Annotated[SystemTurn | UserTurn | TRLAssistantTurn | TRLToolTurn, Field(discriminator="role")]]
    tools: Sequence[FunctionTool]


TrainingRow = OpenAIRow | TRLRow
AssistantTurn = OpenAIAssistantTurn | TRLAssistantTurn
ToolTurn = OpenAIToolTurn | TRLToolTurn
RowTurn = SystemTurn | UserTurn | AssistantTurn | ToolTurn

ROW_MODELS: dict[RowFormat, type[OpenAIRow] | type[TRLRow]] = {"openai": OpenAIRow, "trl": TRLRow}


class OpenAISide(RowModel):
    """What the model says on one side of a pair: as in a row, without a weight."""

    role: Literal["assistant"]
    content: str | None
    tool_calls: Annotated[Sequence[OpenAICall], Field(min_length=1)] = ()


class OpenAIInput(RowModel):
    """What both sides answer."""

    messages: Sequence[Annotated[SystemTurn | UserTurn | OpenAISide | OpenAIToolTurn, Field(discriminator="role")]]
    tools: Sequence[FunctionTool]
    parallel_tool_calls: bool


class OpenAIPair(RowModel):
    """One row of OpenAI's preference format: exactly one message on each side."""

    input: OpenAIInput
    preferred_output: Annotated[Sequence[OpenAISide], Field(min_length=1, max_length=1)]
    non_preferred_output: Annotated[Sequence[OpenAISide], Field(min_length=1, max_length=1)]


class TRLPair(RowModel):
    """One row of TRL's conversational preference format: exactly one message on each side."""

    prompt: Sequence[Annotated[SystemTurn | UserTurn | TRLAssistantTurn | TRLToolTurn, Field(discriminator="role")]]
    chosen: Annotated[Sequence[TRLAssistantTurn], Field(min_length=1, max_length=1)]
    rejected: Annotated[Sequence[TRLAssistantTurn], Field(min_length=1, max_length=1)]
    tools: Sequence[FunctionTool]


PAIR_MODELS: dict[RowFormat, type[OpenAIPair] | type[TRLPair]] = {"openai": OpenAIPair, "trl": TRLPair}
