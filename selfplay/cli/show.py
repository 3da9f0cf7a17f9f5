"""`selfplay show`: a readable replay of a trace."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from selfplay.clean.journals import contract_of, journals_in
from selfplay.clean.stages.strip import strip_supervision
from selfplay.cli.console import ExitCode, make_console, print_error, print_json
from selfplay.cli.episode_view import EpisodeView, summarize_episode
from selfplay.core.clean_trace import CleanTrace
from selfplay.core.message import Message
from selfplay.core.terminal_text import abbreviate, sanitize
from selfplay.core.trace import Trace
from selfplay.journal.events import Event, read_events
from selfplay.journal.replay import raise_as_journal_error, rebuild_requests, trace_of

EPILOG = """Examples:

selfplay show traces/app-fix-1a2b3c4d.jsonl

selfplay show traces/app-fix-1a2b3c4d.jsonl --stripped

selfplay show traces/night --check --json"""


def show(
    traces: Annotated[list[Path], typer.Argument(help="Journals, or folders of journals.", metavar="TRACE")],
    *,
    stripped: Annotated[bool, typer.Option("--stripped", help="Each trace beside the sample that it becomes.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Show results whole.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Rebuild every model call and compare it with what was sent.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per trace on standard output.")] = False,
) -> None:
    """Replay a trace, readably; with --stripped beside what is left without the supervisor."""
    console = make_console(is_quiet=False, is_json=as_json)
    for path in (journal for place in traces for journal in _find_journals(place)):
        events = list(read_events(path))
        told = trace_of(events, str(path))
        if as_json:
            print_json(summarize_episode(told, path))
        elif stripped:
            print_side_by_side(console, told, strip_supervision(told, contract_of(events[0], str(path))))
        else:
            view = EpisodeView(console, is_full=full)
            for number, event in enumerate(events, 1):
                with raise_as_journal_error(str(path), number):
                    view.show_event(event, False)
        if check:
            _check(console, events, path)


def _find_journals(place: Path) -> tuple[Path, ...]:
    """A file is taken as it is: what is wrong with it is said of it."""
    return journals_in(place) if place.is_dir() else (place,)


def _check(console: Console, events: Sequence[Event], path: Path) -> None:
    sent = list(rebuild_requests(events, str(path)))
    wrong = [i for i, request in enumerate(sent, 1) if not request.is_exact]
    if wrong:
        print_error(f"{path}: calls {wrong} of {len(sent)} can't be rebuilt as they were sent: the trace was changed")
        raise typer.Exit(ExitCode.NEGATIVE)
    console.print(Text(f"{len(sent)} model calls rebuilt, each byte for byte as it was sent", style="green"))


def print_side_by_side(console: Console, trace: Trace, clean: CleanTrace, *, max_lines: int = 3) -> None:
    """The episode on the left, the sample on the right, turn by turn; so many lines of each message."""
    kept = {turn.step: turn for turn in clean.turns}
    dropped = {drop.step: drop.reason for drop in clean.dropped}
    table = Table(expand=True, show_lines=True, box=None, pad_edge=False)
    table.add_column("the episode", ratio=1, overflow="fold")
    table.add_column("the sample", ratio=1, overflow="fold")
    table.add_row(_abbreviate_message(trace.prompt, max_lines), _abbreviate_message(clean.prompt, max_lines))
    table.add_row(_abbreviate_message(trace.opening, 2 * max_lines), _abbreviate_message(clean.opening, 2 * max_lines))
    for number, step in enumerate(trace.steps):
        left = [
            _abbreviate_message(m, max_lines)
            for m in (step.action, *(r.message for r in step.results), *step.messages_after)
        ]
        if turn := kept.get(number):
            is_last = turn is clean.turns[-1]
            results = () if is_last else tuple(r.message for r in turn.results)
            right = [_abbreviate_message(m, max_lines) for m in (turn.action, *results)]
            note = f"weight {turn.weight}" + (f" ({', '.join(turn.masks)})" if turn.masks else "")
            right.append(Text(note, style="green" if turn.weight else "yellow"))
        else:
            right = [Text(f"left out: {dropped[number]}", style="red")]
        table.add_row(_stack(left), _stack(right))
    console.print(Rule(style="dim"))
    console.print(table)


STYLES = {"hint": "bold yellow strike", "nudge": "yellow strike", "tool": "dim", "prompt": "dim", "task": "bold"}


def _abbreviate_message(message: Message, max_lines: int) -> Text:
    text = Text.assemble((f"{message.origin}: ", "dim"))
    text.append(
        sanitize(abbreviate(message.content, max_lines, 60 * max_lines + 20)), style=STYLES.get(message.origin, "")
    )
    for call in message.tool_calls:
        text.append(sanitize(f"\n→ {call.name} {abbreviate(call.arguments, 2, 200)}"), style="cyan")
    return text


def _stack(parts: Sequence[Text]) -> RenderableType:
    return Text("\n").join(parts)
