"""When a hint is due and how far it may go; when the player counts as having given up."""

import json

from selfplay.config import HintConfig
from selfplay.message import Message, ToolCall

MAX_LEVEL = 4


def _same(call: ToolCall) -> str:
    """The arguments in a form that does not depend on how they were written."""
    value = call.parsed()
    return call.arguments if value is None else json.dumps(value, sort_keys=True)


class Pacing:
    """Counts of one episode, kept step by step."""

    def __init__(self, hints: HintConfig) -> None:
        self._hints = hints
        self._calls: set[tuple[str, str]] = set()
        self._since_found = 0
        self._hints_since_found = 0
        self._has_repeated = False
        self.idle_turns = 0
        """Turns in a row that searched nothing: no call, or only `finish`."""

    def took(self, action: Message, *, has_found: bool) -> None:
        """Count a step, before its hint."""
        calls = [(call.name, _same(call)) for call in action.tool_calls]
        before = len(self._calls)
        self._calls.update(calls)
        self._has_repeated = len(self._calls) < before + len(calls)
        self.idle_turns = 0 if any(name != "finish" for name, _ in calls) else self.idle_turns + 1
        self._since_found = 0 if has_found else self._since_found + 1
        if has_found:
            self._hints_since_found = 0

    def due(self) -> int | None:
        """The level of the hint that is due after the step just counted; None when none is."""
        if self._hints.policy == "when_stuck" and not self._is_stuck:
            return None
        return min(MAX_LEVEL, 1 + self._hints_since_found // self._hints.escalate_after)

    @property
    def _is_stuck(self) -> bool:
        return self._has_repeated or self._since_found >= self._hints.stuck_after

    def hinted(self) -> None:
        """Count a hint that was sent."""
        self._hints_since_found += 1
