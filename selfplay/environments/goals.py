"""Goals that are conditions on calls and their results: for environments other than files of a repository.

A kind of environment whose tasks have such goals derives from `GoalKind` and only says how its tools are had.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import cast
from urllib.parse import unquote, urlsplit

import orjson

from selfplay.core.message import Message, ToolCall
from selfplay.core.task import Answer, Condition, Goal, Target, Task
from selfplay.core.trace import ToolResult
from selfplay.gate import Guard, ShownText, prepare_guard
from selfplay_tools.text.regex import BadRegex, compile_regex

_WILDCARDS = re.compile(r"[*?\[\]^$|(){}+\\]+")


class ConditionProgress:
    """Goals met so far. A goal is met when one call and its result meet all of the goal's conditions."""

    def __init__(self, goals: Sequence[Goal]) -> None:
        self._goals = goals
        self.found: frozenset[int] = frozenset()

    def add(self, action: Message, results: Sequence[ToolResult]) -> tuple[int, ...]:
        """As `GoalProgress.add`."""
        calls = pair_calls(action, results)
        new = tuple(
            number
            for number, goal in enumerate(self._goals)
            if number not in self.found and any(is_met(goal, call, result) for call, result in calls)
        )
        self.found |= set(new)
        return new


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


def pair_calls(action: Message, results: Sequence[ToolResult]) -> list[tuple[ToolCall, ToolResult]]:
    """Each result with the call that it answers."""
    calls = {call.id: call for call in action.tool_calls}
    ids = [result.message.tool_call_id or "" for result in results]
    return [(calls[one], result) for one, result in zip(ids, results, strict=True) if one in calls]


def is_met(goal: Goal, call: ToolCall, result: ToolResult) -> bool:
    """Whether one call and its result meet all conditions of a goal; a call that failed meets none."""
    is_its_tool = goal.tool is None or goal.tool == call.name
    return result.ok and is_its_tool and all(_holds(one, call, result) for one in goal.where)


def _holds(condition: Condition, call: ToolCall, result: ToolResult) -> bool:
    return any(_compares(condition, text) for text in _texts_at(condition.at, call, result))


def _compares(condition: Condition, text: str) -> bool:
    value = condition.value
    match condition.op:
        case "contains":
            return value in text
        case "is":
            return value == text
        case "prefix":
            return text.startswith(value)
        case "glob":
            return fnmatchcase(text, value)
        case "matches":
            return compile_regex(value).search(text.encode()) is not None


def _texts_at(place: str, call: ToolCall, result: ToolResult) -> Iterator[str]:
    """The texts that a condition looks at: one, or each of a list's items."""
    if place == "text":
        yield result.message.content
        return
    where, *path = place.split(".")
    value: object = call.parse_arguments() if where == "arguments" else _parse_json(result.message.content)
    for name in path:
        value = _item_of(value, name)
    for one in cast("list[object]", value) if isinstance(value, list) else [value]:
        if isinstance(one, str | int | float | bool):
            yield one if isinstance(one, str) else orjson.dumps(one).decode()


def _item_of(value: object, name: str) -> object:
    """What stands under a key, or at a position of a list; None where nothing does."""
    if isinstance(value, dict):
        return cast("dict[str, object]", value).get(name)
    items = cast("list[object]", value) if isinstance(value, list) else []
    return items[int(name)] if name.isdigit() and int(name) < len(items) else None


def _parse_json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def check_goals(task: Task) -> Iterator[str]:
    """What is wrong with a task's goals, in words."""
    if task.answer.targets:
        yield "this environment has goals, and no targets"
    ids = [goal.id for goal in task.answer.goals]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        yield f"goal {twice[0]!r} stands twice"
    for goal in task.answer.goals:
        for condition in goal.where:
            if condition.op == "matches":
                try:
                    compile_regex(condition.value)
                except BadRegex as error:
                    yield f"goal {goal.id!r}: {condition.value!r} is no regular expression: {error}"


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

    Addresses and paths are guarded as a target's path is, piece by piece; other values as a target's content is.
    """
    paths, texts = _split_secrets(task)
    patch = "".join(
        f"--- a/{path}\n+++ b/{path}\n" + "".join(f"+{line}\n" for text in texts for line in text.splitlines())
        for path in paths
    )
    answer = Answer(targets=tuple(Target(path=path) for path in paths), patch=patch)
    return prepare_guard(task.model_copy(update={"answer": answer}), None)


def note_goals_shown(task: Task, shown_text: ShownText, action: Message, result: ToolResult) -> None:
    """Note for the gate what a result said; all of a goal that is met is no secret any more."""
    shown_text.add(result.message.content, has_head=True)
    for call, one in pair_calls(action, [result]):
        if any(is_met(goal, call, one) for goal in task.answer.goals):
            for path in _split_secrets(task)[0]:
                shown_text.mark_opened(path)


def _split_secrets(task: Task) -> tuple[list[str], list[str]]:
    """The secrets that are addresses or paths, as relative paths, and the other texts."""
    values = [value for goal in task.answer.goals for value in (*(one.value for one in goal.where), *goal.secrets)]
    paths: dict[str, None] = {}
    texts: dict[str, None] = {}
    for value in values:
        bare = _WILDCARDS.sub("", value).strip()
        path = _as_path(bare)
        (texts if path is None else paths)[bare if path is None else path] = None
    return list(paths) or ["answer"], [text for text in texts if text]


def _as_path(value: str) -> str | None:
    """An address or path as a relative path; None for other texts."""
    address = urlsplit(value)
    if address.scheme and address.netloc:
        value = f"{address.netloc}{unquote(address.path)}"
    elif "/" not in value and not re.fullmatch(r"[\w-]+\.\w{1,8}", value):
        return None
    parts = [part for part in value.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts) if parts and not re.search(r"\s", value) else None
