"""When a hint is due and how far it may go; when the player counts as having given up."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selfplay.config import HintConfig
from selfplay.core.message import Message, ToolCall
from selfplay.core.trace import Quality, ToolResult
from selfplay.environments.environment import ANSWER_TOOL
from selfplay_tools.tools.tool import ShownRange


@dataclass(frozen=True, slots=True)
class StepNovelty:
    """What one step's results were worth."""

    new: int = 0
    """Lines that no earlier result had."""
    old: int = 0
    """Lines that an earlier result had."""
    is_reread: bool = False
    """True where files were read, and each of their lines had been read before."""

    @property
    def is_barren(self) -> bool:
        """True when nothing new was shown: all of it known, or nothing at all (empty or refused results)."""
        return not self.new


class NoveltyCounter:
    """Everything that results have shown in an episode, line by line."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        """By path: bit `n` is set where line `n` was shown. A thousand lines take some 150 bytes."""
        self._read: dict[str, int] = {}
        self._known_result_lines: set[str] = set()

    def add(self, results: Iterable[ToolResult]) -> StepNovelty:
        """Take in a step's results. Refused calls and answers show nothing."""
        new = old = 0
        lines_read = lines_reread = 0
        for result in results:
            if not result.ok or result.answer is not None:
                continue
            for part in result.shown:
                lines = _line_bits(part)
                known = _mark_lines_known(self._lines, part.path, lines)
                new, old = new + lines.bit_count() - known, old + known
                if part.how == "read":
                    lines_read += lines.bit_count()
                    lines_reread += _mark_lines_known(self._read, part.path, lines)
            if not result.shown:
                fresh = set(_result_lines(result.message.content))
                new, old = new + len(fresh - self._known_result_lines), old + len(fresh & self._known_result_lines)
                self._known_result_lines |= fresh
        return StepNovelty(new, old, is_reread=lines_read > 0 and lines_read == lines_reread)


def _line_bits(part: ShownRange) -> int:
    """A bit for each shown line; an empty file that was opened counts as its line 0."""
    return ((1 << (part.last - part.first + 1)) - 1) << part.first if part.last >= part.first else 1


def _mark_lines_known(known: dict[str, int], path: str, lines: int) -> int:
    """Add lines to those that are known of a path. How many of them were."""
    before = known.get(path, 0)
    known[path] = before | lines
    return (before & lines).bit_count()


def _result_lines(text: str) -> Iterator[str]:
    """Lines of a result that tells of no lines of files; its first one repeats what was asked for."""
    return (row.strip() for row in text.split("\n")[1:] if row.strip())


MAX_LEVEL = 4
LOOP_PERIODS = (2, 3)
"""Turns after which a loop begins anew."""

ToolDefaults = Mapping[str, Mapping[str, Any]]
"""By tool: what its arguments are where they are left out."""
CallSignature = tuple[str, str]
"""A call's tool, and its arguments in a form of which there is one."""


def defaults_of(schemas: Sequence[Mapping[str, Any]]) -> ToolDefaults:
    """The defaults in the tools' schemas (OpenAI's function tools)."""
    functions = [schema["function"] for schema in schemas]
    return {
        f["name"]: {k: p["default"] for k, p in f["parameters"]["properties"].items() if "default" in p}
        for f in functions
    }


def signature_of(call: ToolCall, defaults: ToolDefaults) -> CallSignature:
    """The same for calls that ask for the same: order, white space and arguments at their default do not count."""
    value = call.parse_arguments()
    if value is None:
        return call.name, call.arguments
    usual = defaults.get(call.name, {})
    kept = {k: v for k, v in value.items() if v is not None and (k not in usual or usual[k] != v)}
    return call.name, json.dumps(kept, sort_keys=True)


def destination_of(call: ToolCall) -> CallSignature:
    """Where a call goes, whatever part of it it asks for: the path that it names, or the words that it looks for."""
    value = call.parse_arguments() or {}
    named = [v for k, v in sorted(value.items()) if k in {"path", "query", "pattern", "name"} and isinstance(v, str)]
    return call.name, " ".join(sorted(set(" ".join(named).casefold().split())))


