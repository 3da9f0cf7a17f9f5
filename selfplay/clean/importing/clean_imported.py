"""Clean traces of other projects by the same stages as our own, as far as they apply.

Their targets are not known, so there is no chain to look for, and there is no player to ask again. What a row needs and
a trace lacks is a reason to drop it, never made up.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
from pydantic import ValidationError

from selfplay.clean.assistants.protocol import Assistants, EchoJudgeOnly, NoAssistants
from selfplay.clean.importing import ImportedTrace
from selfplay.clean.journals import CleaningCandidate
from selfplay.clean.pipeline import CleanedTrace, UnfitReason, strip_candidate
from selfplay.clean.stages.grounding import grounding_of, supervisor_texts_before_turns
from selfplay.clean.stages.repair import repair_turns
from selfplay.clean.stages.turn_masks import add_masks, mask_turns
from selfplay.core.clean_trace import CleanTrace, Mask
from selfplay.core.contract import ContextPolicy, Contract, ToolSchema, tool_name
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.errors import InputError
from selfplay.core.json_rows import escape_undecodable, explain_errors
from selfplay.core.message import Message, Origin
from selfplay.core.task import Answer, Brief, Task
from selfplay.core.trace import Step, ToolResult, Trace
from selfplay.episode.player import with_new_ids
from selfplay.export.export_files import find_export_files
from selfplay.export.lint import is_valid_call
from selfplay.repos.hidden_files import is_journal

SUFFIXES = frozenset({".traj", ".json", ".jsonl"})
_INSTANCE = re.compile(r"(?:[^:#]*/)?([\w.-]+__[\w.-]+)-\d+(?:\.traj|\.traj\.json|\.json)?(?:[:#].*)?")
"""How benchmarks of issues name a task, as such or as a file: owner, two underscores, repository, number."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How traces from elsewhere are cleaned."""

    tools: tuple[ToolSchema, ...] = ()
    """The tools of traces whose format does not hold them."""
    root: Path | None = None
    """The folder that their names leave out."""
    assistants: Assistants = field(default_factory=NoAssistants)
    """Of these only the echo judge is asked."""

    def short_name_of(self, where: str) -> str:
        """What a trace is called: its place, from the root."""
        return where if self.root is None else where.removeprefix(f"{escape_undecodable(self.root)}/")


async def clean_imported(found: ImportedTrace, options: ImportOptions) -> CleanedTrace | DroppedTrace:
    """What of a trace is worth training on, or why it gives no row. Raises what the assistants raise."""
    episode = options.short_name_of(found.where)
    name = options.short_name_of(found.id)
    adopted = _adopt(found, episode, name, options.tools)
    if isinstance(adopted, UnfitReason):
        return DroppedTrace(episode=episode, task=name, code=adopted.code, detail=adopted.detail)
    trace = adopted.trace
    clean = _mask_unlearned(strip_candidate(adopted), found)
    clean = await repair_turns(
        clean,
        supervisor_texts_before_turns(trace, clean),
        frozenset(),
        EchoJudgeOnly(options.assistants),
        is_imported=True,
    )
    clean = mask_turns(clean, supervisor_texts_before_turns(trace, clean), grounding_of(trace, clean))
    if any(clean.weights):
        return CleanedTrace(clean)
    masks = ", ".join(f"{n} {mask}" for mask, n in sorted(clean.mask_counts.items()))
    return DroppedTrace(episode=episode, task=name, code=DropCode.NOTHING_TO_LEARN, detail=masks)


def _adopt(
    found: ImportedTrace, episode: str, name: str, tools: tuple[ToolSchema, ...]
) -> CleaningCandidate | UnfitReason:
    """The trace in our form, under the contract that it shows; or what it lacks."""
    first = next(n for n, m in enumerate(found.messages) if m.role == "assistant")
    before, after = found.messages[:first], found.messages[first:]
    texts = {role: "\n\n".join(m.content for m in before if m.role == role) for role in ("system", "user")}
    for role, what in (("system", "system prompt"), ("user", "task")):
        if not texts[role].strip():
            return UnfitReason(DropCode.NO_OPENING, f"no {what} before the model's first turn; a row begins with both")
    contract = _make_contract(found, texts["system"], tools)
    if isinstance(contract, UnfitReason):
        return contract
    if (interjection := _find_interjection(found, first)) is not None:
        return interjection
    prompt = Message(role="system", content=texts["system"], origin=Origin.PROMPT)
    opening = Message(role="user", content=texts["user"], origin=Origin.TASK)
    trace = Trace(
        episode=episode,
        task=_make_unplayed_task(name, texts["user"]),
        prompt=prompt,
        opening=opening,
        steps=tuple(_make_steps(after, contract.tools)),
    )
    return CleaningCandidate(trace, contract)


def _make_contract(found: ImportedTrace, prompt: str, given: tuple[ToolSchema, ...]) -> Contract | UnfitReason:
    tools = tuple(map(_complete_schema, found.tools or given))
    if not tools:
        why = f"{found.format} has no place for the tools' schemas" if found.format in _WITHOUT_TOOLS else "it has none"
        return UnfitReason(DropCode.NO_TOOLS, f"no tools: {why}; give them with --tools FILE")
    try:
        return Contract(tools_version=f"imported:{found.format}", prompt=prompt, tools=tools, context=ContextPolicy())
    except ValidationError as error:
        return UnfitReason(DropCode.NO_TOOLS, f"its tools are no function tools: {explain_errors(error, {})}")


