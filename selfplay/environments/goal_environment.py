"""Environments whose goals are conditions on calls and results (`selfplay.environments.goals`), not files.

One of your own derives from `GoalEnvironment`, which takes care of `finish`, prompts and gate, and its kind from
`GoalKind`. docs/extending.md shows a whole one.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import orjson

from selfplay.core.contract import tool_name
from selfplay.core.errors import TaskError
from selfplay.core.message import Message
from selfplay.core.task import Answer, Goal, Target, Task
from selfplay.core.threads import ThreadPool
from selfplay.core.trace import ToolResult
from selfplay.environments.environment import ANSWER_TOOL, PROMPT_ROLES, Replay, ToolSession
from selfplay.environments.goals import ConditionProgress, check_goals, is_met, pair_calls
from selfplay.gate import Guard, ShownText, prepare_guard
from selfplay.prompts import Prompt
from selfplay_tools.tools.schema import Schema
from selfplay_tools.tools.tool import CallResult

_WILDCARDS = re.compile(r"[*?\[\]^$|(){}+\\]+")

FINISH: Schema = {
    "type": "function",
    "function": {
        "name": ANSWER_TOOL,
        "description": "Give your answer. Call it once, when you have seen everything that the answer rests on.",
        "parameters": {
            "type": "object",
            "properties": {"answer": {"type": "string", "description": "The answer, in a few sentences."}},
            "required": ["answer"],
            "additionalProperties": False,
        },
    },
}


class GoalEnvironment(ABC):
    """One task's environment, of a kind whose goals are conditions. Derive from it: give `id`, `tools` and `call`."""

    replay: Replay = "recorded"

    def __init__(self, task: Task, where: str = "") -> None:
        """Check the goals. Raises TaskError, which begins with `where`."""
        self.task = task
        if problems := list(check_goals(task)):
            place = f"{where}: " if where else ""
            raise TaskError(f"{place}task {task.brief.id!r}: " + "; ".join(problems))

    @property
    @abstractmethod
    def id(self) -> str:
        """The same id and the same calls give the same results."""

    @abstractmethod
    def tools(self) -> Sequence[Schema]:
        """The schemas of the tools, without `finish`."""

    @abstractmethod
    async def call(self, name: str, arguments: Mapping[str, Any]) -> CallResult:
        """Carry out a call of one of the tools. What the player got wrong is a result with `ok=False`."""

    def schemas(self) -> list[Schema]:
        """As `Environment.schemas`."""
        return [*self.tools(), FINISH]

    @asynccontextmanager
    async def open_session(self, threads: ThreadPool) -> AsyncGenerator[ToolSession]:
        """As `Environment.open_session`: without a state, all episodes share the environment itself."""
        del threads
        yield _SharedSession(self)

    def prompts(self) -> Mapping[str, Prompt]:
        """The engine's prompts in words for documents instead of files."""
        return {name: _load_goal_prompt(name) for name in PROMPT_ROLES}

    def describe_goals(self) -> str:
        """As `Environment.describe_goals`."""
        return describe_goals(self.task)

    def make_guard(self) -> Guard:
        """As `Environment.make_guard`."""
        return guard_goals(self.task)

    def note_shown(self, shown_text: ShownText, action: Message, result: ToolResult) -> None:
        """As `Environment.note_shown`."""
        note_goals_shown(self.task, shown_text, action, result)


@dataclass(frozen=True, slots=True)
class _SharedSession:
    environment: GoalEnvironment

    async def call(self, name: str, arguments: str) -> CallResult:
        """As `ToolSession.call`."""
        given = parse_call(name, arguments, [tool_name(tool) for tool in self.environment.tools()])
        return given if isinstance(given, CallResult) else await self.environment.call(name, given)


class GoalKind:
    """What holds for all environments whose goals are conditions. Derive from it: give `name` and `make`."""

    uses_repository = False

    def make_progress(self, task: Task) -> ConditionProgress:
        """As `EnvironmentKind.make_progress`."""
        return ConditionProgress(task.answer.goals)

    def is_right(self, task: Task, answers: Sequence[ToolResult]) -> bool:
        """True for any answer: what it has to say is itself a goal, a condition on the call of `finish`."""
        del task
        return bool(answers)

    def list_surplus(self, task: Task, answer: ToolResult) -> tuple[str, ...]:
        """Nothing: an answer is a text."""
        del task, answer
        return ()

    def count_named(self, answer: ToolResult) -> int:
        """Nothing is named."""
        del answer
        return 0

    def list_unfound(self, task: Task, found: frozenset[int]) -> tuple[str, ...]:
        """Nothing that the gate's judge could guess: it is asked for files."""
        del task, found
        return ()

    def shows_goal(self, goal: Target | Goal, action: Message, result: ToolResult) -> bool:
        """Whether the result's call meets the goal."""
        pairs = pair_calls(action, [result])
        return isinstance(goal, Goal) and any(is_met(goal, call, result) for call, result in pairs)