class Pacing:
    """Counts of one episode, kept step by step.

    For each step: `count_step` when its results are there, `due_level` for the hint to ask for, `count_verdict`, and
    `count_hint` if a hint was sent.

    Progress is a target found, or a step that the supervisor calls productive and that showed something new. A hint is
    fruitless when the next step shows nothing new, or when no progress came before the next hint; it counts once.
    """

    def __init__(self, hints: HintConfig, defaults: ToolDefaults | None = None) -> None:
        self._hints = hints
        self._defaults = defaults or {}
        self._novelty = NoveltyCounter()
        self._calls: set[CallSignature] = set()
        self._destinations: list[tuple[CallSignature, ...]] = []
        self._step_novelties: list[StepNovelty] = []
        self._has_repeated = False
        self._since_progress = 0
        self._barren_steps = 0
        self._fruitless_hints = 0
        self._level = 1
        self._is_hint_pending = False
        """True until it is known whether the last hint led to progress."""
        self.hints_sent = 0
        self.idle_turns = 0
        """Turns in a row that searched nothing: no call, or only `finish`."""

    def count_turn(self, action: Message) -> None:
        """Count a turn: all that an episode without a supervisor needs."""
        is_idle = all(call.name == ANSWER_TOOL for call in action.tool_calls)
        self.idle_turns = self.idle_turns + 1 if is_idle else 0

    def count_step(self, action: Message, results: Sequence[ToolResult], *, has_found: bool) -> None:
        """Count a step, before its verdict and its hint."""
        self.count_turn(action)
        calls = [signature_of(call, self._defaults) for call in action.tool_calls]
        before = len(self._calls)
        self._calls.update(calls)
        self._has_repeated = len(self._calls) < before + len(calls)
        self._destinations.append(tuple(destination_of(call) for call in action.tool_calls))
        self._step_novelties.append(self._novelty.add(results))
        self._barren_steps = self._barren_steps + 1 if self._step_novelties[-1].is_barren else 0
        self._since_progress += 1
        if has_found:
            self._fruitless_hints = 0
            self._note_progress()
        elif self._is_hint_pending and self._step_novelties[-1].is_barren:
            self._fruitless_hints += 1
            self._is_hint_pending = False
        # Two hints can turn out fruitless between two steps: the level still rises by one.
        self._level = min(MAX_LEVEL, self._level + 1, 1 + self._fruitless_hints // self._hints.escalate_after)

    def count_verdict(self, quality: Quality | None) -> None:
        """Take in the verdict on the step just counted; None where there is none."""
        if quality is Quality.PRODUCTIVE and self._step_novelties and not self._step_novelties[-1].is_barren:
            self._note_progress()

    def count_hint(self) -> None:
        """Count a hint that was sent after the step just counted."""
        self.hints_sent += 1
        self._fruitless_hints += self._is_hint_pending
        self._is_hint_pending = True
        self._since_progress = 0

    def _note_progress(self) -> None:
        self._since_progress = 0
        self._is_hint_pending = False

    def due_level(self) -> int | None:
        """The level of the hint that is due after the step just counted; None when none is."""
        if self.has_no_hints_left or (self._hints.policy == "when_stuck" and not self.stuck_reason):
            return None
        return self._level

    @property
    def has_no_hints_left(self) -> bool:
        """True when the episode has had all its hints."""
        return self._hints.budget is not None and self.hints_sent >= self._hints.budget

    @property
    def stuck_reason(self) -> str | None:
        """Why the player counts as stuck, in words for the supervisor; None where it does not."""
        if self.is_repeating:
            return "it made a call that it had made before"
        if self.is_rereading:
            return "it read again what it had read before"
        if self.is_looping:
            return "it goes to and fro between the same places"
        if self.is_barren:
            return f"its last {self._barren_steps} steps showed nothing new"
        if self.is_slow:
            return f"{self._since_progress} steps went by without progress"
        return None

    @property
    def is_repeating(self) -> bool:
        """True when a call of the step was made before, in this turn or an earlier one."""
        return self._has_repeated

    @property
    def is_rereading(self) -> bool:
        """True when the step read files and each line of it had been read before, in whatever pieces."""
        return bool(self._step_novelties) and self._step_novelties[-1].is_reread

    @property
    def is_looping(self) -> bool:
        """True when the last turns went to the same places in the same order twice, and saw less new than old."""
        return any(self._is_loop(period) for period in LOOP_PERIODS)

    def _is_loop(self, period: int) -> bool:
        last, before = self._destinations[-period:], self._destinations[-2 * period : -period]
        if len(before) < period or last != before or len(set(last)) == 1 or not all(last):
            return False
        news = self._step_novelties[-period:]
        return sum(n.new for n in news) < sum(n.old for n in news)

    @property
    def is_barren(self) -> bool:
        """True when `barren_after` steps in a row showed nothing that was not shown before."""
        return self._barren_steps >= self._hints.barren_after

    @property
    def is_slow(self) -> bool:
        """True when `stuck_after` steps went by without progress, since the last progress or hint."""
        return self._since_progress >= self._hints.stuck_after
