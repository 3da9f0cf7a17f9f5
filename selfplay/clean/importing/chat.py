"""OpenAI chat rows: `{"messages", "tools", ...}`, as they are used for fine-tuning, and preference rows of that kind.

Also the conversational rows of TRL, whose arguments are objects. Sources: OpenAI's API reference
(`FineTuneChatRequestInput`, `FineTunePreferenceRequestInput`), TRL's dataset formats.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, Field, JsonValue

from selfplay.clean.importing.imported_trace import (
    Content,
    ConversationDraft,
    ImportedCall,
    ImportedFunction,
    ImportedShape,
    ImportedTrace,
    UnreadableTraceError,
    make_calls,
)
from selfplay.core.message import Message, Origin


class ChatTurn(ImportedShape):
    """One message of a row."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None
    reasoning: str | None = Field(None, validation_alias=AliasChoices("reasoning_content", "reasoning", "thinking"))
    tool_calls: list[ImportedCall] | None = None
    function_call: ImportedFunction | None = None
    tool_call_id: str | None = None
    name: str | None = None
    weight: int | float | None = None


class ChatRow(ImportedShape):
    """A row for supervised fine-tuning."""

    messages: list[ChatTurn]
    tools: list[dict[str, JsonValue]] | None = None
    id: str | int | None = Field(None, validation_alias=AliasChoices("id", "episode", "instance_id"))


class ChatPreferenceInput(ImportedShape):
    """What stands before both sides."""

    messages: list[ChatTurn]
    tools: list[dict[str, JsonValue]] | None = None


class ImportedOpenAIPair(ImportedShape):
    """A preference row of OpenAI's."""

    input: ChatPreferenceInput
    preferred_output: list[ChatTurn]
    non_preferred_output: list[ChatTurn]


class ImportedTRLPair(ImportedShape):
    """A preference row of TRL's."""

    prompt: list[ChatTurn]
    chosen: list[ChatTurn]
    rejected: list[ChatTurn]
    tools: list[dict[str, JsonValue]] | None = None


def read_chat(value: dict[str, Any], where: str) -> Iterator[ImportedTrace]:
    """The one conversation of a row."""
    row = ChatRow.model_validate(value)
    draft = ConversationDraft()
    add_turns(draft, row.messages, "messages")
    yield draft.to_trace(where, "chat", tools=tuple(row.tools or ()), id="" if row.id is None else str(row.id))


def read_openai_pair(value: dict[str, Any], where: str) -> Iterator[ImportedTrace]:
    """Both sides of a preference row, each after what stands before it."""
    row = ImportedOpenAIPair.model_validate(value)
    sides = {"preferred_output": row.preferred_output, "non_preferred_output": row.non_preferred_output}
    yield from _read_sides(row.input.messages, "input.messages", sides, row.input.tools, where)


def read_trl_pair(value: dict[str, Any], where: str) -> Iterator[ImportedTrace]:
    """Both sides of a preference row, each after what stands before it."""
    row = ImportedTRLPair.model_validate(value)
    yield from _read_sides(row.prompt, "prompt", {"chosen": row.chosen, "rejected": row.rejected}, row.tools, where)


def _read_sides(
    before: Sequence[ChatTurn],
    name: str,
    sides: dict[str, list[ChatTurn]],
    tools: list[dict[str, JsonValue]] | None,
    where: str,
) -> Iterator[ImportedTrace]:
    """Only the better side, which comes first, is learned."""
    for weight, (side, turns) in zip((1, 0), sides.items(), strict=True):
        draft = ConversationDraft()
        add_turns(draft, before, name)
        draft.weights = [0 if m.role == "assistant" else None for m in draft.messages]
        start = len(draft.messages)
        add_turns(draft, turns, side)
        for n in range(start, len(draft.messages)):
            draft.weights[n] = weight if draft.messages[n].role == "assistant" else None
        yield draft.to_trace(f"{where}#{side}", "preference", tools=tuple(tools or ()))


def add_turns(draft: ConversationDraft, turns: Sequence[ChatTurn], name: str) -> None:
    """Append the messages of a row."""
    for number, turn in enumerate(turns):
        place = f"{name}[{number}]"
        text = draft.text_of(turn.content, f"{place}.content")
        if turn.role in {"tool", "function"}:
            draft.append_result(text, place, turn.tool_call_id)
        elif turn.role == "assistant":
            draft.append(_assistant_message(turn, text, number), place, _check_weight(turn.weight, place))
        else:
            draft.append_text("user" if turn.role == "user" else "system", text, place)


def _assistant_message(turn: ChatTurn, text: str, number: int) -> Message:
    calls = [*(turn.tool_calls or ()), *([ImportedCall(function=turn.function_call)] if turn.function_call else ())]
    return Message(
        role="assistant",
        content=text,
        origin=Origin.PLAYER,
        tool_calls=make_calls(calls, number),
        reasoning=turn.reasoning,
    )


def _check_weight(weight: float | None, place: str) -> int | None:
    if weight is None:
        return None
    if weight not in {0, 1}:
        raise UnreadableTraceError(f"{place}.weight: {weight} is neither 0 nor 1")
    return int(weight)
