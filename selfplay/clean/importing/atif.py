"""ATIF, the Agent Trajectory Interchange Format of Harbor, versions 1.0 to 1.7.

A step is a system prompt, a user's message, or a whole turn of the agent: text, reasoning, calls, and what was
observed. Steps that were copied from an earlier trajectory are context and not learned. A trajectory of a sub-agent
that stands in the same file is a trace of its own. Source: Harbor's RFC 0001.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import JsonValue

from selfplay.clean.importing.imported_trace import (
    Content,
    ConversationDraft,
    ImportedShape,
    ImportedTrace,
    UnreadableTraceError,
    UnreadDocument,
    catch_unreadable,
    make_call,
)
from selfplay.core.message import Message, Origin

_VERSION = re.compile(r"ATIF-v1\.\d+")


class AtifCall(ImportedShape):
    """A call."""

    tool_call_id: str
    function_name: str
    arguments: dict[str, Any] | str | None = None


class AtifResult(ImportedShape):
    """What was observed."""

    source_call_id: str | None = None
    content: Content = None
    subagent_trajectory_ref: JsonValue = None


class AtifObservation(ImportedShape):
    """Everything that was observed after a step."""

    results: Sequence[AtifResult] = ()


class AtifStep(ImportedShape):
    """A step."""

    source: Literal["system", "user", "agent"]
    message: Content = None
    reasoning_content: str | None = None
    tool_calls: list[AtifCall] | None = None
    observation: AtifObservation | None = None
    is_copied_context: bool | None = None


class AtifAgent(ImportedShape):
    """Who acted."""

    name: str = ""
    version: str = ""
    model_name: str | None = None
    tool_definitions: list[dict[str, JsonValue]] | None = None


class AtifTrajectory(ImportedShape):
    """A document."""

    schema_version: str
    session_id: str | None = None
    trajectory_id: str | None = None
    agent: AtifAgent = AtifAgent()
    steps: list[AtifStep]
    continued_trajectory_ref: str | None = None
    subagent_trajectories: list[dict[str, Any]] | None = None


def read_atif(value: dict[str, Any], where: str) -> Iterator[ImportedTrace | UnreadDocument]:
    """The trajectory, then those of its sub-agents, each for itself."""
    whole = AtifTrajectory.model_validate(value)
    if not _VERSION.fullmatch(whole.schema_version):
        raise UnreadableTraceError(f"schema_version {whole.schema_version!r}: this reads ATIF-v1.0 and later 1.x")
    yield _read_trajectory(whole, where)
    for number, inner in enumerate(whole.subagent_trajectories or ()):
        inherited = {"schema_version": whole.schema_version} | inner
        place = f"{where}#subagent_trajectories[{number}]"
        yield from catch_unreadable(read_atif(inherited, place), place)


def _read_trajectory(whole: AtifTrajectory, where: str) -> ImportedTrace:
    draft = ConversationDraft()
    if whole.continued_trajectory_ref:
        draft.notes.append(f"goes on in {whole.continued_trajectory_ref}, which is not read with it")
    for number, step in enumerate(whole.steps):
        _add_step(draft, step, f"steps[{number}]")
    about: dict[str, JsonValue] = {"schema_version": whole.schema_version, "agent": whole.agent.name}
    about |= {"agent_version": whole.agent.version, "model": whole.agent.model_name}
    return draft.to_trace(
        where,
        "atif",
        id=whole.trajectory_id or whole.session_id,
        tools=tuple(whole.agent.tool_definitions or ()),
        about=about,
    )


def _add_step(draft: ConversationDraft, step: AtifStep, place: str) -> None:
    text = draft.text_of(step.message, f"{place}.message")
    if step.source == "agent":
        calls = tuple(make_call(c.function_name, c.arguments, c.tool_call_id) for c in step.tool_calls or ())
        message = Message(
            role="assistant", content=text, origin=Origin.PLAYER, tool_calls=calls, reasoning=step.reasoning_content
        )
        draft.append(message, place, 0 if step.is_copied_context else None)
    else:
        is_later = any(m.role == "assistant" for m in draft.messages)
        origin = Origin.NUDGE if step.source == "system" and is_later else None
        draft.append_text(step.source, text, place, origin)
    _add_results(draft, step, place)


def _add_results(draft: ConversationDraft, step: AtifStep, place: str) -> None:
    """Results that name no call come from the environment: they answer no call."""
    for k, result in enumerate(step.observation.results if step.observation else ()):
        where = f"{place}.observation.results[{k}]"
        text = draft.text_of(result.content, f"{where}.content")
        if result.subagent_trajectory_ref:
            draft.notes.append(f"{where}: refers to a sub-agent's trajectory, which is not read with it")
        if result.source_call_id is not None:
            draft.append_result(text, where, result.source_call_id)
        elif text:
            draft.append(Message(role="user", content=text, origin=Origin.TOOL), where)