def parse_call(name: str, arguments: str, tools: Sequence[str]) -> dict[str, Any] | CallResult:
    """A call's arguments; or its result, where it is `finish`, or where something is wrong with it."""
    try:
        given: object = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        return CallResult("The arguments must be one JSON object. Call again.", ok=False)
    if name == ANSWER_TOOL:
        return _take_answer(cast("dict[str, Any]", given))
    if name not in tools:
        return CallResult(f"There is no tool {name!r}. There are: {', '.join((*tools, ANSWER_TOOL))}.", ok=False)
    return cast("dict[str, Any]", given)


def _take_answer(given: Mapping[str, Any]) -> CallResult:
    answer = given.get("answer")
    if not isinstance(answer, str) or not answer.strip() or len(given) > 1:
        return CallResult(f"`{ANSWER_TOOL}` takes one argument, answer: a text. Call again.", ok=False)
    return CallResult("Your answer was noted.", answer=())


def describe_goals(task: Task) -> str:
    """The goals as the supervisor is told of them."""
    lines: list[str] = []
    for goal in task.answer.goals:
        lines.append(f"- {goal.id}" + (f": {goal.about}" if goal.about else ""))
        tool = f"a call of `{goal.tool}`" if goal.tool else "a call"
        lines += [f"    reached by {tool} of which {one.at} {one.op} {one.value!r}" for one in goal.where]
    return "\n".join(lines)


def guard_goals(task: Task) -> Guard:
    """What no hint may reveal: the values of conditions and the goals' secrets.

    Addresses and paths are guarded as a target's path is, piece by piece; single words as a name that it defines, and
    other values as its content.
    """
    targets: dict[Target, None] = {}
    patch = ""
    for goal in task.answer.goals:
        paths, texts = _secrets_of(goal)
        lines = "".join(f"+{line}\n" for text in texts for line in text.splitlines())
        patch += "".join(f"--- a/{path}\n+++ b/{path}\n{lines}" for path in paths)
        targets |= dict.fromkeys(Target(path=path) for path in paths)
        targets |= dict.fromkeys(Target(path=paths[0], symbol=text) for text in texts if re.fullmatch(r"[\w-]+", text))
    answer = Answer(targets=tuple(targets), patch=patch)
    return prepare_guard(task.model_copy(update={"answer": answer}), None)


def note_goals_shown(task: Task, shown_text: ShownText, action: Message, result: ToolResult) -> None:
    """Note for the gate what a result said; all of a goal that is met is no secret any more."""
    shown_text.add(result.message.content, has_head=True)
    for call, one in pair_calls(action, [result]):
        for goal in task.answer.goals:
            if is_met(goal, call, one):
                for path in _secrets_of(goal)[0]:
                    shown_text.mark_opened(path)


def _secrets_of(goal: Goal) -> tuple[list[str], list[str]]:
    """A goal's secrets: addresses or paths, as relative paths, and other texts, which stand in each of its paths.

    A goal without an address or path gets one that no hint can name by chance.
    """
    paths: dict[str, None] = {}
    texts: dict[str, None] = {}
    for value in (*(one.value for one in goal.where), *goal.secrets):
        bare = _WILDCARDS.sub("", value).strip()
        path = _as_path(bare)
        (texts if path is None else paths)[bare if path is None else path] = None
    return list(paths) or [hashlib.sha256(goal.id.encode()).hexdigest()], [text for text in texts if text]


def _as_path(value: str) -> str | None:
    """An address or path as a relative path; None for other texts."""
    address = urlsplit(value)
    if address.scheme and address.netloc:
        value = f"{address.netloc}{unquote(address.path)}"
    elif "/" not in value and not re.fullmatch(r"[\w-]+\.\w{1,8}", value):
        return None
    parts = [part for part in value.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts) if parts and not re.search(r"\s", value) else None


@cache
def _load_goal_prompt(name: str) -> Prompt:
    text = files("selfplay.environments").joinpath(f"prompts/{name}.md").read_text("utf-8").rstrip("\n")
    return Prompt(name=f"goals_{name}", text=text)
