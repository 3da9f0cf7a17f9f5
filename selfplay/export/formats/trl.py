"""The conversational format of TRL and of the trainers that read the same: one JSON object per trace.

Arguments are objects (a template would encode a string a second time), no key is null (a template would print it), and
a result names its tool. There is no place for weights: trainers of this family have no flag per message. They stand
beside the rows, see `selfplay.export.write_rows`. A pair is a row of TRL's conversational preference format with an
explicit prompt.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from selfplay.core.clean_trace import CleanTrace, CleanTurn, PreferencePair
from selfplay.core.message import ToolCall
from selfplay.export.export_format import ExportFormat
from selfplay.export.lint import check_conversation
from selfplay.export.row_models import AssistantTurn, FunctionTool, RowModel, SystemTurn, ToolTurn, UserTurn


class TRLAssistantTurn(AssistantTurn[str, dict[str, Any]]):
    """A turn of the model; `content` is empty where it only calls. Nulls inside arguments are the model's own."""

    reasoning_content: str = ""


class TRLToolTurn(ToolTurn):
    """The result of a call, with the tool's name: some templates print it."""

    name: str


TRLTurn = Annotated[SystemTurn | UserTurn | TRLAssistantTurn | TRLToolTurn, Field(discriminator="role")]


class TRLRow(RowModel):
    """One row of the TRL format: no key of it is ever null."""

    messages: Sequence[TRLTurn]
    tools: Sequence[FunctionTool]


class TRLPair(RowModel):
    """One row of TRL's conversational preference format: exactly one message on each side."""

    prompt: Sequence[TRLTurn]
    chosen: Annotated[Sequence[TRLAssistantTurn], Field(min_length=1, max_length=1)]
    rejected: Annotated[Sequence[TRLAssistantTurn], Field(min_length=1, max_length=1)]
    tools: Sequence[FunctionTool]


def trl_row(clean: CleanTrace) -> dict[str, Any]:
    """`{"messages", "tools"}`; ends with the last turn, whose results are left out.

    Arguments that were no JSON object are `{}`, which is what the model itself saw of them afterwards.
    """
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": clean.prompt.content},
        {"role": "user", "content": clean.opening.content},
    ]
    for number, turn in enumerate(clean.turns, 1):
        messages += [_assistant_message(turn), *(_tool_messages(turn) if number < len(clean.turns) else ())]
    return {"messages": messages, "tools": list(clean.contract.tools)}


def _assistant_message(turn: CleanTurn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.action.content}
    if turn.action.reasoning:
        message["reasoning_content"] = turn.action.reasoning
    if turn.action.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in turn.action.tool_calls]
    return message


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.parse_arguments() or {}},
    }


def _tool_messages(turn: CleanTurn) -> list[dict[str, Any]]:
    pairs = zip(turn.action.tool_calls, turn.results, strict=False)
    return [
        {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": result.message.content}
        for call, result in pairs
    ]


def trl_pair_row(pair: PreferencePair) -> dict[str, Any]:
    """`{"prompt", "chosen", "rejected", "tools"}`: the first three are lists of messages."""
    chosen, rejected = (trl_row(pair.side_as_trace(side)) for side in (pair.chosen, pair.rejected))
    return {
        "prompt": chosen["messages"][:-1],
        "chosen": chosen["messages"][-1:],
        "rejected": rejected["messages"][-1:],
        "tools": chosen["tools"],
    }


TRL = ExportFormat(
    name="trl",
    description="messages and tools for TRL",
    card='One conversation a line, weights beside it. Load with datasets.load_dataset("json", data_files=...).',
    row=trl_row,
    row_model=TRLRow,
    check=check_conversation,
    pair=trl_pair_row,
    pair_model=TRLPair,
)
