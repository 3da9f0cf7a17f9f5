"""Goals that are conditions on calls and their results: when one is met, and what is wrong with one."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import cast

import orjson

from selfplay.core.message import Message, ToolCall
from selfplay.core.task import Condition, Goal, Task
from selfplay.core.trace import ToolResult
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
