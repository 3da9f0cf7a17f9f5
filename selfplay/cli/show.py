"""`selfplay show` and `selfplay explain`: a trace, replayed; and where each of its arguments came from."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from selfplay.clean.evidence import evidence_of
from selfplay.clean.evidence.rendering import TraceEvidence, chain_lines, step_lines, to_json_values, to_mermaid, to_svg
from selfplay.clean.journals import contract_of, journals_in
from selfplay.clean.stages.strip import strip_supervision
from selfplay.cli.console import ExitCode, make_console, print_error, print_json, write_stdout
from selfplay.cli.episode_view import EpisodeView, summarize_episode
from selfplay.core.clean_trace import CleanTrace
from selfplay.core.errors import InputError
from selfplay.core.message import Message
from selfplay.core.terminal_text import abbreviate, sanitize
from selfplay.core.trace import Trace
from selfplay.journal.events import Event, read_events
from selfplay.journal.replay import raise_as_journal_error, read_trace, rebuild_requests, trace_of

commands = typer.Typer()

SHOW_EPILOG = """Examples:

selfplay show traces/app-fix-1a2b3c4d.jsonl

selfplay show traces/app-fix-1a2b3c4d.jsonl --stripped

selfplay show traces/night --check --json"""


@commands.command(epilog=SHOW_EPILOG)
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
        trace = trace_of(events, str(path))
        if as_json:
            print_json(summarize_episode(trace, path))
        elif stripped:
            print_side_by_side(console, trace, strip_supervision(trace, contract_of(events[0], str(path))))
        else:
            view = EpisodeView(console, is_full=full)
            for number, event in enumerate(events, 1):
                with raise_as_journal_error(str(path), number):
                    view.show_event(event, False)
        if check:
            _check_requests(console, events, path)


def _find_journals(place: Path) -> tuple[Path, ...]:
    """A file is taken as it is: reading it says what is wrong with it."""
    return journals_in(place) if place.is_dir() else (place,)


def _check_requests(console: Console, events: Sequence[Event], path: Path) -> None:
    sent = list(rebuild_requests(events, str(path)))
    wrong = [i for i, request in enumerate(sent, 1) if not request.is_exact]
    if wrong:
        print_error(f"{path}: calls {wrong} of {len(sent)} can't be rebuilt as they were sent: the trace was changed")
        raise typer.Exit(ExitCode.NEGATIVE)
    console.print(Text(f"{len(sent)} model calls rebuilt, each byte for byte as it was sent", style="green"))


def print_side_by_side(
    console: Console, trace: Trace, clean: CleanTrace, *, max_lines: int = 3, max_steps: int | None = None
) -> None:
    """The episode on the left, the sample on the right, turn by turn; so many lines of each message."""
    turns = {turn.step: turn for turn in clean.turns}
    dropped = {drop.step: drop.reason for drop in clean.dropped}
    table = Table(expand=True, show_lines=True, box=None, pad_edge=False)
    table.add_column("the episode", ratio=1, overflow="fold")
    table.add_column("the sample", ratio=1, overflow="fold")
    table.add_row(_abbreviate_message(trace.prompt, max_lines), _abbreviate_message(clean.prompt, max_lines))
    table.add_row(_abbreviate_message(trace.opening, 2 * max_lines), _abbreviate_message(clean.opening, 2 * max_lines))
    for number, step in enumerate(trace.steps[:max_steps]):
        left = [
            _abbreviate_message(m, max_lines)
            for m in (step.action, *(r.message for r in step.results), *step.messages_after)
        ]
        if turn := turns.get(number):
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


EXPLAIN_EPILOG = """Examples:

selfplay explain traces/app-fix-1a2b3c4d.jsonl

selfplay explain traces/app-fix-1a2b3c4d.jsonl --step 3

selfplay explain traces/app-fix*.jsonl

selfplay explain traces/app-fix-1a2b3c4d.jsonl --format mermaid > way.mmd"""


class EvidenceFormat(StrEnum):
    """How the evidence is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


@commands.command(epilog=EXPLAIN_EPILOG)
def explain(
    traces: Annotated[
        list[Path],
        typer.Argument(help="Journals, as `selfplay run` writes them; one that goes on will do.", metavar="TRACE"),
    ],
    *,
    step: Annotated[int | None, typer.Option(help="Only this step, counted from 1.", min=1)] = None,
    format: Annotated[  # noqa: A002  the option's name
        EvidenceFormat, typer.Option(help="text, a graph (mermaid, svg), or json.")
    ] = EvidenceFormat.TEXT,
    as_json_: Annotated[bool, typer.Option("--json", help="As --format json.")] = False,
) -> None:
    """Say of each argument where it came from, and of each target how it was reached.

    Arguments that only a hint, or nothing, explains are marked LEAP. They break the way to a target, unless they are
    words of a query that is carried by its other words. Several traces follow one another, each below its name; as
    JSON each is a line.
    """
    shape = EvidenceFormat.JSON if as_json_ else format
    if len(traces) > 1 and shape in {EvidenceFormat.MERMAID, EvidenceFormat.SVG}:
        raise InputError(f"{len(traces)} traces are given, and a graph shows one: explain them one by one")
    for number, path in enumerate(traces):
        if len(traces) > 1 and shape is EvidenceFormat.TEXT:
            _write_text("\n" * (number > 0) + f"{sanitize(str(path))}\n")
        _explain_trace(path, shape, step)


def _explain_trace(path: Path, shape: EvidenceFormat, step: int | None) -> None:
    if path.is_dir():
        raise InputError(f"{path}: a folder; give one journal, such as {journals_in(path)[0]}")
    trace = read_trace(path)
    if step is not None and step > len(trace.steps):
        raise InputError(f"{path}: no step {step}; it has {len(trace.steps)}")
    evidence = TraceEvidence.from_trace(trace, evidence_of(trace.conversation))
    position = None if step is None else step - 1
    if shape is EvidenceFormat.JSON:
        print_json(to_json_values(evidence, position))
    else:
        _write_text(_render_evidence(evidence, shape, position))


def _render_evidence(evidence: TraceEvidence, shape: EvidenceFormat, step: int | None) -> str:
    match shape:
        case EvidenceFormat.MERMAID:
            return to_mermaid(evidence)
        case EvidenceFormat.SVG:
            return to_svg(evidence)
        case _:
            steps = range(len(evidence.trace.steps)) if step is None else (step,)
            lines = [line for number in steps for line in step_lines(evidence, number)]
            return "\n".join(sanitize(line) for line in [*lines, *chain_lines(evidence)]) + "\n"


def _write_text(text: str) -> None:
    write_stdout(text.encode("utf-8", "replace"))
