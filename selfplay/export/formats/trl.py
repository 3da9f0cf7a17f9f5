"""The conversational format of TRL and of the trainers that read the same: one JSON object per trace.

Arguments are objects (a template would encode a string a second time), no key is null (a template would print it), and
a result names its tool. There is no place for weights: trainers of this family have no flag per message. They stand
beside the rows, see `selfplay.export.write_rows`.
"""

from typing import Any

from selfplay.core.clean_trace import CleanTrace, CleanTurn
from selfplay.core.message import ToolCall


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
