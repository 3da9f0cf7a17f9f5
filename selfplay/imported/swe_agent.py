"""SWE-agent's `.traj` files.

A file holds `history` (every message, with the agent that it belongs to), `trajectory` (a step each: thought, action,
observation, and the messages that it was asked with) and `info`. The history is read where there is one, else the
steps. Runs with several attempts keep them under `attempts`: each is a trace of its own. Source: SWE-agent's
documentation of its output files, and its types.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from selfplay.imported.chat import Call
from selfplay.imported.conversation import (
    Content,
    Draft,
    Imported,
    Loose,
    Unread,
    UnreadableError,
    a_call,
    bash,
    told_apart,
)
from selfplay.message import Message, Origin, ToolCall


class Thinking(Loose):
    """A block of reasoning."""

    thinking: str = ""


class Item(Loose):
    """One message of the history."""

    role: str
    content: Content = None
    agent: str | None = None
    is_demo: bool = False
    action: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_ids: list[str] | None = None
    thinking_blocks: Sequence[Thinking] | None = None


class Step(Loose):
    """One step of the trajectory."""

    action: str = ""
    observation: Content = None
    response: Content = None
    thought: str = ""
    query: Sequence[Item] = ()
    messages: Sequence[Item] = ()
    tool_calls: list[Call] | None = None
    thinking_blocks: Sequence[Thinking] | None = None


class Run(Loose):
    """A file, or one attempt in it."""

    history: Sequence[Item] = ()
    trajectory: Sequence[Step] = ()
    info: dict[str, Any] = Field(default_factory=dict[str, Any])
    environment: str | None = None
    attempts: Sequence["Run"] = ()


def read_swe_agent(value: dict[str, Any], where: str) -> Iterator[Imported | Unread]:
    """Each attempt of a file for itself; the file's own history if it has none."""
    run = Run.model_validate(value)
    if not run.attempts:
        yield from _traces(run, where)
    for number, attempt in enumerate(run.attempts):
        place = f"{where}#attempts[{number}]"
        yield from told_apart(_traces(attempt, place), place)


def _traces(run: Run, where: str) -> Iterator[Imported]:
    draft = Draft()
    if run.history:
        _from_history(draft, run.history)
    elif run.trajectory:
        _from_steps(draft, run.trajectory)
    else:
        raise UnreadableError("neither history nor trajectory in it")
    said = ("exit_status", "swe_agent_version", "model_stats")
    about = {key: run.info[key] for key in said if key in run.info}
    if run.environment:
        about["environment"] = run.environment
    yield draft.finished(where, "swe-agent", about=about)


def _from_history(draft: Draft, history: Sequence[Item]) -> None:
    """The messages of the agent that acts first; those of others (reviewers, summarisers) are noted and left out."""
    agent = next((item.agent for item in history if item.role == "assistant" and not item.is_demo), None)
    others = [number for number, item in enumerate(history) if item.agent not in {agent, None}]
    for number, item in enumerate(history):
        if number not in others:
            _add(draft, item, f"history[{number}]", number)
    if others:
        draft.notes.append(f"{len(others)} messages of other agents are left out, the first is history[{others[0]}]")


def _add(draft: Draft, item: Item, place: str, number: int) -> None:
    text = draft.text(item.content, f"{place}.content")
    if item.is_demo:
        draft.say("user", text, place, Origin.PROMPT)
    elif item.role == "system":
        draft.say("system", text, place)
    elif item.role == "assistant":
        calls = _calls(item.tool_calls, item.action, number)
        _speak(draft, text, calls, item.thinking_blocks, place)
    elif item.role == "tool":
        draft.answer(text, place, (item.tool_call_ids or [None])[0])
    elif draft.is_waiting:
        draft.answer(text, place)
    else:
        is_task = not any(m.role == "assistant" for m in draft.messages)
        draft.say("user", text, place, Origin.TASK if is_task else Origin.NUDGE)


def _from_steps(draft: Draft, steps: Sequence[Step]) -> None:
    for item in steps[0].query or steps[0].messages:
        if item.role == "assistant" and not item.is_demo:
            break
        _add(draft, item, "trajectory[0].query", 0)
    for number, step in enumerate(steps):
        place = f"trajectory[{number}]"
        text = draft.text(step.response, f"{place}.response") or step.thought
        calls = _calls(step.tool_calls, step.action, number)
        _speak(draft, text, calls, step.thinking_blocks, f"{place}.response")
        draft.answer(draft.text(step.observation, f"{place}.observation"), f"{place}.observation")


def _calls(calls: list[Call] | None, action: str | None, number: int) -> tuple[ToolCall, ...]:
    if calls:
        return tuple(
            a_call(c.function.name, c.function.arguments, c.id or f"call-{number}-{k}") for k, c in enumerate(calls)
        )
    return (bash(action.strip(), number),) if action and action.strip() else ()


def _speak(draft: Draft, text: str, calls: tuple[ToolCall, ...], blocks: Sequence[Thinking] | None, place: str) -> None:
    reasoning = "\n".join(block.thinking for block in blocks or ()) or None
    message = Message(role="assistant", content=text, origin=Origin.PLAYER, tool_calls=calls, reasoning=reasoning)
    draft.add(message, place)
