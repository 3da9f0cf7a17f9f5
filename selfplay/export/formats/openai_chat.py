"""The OpenAI chat format for fine-tuning: one JSON object per trace.

Source: OpenAI's API reference, `FineTuneChatRequestInput`. Together, Fireworks, Azure and Nebius take the same files.
The format has no place for reasoning: `lost_reasoning` says how many turns had some.
"""

from typing import Any

from selfplay.core.clean_trace import CleanTrace, CleanTurn
from selfplay.core.message import ToolCall


def openai_row(clean: CleanTrace) -> dict[str, Any]:
    """`{"messages", "tools", "parallel_tool_calls"}`; ends with the last turn, whose results are left out.

    Arguments are the text that the model wrote; where that can't be read as an object (`ToolCall.parsed`), `{}`. Such a
    turn has weight 0.
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
        "parallel_tool_calls": has_parallel_calls(clean),
    }


def has_parallel_calls(clean: CleanTrace) -> bool:
    """Whether any turn has two calls or more.

    Servers word the prompt by this flag, so a row says true only where it shows what the flag allows.
    """
    return any(len(turn.action.tool_calls) > 1 for turn in clean.turns)


def count_lost_reasoning(clean: CleanTrace) -> int:
    """Turns whose reasoning this format leaves out."""
    return sum(bool(turn.action.reasoning) for turn in clean.turns)


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