def _complete_schema(tool: ToolSchema) -> ToolSchema:
    """A tool with what OpenAI's API lets it leave out or null: without parameters it takes none."""
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    parts = {key: value for key, value in function.items() if value is not None}
    return {**tool, "function": {**parts, "parameters": parts.get("parameters", {"type": "object", "properties": {}})}}


_WITHOUT_TOOLS = frozenset({"swe-agent", "mini-swe-agent"})


def _find_interjection(found: ImportedTrace, first: int) -> UnfitReason | None:
    """Where a message stands between the model's turns that is neither a result nor a complaint on a turn."""
    last = max(n for n, m in enumerate(found.messages) if m.role == "assistant")
    for message, place in zip(found.messages[first:last], found.places[first:last], strict=True):
        if message.role in {"user", "system"} and message.origin is not Origin.NUDGE:
            what = (
                "what was observed answers no call" if message.origin is Origin.TOOL else f"the {message.role} speaks"
            )
            return UnfitReason(DropCode.SPOKEN_TO, f"{place}: {what} after the task; a row has no place for that")
    return None


def _make_unplayed_task(name: str, prompt: str) -> Task:
    """The task that the trace was about, with its repository if the name has it.

    Not validated: only a task to be played needs repository and targets.
    """
    instance = _INSTANCE.fullmatch(name)
    brief = Brief.model_construct(id=name, repo=instance[1] if instance else "", commit="", prompt=prompt)
    return Task.model_construct(brief=brief, answer=Answer.model_construct(targets=(), patch=None))


def _rename_calls(
    action: Message, rest: Sequence[Message], taken: frozenset[str], turn: int
) -> tuple[Message, Sequence[Message]]:
    """A turn and what follows it, its calls with ids that no earlier turn's have: some servers count anew in each."""
    renamed = with_new_ids(action, taken, turn)
    if renamed is action:
        return action, rest
    fresh: dict[str | None, list[str]] = {}
    for old, new in zip(action.tool_calls, renamed.tool_calls, strict=True):
        fresh.setdefault(old.id, []).append(new.id)
    answered = [
        m.model_copy(update={"tool_call_id": fresh[m.tool_call_id].pop(0)}) if fresh.get(m.tool_call_id) else m
        for m in rest
    ]
    return renamed, answered


def _make_steps(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> Iterator[Step]:
    starts = [n for n, m in enumerate(messages) if m.role == "assistant"]
    taken: frozenset[str] = frozenset()
    for turn, (start, end) in enumerate(zip(starts, [*starts[1:], len(messages)], strict=True)):
        action, rest = _rename_calls(messages[start], messages[start + 1 : end], taken, turn)
        taken |= {call.id for call in action.tool_calls}
        nudge = "\n".join(m.content for m in rest if m.origin is Origin.NUDGE)
        results = [_make_result(m, action, tools) for m in rest if m.role == "tool"]
        yield Step(action=action, results=tuple(_sort_results(results, action)), nudge=nudge or None)


def _make_result(message: Message, action: Message, tools: Sequence[ToolSchema]) -> ToolResult:
    """A result; that of a call which the tools' schemas do not allow counts as a refusal."""
    call = next((call for call in action.tool_calls if call.id == message.tool_call_id), None)
    return ToolResult(message=message, ok=call is None or is_valid_call(tools, call))


def _sort_results(results: list[ToolResult], action: Message) -> list[ToolResult]:
    """Results in the order of their calls, where each call has one."""
    ids = [call.id for call in action.tool_calls]
    if sorted(ids) != sorted(r.message.tool_call_id or "" for r in results):
        return results
    return sorted(results, key=lambda r: ids.index(r.message.tool_call_id or ""))


def _mask_unlearned(clean: CleanTrace, found: ImportedTrace) -> CleanTrace:
    """The trace without the turns that its file says are not learned."""
    weights = [w for w, m in zip(found.weights, found.messages, strict=True) if m.role == "assistant"]
    turns = [add_masks(turn, [Mask.NOT_LEARNED] if weights[turn.step] == 0 else []) for turn in clean.turns]
    return clean.model_copy(update={"turns": tuple(turns)})


def imports_in(place: Path, *outputs: Path) -> tuple[Path, ...]:
    """The file at a path, or every file in a folder and below that may hold traces from elsewhere, sorted.

    Left out are journals, what `selfplay export` wrote, and what lies in `outputs`. Raises InputError if there is none.
    """
    if place.is_file():
        return (place,)
    found = (p for p in sorted(place.rglob("*")) if p.suffix in SUFFIXES and p.is_file() and not is_journal(p))
    exported = find_export_files(place)
    paths = tuple(p for p in found if p not in exported and not any(p.is_relative_to(output) for output in outputs))
    if not paths:
        beside = " but what exports wrote" if exported else ""
        there = f"no .traj, .json or .jsonl file in it{beside}" if place.is_dir() else "no such file or folder"
        raise InputError(f"{place}: {there}; name a folder with traces of other projects, or one file")
    return paths


def read_tools(path: Path) -> tuple[ToolSchema, ...]:
    """The tools in a JSON file: a list of them, or an object that has one under `tools`. Raises InputError."""
    try:
        return _parse_tools(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(
            f'{path}: {error}; it takes [{{"type": "function", "function": {{"name", "description", "parameters"}}}}]'
        ) from None


def _parse_tools(value: object) -> tuple[ToolSchema, ...]:
    listed = cast("dict[str, Any]", value).get("tools") if isinstance(value, dict) else value
    if not isinstance(listed, list) or not listed:
        raise ValueError("no list of tools in it")
    tools = tuple(cast("list[ToolSchema]", listed))
    for tool in tools:
        tool_name(tool)
    return tools
