"""What a report is made of: the totals, every unit's line, a few journals, and the cleaning's funnel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from selfplay.batch.layout import RunFolder
from selfplay.batch.ledger import UnitLine
from selfplay.batch.manifest import Manifest, read_manifest
from selfplay.batch.observe import Observer
from selfplay.batch.status import Totals
from selfplay.clean.funnel import Funnel
from selfplay.clean.place import NAME, CleanPlace
from selfplay.errors import JournalError
from selfplay.replay import read_trace
from selfplay.trace import Step, StopReason

EXAMPLES = 3
"""Episodes that are shown of each kind of failure."""
LAST_STEPS = 3
MAX_CHARS = 600
"""Of each text in an example."""


@dataclass(frozen=True, slots=True)
class Example:
    """An attempt at a task that did not come to what it should."""

    unit: str
    prompt: str = ""
    targets: tuple[str, ...] = ()
    """Each with whether it was found, in words."""
    why: str = ""
    steps: tuple[str, ...] = ()
    """The last ones, as text."""
    journal: Path | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of a run."""

    folder: RunFolder
    totals: Totals
    manifest: Manifest
    units: Mapping[str, UnitLine]
    funnel: Funnel | None = None
    examples: Mapping[str, tuple[int, tuple[Example, ...]]] = field(
        default_factory=dict[str, tuple[int, tuple[Example, ...]]]
    )
    """By kind of failure: how many there are, and the first by name."""


def gather(folder: RunFolder) -> Findings:
    """Look at a run once. Raises RunError, ConfigError, and InputError for a funnel that can't be read."""
    observer = Observer(folder)
    totals = observer.look()
    place = CleanPlace(folder.root / NAME)
    return Findings(
        folder=folder,
        totals=totals,
        manifest=read_manifest(folder),
        units=observer.units,
        funnel=place.read_funnel() if place.is_there else None,
        examples=dict(_examples(folder, totals, observer.units)),
    )


def _examples(
    folder: RunFolder, totals: Totals, units: Mapping[str, UnitLine]
) -> Iterator[tuple[str, tuple[int, tuple[Example, ...]]]]:
    played = [line for _, line in sorted(units.items()) if line.outcome == "played"]
    for reason in StopReason:
        lines = [line for line in played if line.episodes[-1].stop is reason]
        if lines and reason is not StopReason.FOUND:
            yield str(reason), (len(lines), tuple(_played(folder, line) for line in lines[:EXAMPLES]))
    unusable = [line for _, line in sorted(units.items()) if line.outcome == "unusable"]
    if unusable:
        shown = tuple(Example(line.unit, why=line.detail) for line in unusable[:EXAMPLES])
        yield "unusable", (len(unusable), shown)
    for kind, told in (("failed", totals.failed), ("parked", totals.parked)):
        if told:
            first = islice(told.items(), EXAMPLES)
            yield kind, (len(told), tuple(Example(unit, why=why[-MAX_CHARS:]) for unit, why in first))


def _played(folder: RunFolder, line: UnitLine) -> Example:
    path = folder.root / line.episodes[-1].path
    try:
        trace = read_trace(path)
    except JournalError as error:
        return Example(line.unit, why=f"its journal can't be shown: {error}")
    targets = trace.task.answer.targets
    first = len(trace.steps) - LAST_STEPS
    return Example(
        unit=line.unit,
        prompt=_cut(trace.task.brief.prompt),
        targets=tuple(f"{t} ({'found' if i in trace.found else 'not found'})" for i, t in enumerate(targets)),
        why=trace.stop.detail[-MAX_CHARS:] if trace.stop else "",
        steps=tuple(_told(i, step) for i, step in enumerate(trace.steps, 1) if i > first),
        journal=path,
    )


def _told(number: int, step: Step) -> str:
    lines = [f"step {number}: {_cut(step.action.content) or '(no words)'}"]
    lines += [f"  {call.name} {_cut(call.arguments)}" for call in step.action.tool_calls]
    if verdict := step.judgement.verdict:
        lines.append(f"  {verdict.quality}: {_cut(verdict.why)}")
    if hint := step.judgement.hint:
        lines.append(f"  hint: {_cut(hint.text)}")
    return "\n".join(lines)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + " …"
