"""An episode for people, event by event: the same words live and in a replay."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.rule import Rule
from rich.text import Text

from selfplay.core.json_rows import escape_undecodable
from selfplay.core.terminal_text import MAX_CHARS, MAX_LINES, abbreviate, sanitize
from selfplay.core.trace import HintKind, Trace
from selfplay.journal.events import Event


def summarize_episode(trace: Trace, path: Path) -> dict[str, Any]:
    """What a script wants to know of an episode; JSON values only."""
    hints = [step.judgement.hint for step in trace.steps if step.judgement.hint is not None]
    attempts = [attempt for step in trace.steps for attempt in step.judgement.attempts]
    usage = trace.usage
    return {
        "episode": trace.episode,
        "trace": escape_undecodable(path),
        "stop": None if trace.stop is None else trace.stop.model_dump(mode="json"),
        "steps": len(trace.steps),
        "targets": [str(target) for target in trace.task.answer.all_goals],
        "found": [str(trace.task.answer.all_goals[i]) for i in sorted(trace.found_targets)],
        "answer": [file.path for file in trace.answer or ()],
        "hints": len(hints),
        "feedback_hints": sum(hint.kind is HintKind.FEEDBACK for hint in hints),
        "stratum": trace.stratum,
        "refused": sum(bool(attempt.findings) for attempt in attempts),
        "repeated": sum(f.kind == "repeated" for attempt in attempts for f in attempt.findings),
        "judged": sum(attempt.opinion is not None for attempt in attempts),
        "refused_by_judge": sum(f.kind == "judge" for attempt in attempts for f in attempt.findings),
        "missing_verdicts": sum(step.judgement.missing is not None for step in trace.steps),
        "tokens": usage.total_tokens,
        "usage": usage.model_dump(mode="json"),
        "digest": trace.digest,
    }


LABEL_WIDTH = 11
BRIEF_LINES = 3


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A label, and a text beside it in the rest of the console's width."""

    label: str
    text: str
    style: str = ""
    is_cut: bool = False
    """Lines that are too long are cut, not wrapped."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, without blanks at their ends."""
        width = max(20, options.max_width - LABEL_WIDTH)
        text = Text(sanitize(self.text), style=self.style)
        for i, line in enumerate(text.split("\n") if self.is_cut else text.wrap(console, width)):
            if self.is_cut:
                line.expand_tabs(8)
                line.truncate(width, overflow="ellipsis")
            line.rstrip()
            label = self.label if i == 0 else ""
            yield Text.assemble((f"{label:<{LABEL_WIDTH}}", "dim"), line)


