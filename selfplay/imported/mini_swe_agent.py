"""mini-swe-agent's `.traj.json` files, of every version.

    before 1.0      a list of messages
    1.x             `{"info", "messages"}`; commands in a code block of the text, results as user messages
    2.x             `trajectory_format: mini-swe-agent-1.1`; calls of `bash` and tool messages, or code blocks as
    before, or
                    the items of the responses protocol; metadata under `extra`

Source: the project's documentation of its output files and its guide to version 2.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import AliasChoices, Field

from selfplay.imported.chat import Call
from selfplay.imported.conversation import Content, Draft, Imported, Loose, a_call, bash
from selfplay.message import Message, Origin, ToolCall

_BLOCK = re.compile(r"```(?:mswea_bash_command|bash|sh)[ \t]*\n(.*?)\n?```", re.DOTALL)


class Action(Loose):
    """A command that was found in the text."""

    command: str = ""


class Extra(Loose):
    """What the project adds to a message."""

    actions: Sequence[Action] = ()
    exit_status: str | None = None
    interrupt_type: str | None = None


class OutputItem(Loose):
    """One item that a model put out in the responses protocol."""

    type: str = ""
    content: Content = None
    summary: Content = None
    call_id: str | None = None
    name: str = ""
    arguments: str = ""


class Entry(Loose):
    """One message, in any of the shapes."""

    role: str | None = None
    content: Content = None
    reasoning: str | None = Field(None, validation_alias=AliasChoices("reasoning_content", "reasoning"))
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    type: str | None = None
    call_id: str | None = None
    output: str | list[OutputItem] | None = None
    extra: Extra = Extra()


class Run(Loose):
    """A file."""

    messages: list[Entry]
    info: dict[str, Any] = Field(default_factory=dict[str, Any])
    trajectory_format: str = "mini-swe-agent-1"
    instance_id: str = ""


def read_mini_swe_agent(value: dict[str, Any] | list[Any], where: str) -> Iterator[Imported]:
    """The one trace of a file."""
    run = Run.model_validate({"messages": value} if isinstance(value, list) else value)
    draft = Draft()
    for number, entry in enumerate(run.messages):
        _add(draft, entry, f"messages[{number}]", number, is_last=number + 1 == len(run.messages))
    about = {key: run.info[key] for key in ("exit_status", "mini_version", "model_stats") if key in run.info}
    about["trajectory_format"] = run.trajectory_format
    yield draft.finished(where, "mini-swe-agent", about=about, id=run.instance_id)


def _add(draft: Draft, entry: Entry, place: str, number: int, *, is_last: bool) -> None:
    if entry.type == "function_call_output":
        draft.answer(entry.output if isinstance(entry.output, str) else "", place, entry.call_id)
    elif isinstance(entry.output, list):
        _add_output(draft, entry.output, place)
    elif entry.role == "assistant":
        _speak(draft, entry, place, number)
    elif entry.role == "exit" or (is_last and entry.extra.exit_status):
        draft.notes.append(f"{place}: how the run ended, no part of the conversation")
    else:
        _add_said(draft, entry, place)


def _add_said(draft: Draft, entry: Entry, place: str) -> None:
    text = draft.text(entry.content, f"{place}.content")
    if entry.role == "system":
        draft.say("system", text, place)
    elif entry.role == "tool":
        draft.answer(text, place, entry.tool_call_id)
    elif draft.is_waiting and entry.extra.interrupt_type is None:
        draft.answer(text, place)
    else:
        is_complaint = bool(draft.messages) and draft.messages[-1].role == "assistant"
        draft.say("user", text, place, Origin.NUDGE if is_complaint or entry.extra.interrupt_type else Origin.TASK)


def _speak(draft: Draft, entry: Entry, place: str, number: int) -> None:
    text = draft.text(entry.content, f"{place}.content")
    message = Message(
        role="assistant",
        content=text,
        origin=Origin.PLAYER,
        tool_calls=_calls(entry, text, number),
        reasoning=entry.reasoning,
    )
    draft.add(message, place)


def _calls(entry: Entry, text: str, number: int) -> tuple[ToolCall, ...]:
    """The calls; without any, the commands that the project took from the text, or the only code block in it."""
    if entry.tool_calls:
        return tuple(
            a_call(c.function.name, c.function.arguments, c.id or f"call-{number}-{k}")
            for k, c in enumerate(entry.tool_calls)
        )
    if entry.extra.actions:
        return tuple(bash(action.command, number * 100 + k) for k, action in enumerate(entry.extra.actions))
    blocks = _BLOCK.findall(text)
    return (bash(blocks[0].strip(), number),) if len(blocks) == 1 else ()


def _add_output(draft: Draft, items: list[OutputItem], place: str) -> None:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for k, item in enumerate(items):
        where = f"{place}.output[{k}]"
        match item.type:
            case "message":
                texts.append(draft.text(item.content, where))
            case "reasoning":
                thoughts.append(draft.text(item.summary, where))
            case "function_call":
                calls.append(a_call(item.name, item.arguments, item.call_id or f"call-{place}-{k}"))
            case _:
                draft.notes.append(f"{where}: an item of type {item.type!r} is left out")
    reasoning = "\n".join(t for t in thoughts if t) or None
    text = "\n".join(texts)
    message = Message(
        role="assistant", content=text, origin=Origin.PLAYER, tool_calls=tuple(calls), reasoning=reasoning
    )
    draft.add(message, place)
