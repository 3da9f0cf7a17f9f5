"""The OpenAI chat format for fine-tuning: one JSON object per trace.

Source: OpenAI's API reference, `FineTuneChatRequestInput`. Together, Fireworks, Azure and Nebius take the same files.
The format has no place for reasoning. A pair is a line of OpenAI's preference fine-tuning, which Azure, Together and
Fireworks take as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from selfplay.core.clean_trace import CleanTrace, CleanTurn, PreferencePair
from selfplay.core.message import ToolCall
from selfplay.export.export_format import ExportFormat
from selfplay.export.lint import Supervision, check_conversation
from selfplay.export.row_models import (
    AssistantTurn,
    FunctionTool,
    RowModel,
    RowProblem,
    SystemTurn,
    ToolTurn,
    UserTurn,
)


class OpenAIAssistantTurn(AssistantTurn[str | None, str]):
    """A turn of the model; `content` is null where it only calls, arguments are the text that it wrote."""

    weight: Annotated[int, Field(ge=0, le=1)]


class OpenAIRow(RowModel):
    """One row of the OpenAI format."""

    messages: Sequence[Annotated[SystemTurn | UserTurn | OpenAIAssistantTurn | ToolTurn, Field(discriminator="role")]]
    tools: Sequence[FunctionTool]
    parallel_tool_calls: bool


OpenAISide = AssistantTurn[str | None, str]
"""A turn of the model in a pair: as in a row, without a weight."""


class OpenAIInput(RowModel):
    """What both sides answer."""

    messages: Sequence[Annotated[SystemTurn | UserTurn | OpenAISide | ToolTurn, Field(discriminator="role")]]
    tools: Sequence[FunctionTool]
    parallel_tool_calls: bool


class OpenAIPair(RowModel):
    """One row of OpenAI's preference format: exactly one message on each side."""

    input: OpenAIInput
    preferred_output: Annotated[Sequence[OpenAISide], Field(min_length=1, max_length=1)]
    non_preferred_output: Annotated[Sequence[OpenAISide], Field(min_length=1, max_length=1)]


def openai_row(clean: CleanTrace) -> dict[str, Any]:
    """`{"messages", "tools", "parallel_tool_calls"}`; ends with the last turn, whose results are left out.

    Arguments are the text that the model wrote; where that can't be read as an object (`ToolCall.parse_arguments`),
    `{}`. Such a turn has weight 0.
    """
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": clean.prompt.content},
        {"role": "user", "content": clean.opening.content},
    ]
    for number, turn in enumerate(clean.turns, 1):
        messages += [_assistant_message(turn), *(_tool_messages(turn) if number < len(clean.turns) else ())]
    return {
        "messages": messages,
        "tools": list(clean.contract.tools),
        "parallel_tool_calls": clean.has_parallel_calls,
    }


def _assistant_message(turn: CleanTurn) -> dict[str, Any]:
    calls = [_tool_call(call) for call in turn.action.tool_calls]
    message: dict[str, Any] = {"role": "assistant", "content": turn.action.content}
    if calls:
        message |= {"content": turn.action.content or None, "tool_calls": calls}
    return {**message, "weight": turn.weight}


def _tool_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": "{}" if call.parse_arguments() is None else call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _tool_messages(turn: CleanTurn) -> list[dict[str, Any]]:
    messages = [result.message for result in turn.results]
    return [{"role": "tool", "tool_call_id": m.tool_call_id, "content": m.content} for m in messages]


def openai_pair_row(pair: PreferencePair) -> dict[str, Any]:
    """`{"input", "preferred_output", "non_preferred_output"}`, without weights: only the two sides are learned."""
    chosen, rejected = (openai_row(pair.side_as_trace(side)) for side in (pair.chosen, pair.rejected))
    *before, better = map(_drop_weight, chosen["messages"])
    parallel = chosen["parallel_tool_calls"] or rejected["parallel_tool_calls"]
    return {
        "input": {"messages": before, "tools": chosen["tools"], "parallel_tool_calls": parallel},
        "preferred_output": [better],
        "non_preferred_output": [_drop_weight(rejected["messages"][-1])],
    }


def _drop_weight(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "weight"}


def _check_row(row: OpenAIRow, weights: Sequence[int] | None, supervision: Supervision) -> Iterator[RowProblem]:
    if weights is None:
        weights = [turn.weight for turn in row.messages if isinstance(turn, OpenAIAssistantTurn)] or None
    return check_conversation(row, weights, supervision)


OPENAI = ExportFormat(
    name="openai",
    description="chat JSONL",
    card="One conversation a line, with a weight on each turn of the model. Upload the file as it is.",
    row=openai_row,
    row_model=OpenAIRow,
    check=_check_row,
    pair=openai_pair_row,
    pair_model=OpenAIPair,
    keeps_reasoning=False,
)
