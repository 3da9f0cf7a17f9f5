"""`selfplay explain`: where each argument of a trace came from, and the way to each target."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from selfplay.clean.evidence import evidence_of
from selfplay.clean.evidence.rendering import TraceEvidence, chain_lines, step_lines, to_json_values, to_mermaid, to_svg
from selfplay.clean.journals import journals_in
from selfplay.cli.console import print_json
from selfplay.core.errors import InputError
from selfplay.core.terminal_text import sanitize
from selfplay.journal.replay import read_trace

EPILOG = """Examples:

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


def explain(
    traces: Annotated[
        list[Path],
        typer.Argument(help="Journals, as `selfplay run` writes them; one that goes on will do.", metavar="TRACE"),
    ],
    *,
    step: Annotated[int | None, typer.Option(help="Only this step, counted from 1.", min=1)] = None,
    format: Annotated[
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
            _write("\n" * (number > 0) + f"{sanitize(str(path))}\n")
        _explain_one(path, shape, step)


def _explain_one(path: Path, shape: EvidenceFormat, step: int | None) -> None:
    if path.is_dir():
        raise InputError(f"{path}: a folder; give one journal, such as {journals_in(path)[0]}")
    trace = read_trace(path)
    if step is not None and step > len(trace.steps):
        raise InputError(f"{path}: no step {step}; it has {len(trace.steps)}")
    told = TraceEvidence.from_trace(trace, evidence_of(trace.conversation))
    position = None if step is None else step - 1
    if shape is EvidenceFormat.JSON:
        print_json(to_json_values(told, position))
    else:
        _write(_render(told, shape, position))


def _render(told: TraceEvidence, shape: EvidenceFormat, step: int | None) -> str:
    match shape:
        case EvidenceFormat.MERMAID:
            return to_mermaid(told)
        case EvidenceFormat.SVG:
            return to_svg(told)
        case _:
            steps = range(len(told.trace.steps)) if step is None else (step,)
            lines = [line for number in steps for line in step_lines(told, number)]
            return "\n".join(sanitize(line) for line in [*lines, *chain_lines(told)]) + "\n"


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