class EpisodeView:
    """Turns events into what is printed: results whole, or their beginning, or (brief) three lines cut to the width."""

    def __init__(self, console: Console, *, is_full: bool = False, is_brief: bool = False) -> None:
        self._console = console
        self._is_brief = is_brief
        self._max_lines = 10**9 if is_full else BRIEF_LINES if is_brief else MAX_LINES
        self._max_chars = 10**9 if is_full else MAX_CHARS
        self._targets: list[str] = []
        self._found = 0
        self._step = 0

    def show_event(self, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  the journal's callback
        """Print one event."""
        if is_recorded and event["event"] == "start":
            self._console.print(Text("resumed: the steps that were recorded come first", style="dim"))
        for part in self.render_event(event):
            self._console.print(part)
        if is_recorded and event["event"] == "stop":
            self._console.print(Text("played before, shown again; delete the trace to play it anew", style="dim"))

    def render_event(self, event: Event) -> Iterable[RenderableType]:
        """What one event looks like; nothing for those that people need not see."""
        match event["event"]:
            case "start":
                yield from self._render_start(event)
            case "call" if event["seat"] == "player" and "reply" in event:
                yield from self._render_action(event["reply"]["message"])
            case "call" if "refused" in event:
                yield LabelledText("refused", f"the {event['seat']}'s server: {event['refused']['message']}", "yellow")
            case "result":
                yield from self._render_result(event["result"])
            case "step":
                yield from self._render_judgement(event)
            case "retry":
                yield LabelledText(
                    "retry", f"{event['seat']}: {event['error']}; again in {event['wait_s']:.1f} s", "yellow"
                )
            case "stop":
                yield from self._render_stop(event["stop"])
            case _:
                pass

    def _render_start(self, event: Event) -> Iterable[RenderableType]:
        task = event["task"]
        goals = [goal["id"] for goal in task.get("goals", ())]
        self._targets = [*map(_describe_target, task.get("targets", ())), *goals]
        self._found = self._step = 0
        yield Rule(Text(sanitize(event["episode"])), style="dim", align="left")
        yield LabelledText("task", task["prompt"], "bold")
        if "repo" in task:
            yield LabelledText("repository", f"{task['repo']} at {task['commit'][:12]}")
        else:
            yield LabelledText("played in", task["environment"])
        yield LabelledText(
            "targets", f"{len(self._targets)}, known to the supervisor only: {', '.join(self._targets)}", "dim"
        )

    def _render_action(self, message: dict[str, Any]) -> Iterable[RenderableType]:
        self._step += 1
        yield Rule(Text(f"step {self._step}", style="dim"), style="dim", align="left")
        if reasoning := message.get("reasoning"):
            yield LabelledText("reasoning", abbreviate(reasoning, self._max_lines, self._max_chars), "dim italic")
        yield LabelledText("player", abbreviate(message["content"], self._max_lines, self._max_chars) or "(no words)")
        for call in message.get("tool_calls", ()):
            yield LabelledText("call", f"{call['name']} {abbreviate(call['arguments'], 4, self._max_chars)}", "cyan")

    def _render_result(self, result: dict[str, Any]) -> Iterable[RenderableType]:
        text = abbreviate(result["message"]["content"], self._max_lines, self._max_chars)
        yield LabelledText("result", text, "dim" if result["ok"] else "yellow", is_cut=self._is_brief)

    def _render_judgement(self, event: Event) -> Iterable[RenderableType]:
        for i in event["found"]:
            self._found += 1
            yield LabelledText("found", f"{self._targets[i]}  ({self._found} of {len(self._targets)})", "bold green")
        judgement = event["judgement"]
        if verdict := judgement.get("verdict"):
            yield LabelledText("verdict", f"{verdict['quality']}: {verdict['why']}", "magenta")
        if missing := judgement.get("missing"):
            yield LabelledText("verdict", f"missing: {missing}", "yellow")
        for attempt in judgement.get("attempts", ()):
            if findings := attempt.get("findings"):
                yield LabelledText(
                    "gate", f"refused {attempt['text']!r}: {', '.join(map(_describe_finding, findings))}", "red"
                )
            if opinion := attempt.get("opinion"):
                yield LabelledText("judge", _describe_opinion(opinion), "dim")
        if hint := judgement.get("hint"):
            yield LabelledText("hint", f"[level {hint['level']}, {hint['kind']}] {hint['text']}", "bold yellow")
        if event["nudge"]:
            yield LabelledText("engine", event["nudge"], "yellow")

    def _render_stop(self, stop: dict[str, Any]) -> Iterable[RenderableType]:
        style = "bold green" if stop["reason"] == "found" else "bold red"
        yield Rule(style="dim")
        yield LabelledText("stop", stop["reason"] + (f": {stop['detail']}" if stop["detail"] else ""), style)


def _describe_finding(finding: dict[str, Any]) -> str:
    """The kind, and the part of the hint where it is not the whole of it."""
    return finding["kind"] if finding["kind"] in {"judge", "repeated"} else f"{finding['kind']} {finding['text']!r}"


def _describe_opinion(opinion: dict[str, Any]) -> str:
    def list_files(guesses: list[dict[str, Any]]) -> str:
        return "; ".join(", ".join(guess.get("files", ())) or "nothing" for guess in guesses) or "not asked"

    return f"without the hint: {list_files(opinion['without'])} | with it: {list_files(opinion.get('given', []))}"


def _describe_target(target: dict[str, Any]) -> str:
    lines, symbol = target.get("lines"), target.get("symbol")
    if lines:
        return f"{target['path']}:{lines[0]}-{lines[1]}"
    return f"{target['path']}:{symbol}" if symbol else target["path"]
