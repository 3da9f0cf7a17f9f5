"""mini-swe-agent's `.traj.json` files, of every version.

    before 1.0      a list of messages
    1.x             `{"info", "messages"}`; commands in a code block of the text, results as user messages
    2.x             `trajectory_format: mini-swe-agent-1.1`; calls of `bash` and tool messages, or code blocks as
                    before, or the items of the responses protocol; metadata under `extra`

Source: the project's documentation of its output files and its guide to version 2.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import AliasChoices, Field

from selfplay.clean.importing.imported_trace import (
    Content,
    ConversationDraft,
    ImportedCall,
    ImportedShape,
    ImportedTrace,
    make_bash_call,
    make_call,
    make_calls,
)
from selfplay.core.message import Message, Origin, ToolCall

_BLOCK = re.compile(r"```(?:mswea_bash_command|bash|sh)[ \t]*\n(.*?)\n?```", re.DOTALL)


class MiniSweAction(ImportedShape):
    """A command that was found in the text."""

    command: str = ""


class MiniSweExtra(ImportedShape):
    """What the project adds to a message."""

    actions: Sequence[MiniSweAction] = ()
    exit_status: str | None = None
    interrupt_type: str | None = None


class MiniSweOutputItem(ImportedShape):
    """One item that a model put out in the responses protocol."""

    type: str = ""
    content: Content = None
    summary: Content = None
    call_id: str | None = None
    name: str = ""
    arguments: str = ""


class MiniSweMessage(ImportedShape):
    """One message, in any of the shapes."""

    role: str | None = None
    content: Content = None
    reasoning: str | None = Field(None, validation_alias=AliasChoices("reasoning_content", "reasoning"))
    tool_calls: list[ImportedCall] | None = None
    tool_call_id: str | None = None
    type: str | None = None
    call_id: str | None = None
    output: str | list[MiniSweOutputItem] | None = None
    extra: MiniSweExtra = MiniSweExtra()


class MiniSweRun(ImportedShape):
    """A file."""

    messages: list[MiniSweMessage]
    info: dict[str, Any] = Field(default_factory=dict[str, Any])
    trajectory_format: str = "mini-swe-agent-1"
    instance_id: str = ""


def read_mini_swe_agent(value: dict[str, Any] | list[Any], where: str) -> Iterator[ImportedTrace]:
    """The one trace of a file."""
    run = MiniSweRun.model_validate({"messages": value} if isinstance(value, list) else value)
    draft = ConversationDraft()
    for number, entry in enumerate(run.messages):
        _add_message(draft, entry, f"messages[{number}]", number, is_last=number + 1 == len(run.messages))
    about = {key: run.info[key] for key in ("exit_status", "mini_version", "model_stats") if key in run.info}
    about["trajectory_format"] = run.trajectory_format
    yield draft.to_trace(where, "mini-swe-agent", about=about, id=run.instance_id)


def _add_message(draft: ConversationDraft, entry: MiniSweMessage, place: str, number: int, *, is_last: bool) -> None:
    if entry.type == "function_call_output":
        draft.append_result(entry.output if isinstance(entry.output, str) else "", place, entry.call_id)
    elif isinstance(entry.output, list):
        _add_output(draft, entry.output, place)
    elif entry.role == "assistant":
        _add_turn(draft, entry, place, number)
    elif entry.role == "exit" or (is_last and entry.extra.exit_status):
        draft.notes.append(f"{place}: how the run ended, no part of the conversation")
    else:
        _add_unspoken(draft, entry, place)


def _add_unspoken(draft: ConversationDraft, entry: MiniSweMessage, place: str) -> None:
    text = draft.text_of(entry.content, f"{place}.content")
    if entry.role == "system":
        draft.append_text("system", text, place)
    elif entry.role == "tool":
        draft.append_result(text, place, entry.tool_call_id)
    elif draft.has_open_call and entry.extra.interrupt_type is None:
        draft.append_result(text, place)
    else:
        is_complaint = bool(draft.messages) and draft.messages[-1].role == "assistant"
        draft.append_text(
            "user", text, place, Origin.NUDGE if is_complaint or entry.extra.interrupt_type else Origin.TASK
        )


def _add_turn(draft: ConversationDraft, entry: MiniSweMessage, place: str, number: int) -> None:
    text = draft.text_of(entry.content, f"{place}.content")
    message = Message(
        role="assistant",
        content=text,
        origin=Origin.PLAYER,
        tool_calls=_calls_in(entry, text, number),
        reasoning=entry.reasoning,
    )
    draft.append(message, place)


def _calls_in(entry: MiniSweMessage, text: str, number: int) -> tuple[ToolCall, ...]:
    """The calls; without any, the commands that the project took from the text, or the only code block in it."""
    if entry.tool_calls:
        return make_calls(entry.tool_calls, number)
    if entry.extra.actions:
        return tuple(make_bash_call(action.command, number * 100 + k) for k, action in enumerate(entry.extra.actions))
    blocks = _BLOCK.findall(text)
    return (make_bash_call(blocks[0].strip(), number),) if len(blocks) == 1 else ()


def _add_output(draft: ConversationDraft, items: list[MiniSweOutputItem], place: str) -> None:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for k, item in enumerate(items):
        where = f"{place}.output[{k}]"
        match item.type:
            case "message":
                texts.append(draft.text_of(item.content, where))
            case "reasoning":
                thoughts.append(draft.text_of(item.summary, where))
            case "function_call":
                calls.append(make_call(item.name, item.arguments, item.call_id or f"call-{place}-{k}"))
            case _:
                draft.notes.append(f"{where}: an item of type {item.type!r} is left out")
    reasoning = "\n".join(t for t in thoughts if t) or None
    text = "\n".join(texts)
    message = Message(
        role="assistant", content=text, origin=Origin.PLAYER, tool_calls=tuple(calls), reasoning=reasoning
    )
    draft.append(message, place)
