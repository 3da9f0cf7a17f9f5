"""What a report is made of: the totals, every unit's line, a few journals, and the cleaning's funnel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from selfplay.batch.ledger import UnitLine
from selfplay.batch.manifest import RunManifest, read_manifest
from selfplay.batch.progress.observer import RunObserver
from selfplay.batch.progress.status import RunTotals
from selfplay.batch.run_folder import RunFolder
from selfplay.clean.folder import CLEAN_FOLDER_NAME, CleanFolder
from selfplay.clean.funnel import CleaningFunnel
from selfplay.core.errors import JournalError
from selfplay.core.trace import Step, StopReason
from selfplay.journal.replay import read_trace

MAX_EXAMPLES = 3
"""Episodes that are shown of each kind of failure."""
LAST_STEPS = 3
MAX_EXAMPLE_CHARS = 600
"""Of each text in an example."""


@dataclass(frozen=True, slots=True)
class FailureExample:
    """A failed attempt at a task."""

    unit: str
    prompt: str = ""
    targets: tuple[str, ...] = ()
    """Each with whether it was found, in words."""
    why: str = ""
    steps: tuple[str, ...] = ()
    """The last ones, as text."""
    journal: Path | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """What is known of a run."""

    folder: RunFolder
    totals: RunTotals
    manifest: RunManifest
    units: Mapping[str, UnitLine]
    funnel: CleaningFunnel | None = None
    examples: Mapping[str, tuple[int, tuple[FailureExample, ...]]] = field(
        default_factory=dict[str, tuple[int, tuple[FailureExample, ...]]]
    )
    """By kind of failure: how many there are, and the first by name."""


def gather_report_data(folder: RunFolder) -> ReportData:
    """Look at a run once. Raises RunError, ConfigError, and InputError for a funnel that can't be read."""
    observer = RunObserver(folder)
    totals = observer.read_totals()
    place = CleanFolder(folder.root / CLEAN_FOLDER_NAME)
    return ReportData(
        folder=folder,
        totals=totals,
        manifest=read_manifest(folder),
        units=observer.units,
        funnel=place.read_funnel() if place.is_complete else None,
        examples=dict(_collect_examples(folder, totals, observer.units)),
    )


def _collect_examples(
    folder: RunFolder, totals: RunTotals, units: Mapping[str, UnitLine]
) -> Iterator[tuple[str, tuple[int, tuple[FailureExample, ...]]]]:
    played = [line for _, line in sorted(units.items()) if line.outcome == "played"]
    for reason in StopReason:
        lines = [line for line in played if line.episodes[-1].stop is reason]
        if lines and reason is not StopReason.FOUND:
            yield str(reason), (len(lines), tuple(_make_example(folder, line) for line in lines[:MAX_EXAMPLES]))
    unusable = [line for _, line in sorted(units.items()) if line.outcome == "unusable"]
    if unusable:
        shown = tuple(FailureExample(line.unit, why=line.detail) for line in unusable[:MAX_EXAMPLES])
        yield "unusable", (len(unusable), shown)
    for kind, reasons in (("failed", totals.failed), ("parked", totals.parked)):
        if reasons:
            first = islice(reasons.items(), MAX_EXAMPLES)
            yield kind, (len(reasons), tuple(FailureExample(unit, why=why[-MAX_EXAMPLE_CHARS:]) for unit, why in first))


def _make_example(folder: RunFolder, line: UnitLine) -> FailureExample:
    path = folder.root / line.episodes[-1].path
    try:
        trace = read_trace(path)
    except JournalError as error:
        return FailureExample(line.unit, why=f"its journal can't be shown: {error}")
    targets = trace.task.answer.all_goals
    first = len(trace.steps) - LAST_STEPS
    return FailureExample(
        unit=line.unit,
        prompt=_shorten(trace.task.brief.prompt),
        targets=tuple(f"{t} ({'found' if i in trace.found_targets else 'not found'})" for i, t in enumerate(targets)),
        why=trace.stop.detail[-MAX_EXAMPLE_CHARS:] if trace.stop else "",
        steps=tuple(_describe_step(i, step) for i, step in enumerate(trace.steps, 1) if i > first),
        journal=path,
    )


def _describe_step(number: int, step: Step) -> str:
    lines = [f"step {number}: {_shorten(step.action.content) or '(no words)'}"]
    lines += [f"  {call.name} {_shorten(call.arguments)}" for call in step.action.tool_calls]
    if verdict := step.judgement.verdict:
        lines.append(f"  {verdict.quality}: {_shorten(verdict.why)}")
    if hint := step.judgement.hint:
        lines.append(f"  hint: {_shorten(hint.text)}")
    return "\n".join(lines)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_EXAMPLE_CHARS else text[:MAX_EXAMPLE_CHARS] + " …"
