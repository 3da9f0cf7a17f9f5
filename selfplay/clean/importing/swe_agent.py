"""SWE-agent's `.traj` files.

A file holds `history` (every message, with the agent that it belongs to), `trajectory` (a step each: thought, action,
observation, and the messages that it was asked with) and `info`. The history is read where there is one, else the
steps. Runs with several attempts keep them under `attempts`: each is a trace of its own. Source: SWE-agent's
documentation of its output files, and its types.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from selfplay.clean.importing.imported_trace import (
    Content,
    ConversationDraft,
    ImportedCall,
    ImportedShape,
    ImportedTrace,
    UnreadableTraceError,
    UnreadDocument,
    catch_unreadable,
    make_bash_call,
    make_calls,
)
from selfplay.core.message import Message, Origin, ToolCall


class SweThinking(ImportedShape):
    """A block of reasoning."""

    thinking: str = ""


class SweMessage(ImportedShape):
    """One message of the history."""

    role: str
    content: Content = None
    agent: str | None = None
    is_demo: bool = False
    action: str | None = None
    tool_calls: list[ImportedCall] | None = None
    tool_call_ids: list[str] | None = None
    thinking_blocks: Sequence[SweThinking] | None = None


class SweStep(ImportedShape):
    """One step of the trajectory."""

    action: str = ""
    observation: Content = None
    response: Content = None
    thought: str = ""
    query: Sequence[SweMessage] = ()
    messages: Sequence[SweMessage] = ()
    tool_calls: list[ImportedCall] | None = None
    thinking_blocks: Sequence[SweThinking] | None = None


class SweRun(ImportedShape):
    """A file, or one attempt in it."""

    history: Sequence[SweMessage] = ()
    trajectory: Sequence[SweStep] = ()
    info: dict[str, Any] = Field(default_factory=dict[str, Any])
    environment: str | None = None
    attempts: Sequence["SweRun"] = ()


def read_swe_agent(value: dict[str, Any], where: str) -> Iterator[ImportedTrace | UnreadDocument]:
    """Each attempt of a file for itself; the file's own history if it has none."""
    run = SweRun.model_validate(value)
    if not run.attempts:
        yield from _read_run(run, where)
    for number, attempt in enumerate(run.attempts):
        place = f"{where}#attempts[{number}]"
        yield from catch_unreadable(_read_run(attempt, place), place)


def _read_run(run: SweRun, where: str) -> Iterator[ImportedTrace]:
    draft = ConversationDraft()
    if run.history:
        _add_history(draft, run.history)
    elif run.trajectory:
        _add_steps(draft, run.trajectory)
    else:
        raise UnreadableTraceError("neither history nor trajectory in it")
    known = ("exit_status", "swe_agent_version", "model_stats")
    about = {key: run.info[key] for key in known if key in run.info}
    if run.environment:
        about["environment"] = run.environment
    yield draft.to_trace(where, "swe-agent", about=about)


def _add_history(draft: ConversationDraft, history: Sequence[SweMessage]) -> None:
    """The messages of the agent that acts first; those of others (reviewers, summarisers) are noted and left out."""
    agent = next((item.agent for item in history if item.role == "assistant" and not item.is_demo), None)
    others = [number for number, item in enumerate(history) if item.agent not in {agent, None}]
    for number, item in enumerate(history):
        if number not in others:
            _add_message(draft, item, f"history[{number}]", number)
    if others:
        draft.notes.append(f"{len(others)} messages of other agents are left out, the first is history[{others[0]}]")


def _add_message(draft: ConversationDraft, item: SweMessage, place: str, number: int) -> None:
    text = draft.text_of(item.content, f"{place}.content")
    if item.is_demo:
        draft.append_text("user", text, place, Origin.PROMPT)
    elif item.role == "system":
        draft.append_text("system", text, place)
    elif item.role == "assistant":
        calls = _calls_in(item.tool_calls, item.action, number)
        _add_turn(draft, text, calls, item.thinking_blocks, place)
    elif item.role == "tool":
        draft.append_result(text, place, (item.tool_call_ids or [None])[0])
    elif draft.has_open_call:
        draft.append_result(text, place)
    else:
        is_task = not any(m.role == "assistant" for m in draft.messages)
        draft.append_text("user", text, place, Origin.TASK if is_task else Origin.NUDGE)


def _add_steps(draft: ConversationDraft, steps: Sequence[SweStep]) -> None:
    for item in steps[0].query or steps[0].messages:
        if item.role == "assistant" and not item.is_demo:
            break
        _add_message(draft, item, "trajectory[0].query", 0)
    for number, step in enumerate(steps):
        place = f"trajectory[{number}]"
        text = draft.text_of(step.response, f"{place}.response") or step.thought
        calls = _calls_in(step.tool_calls, step.action, number)
        _add_turn(draft, text, calls, step.thinking_blocks, f"{place}.response")
        draft.append_result(draft.text_of(step.observation, f"{place}.observation"), f"{place}.observation")


def _calls_in(calls: list[ImportedCall] | None, action: str | None, number: int) -> tuple[ToolCall, ...]:
    if calls:
        return make_calls(calls, number)
    return (make_bash_call(action.strip(), number),) if action and action.strip() else ()


def _add_turn(
    draft: ConversationDraft, text: str, calls: tuple[ToolCall, ...], blocks: Sequence[SweThinking] | None, place: str
) -> None:
    reasoning = "\n".join(block.thinking for block in blocks or ()) or None
    message = Message(role="assistant", content=text, origin=Origin.PLAYER, tool_calls=calls, reasoning=reasoning)
    draft.append(message, place)
