"""`selfplay explain`: where each argument of a trace came from, and the way to each target."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from selfplay.clean.evidence import evidence_of
from selfplay.clean.evidence.draw import Told, as_json, chain_lines, mermaid, step_lines, svg
from selfplay.cli.console import print_json
from selfplay.errors import InputError
from selfplay.journals import journals_in
from selfplay.replay import read_trace
from selfplay.view import safe

EPILOG = """Examples:

selfplay explain traces/app-fix-1a2b3c4d.jsonl

selfplay explain traces/app-fix-1a2b3c4d.jsonl --step 3

selfplay explain traces/app-fix-1a2b3c4d.jsonl --format mermaid > way.mmd"""


class Shape(StrEnum):
    """How the evidence is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


def explain(
    trace: Annotated[Path, typer.Argument(help="A journal, as `selfplay run` writes it; one that goes on will do.")],
    *,
    step: Annotated[int | None, typer.Option(help="Only this step, counted from 1.", min=1)] = None,
    format: Annotated[Shape, typer.Option(help="text, a graph (mermaid, svg), or json.")] = Shape.TEXT,  # noqa: A002  the option's name
    as_json_: Annotated[bool, typer.Option("--json", help="As --format json.")] = False,
) -> None:
    """Say of each argument where it came from, and of each target how it was reached.

    Arguments that only a hint, or nothing, explains are marked LEAP. They break the way to a target, unless they are
    words of a query that is carried by its other words.
    """
    if trace.is_dir():
        raise InputError(f"{trace}: a folder; give one journal, such as {journals_in(trace)[0]}")
    told_trace = read_trace(trace)
    if step is not None and step > len(told_trace.steps):
        raise InputError(f"{trace}: no step {step}; it has {len(told_trace.steps)}")
    told = Told.of(told_trace, evidence_of(told_trace.conversation))
    position = None if step is None else step - 1
    if as_json_ or format is Shape.JSON:
        print_json(as_json(told, position))
    else:
        _write(_shaped(told, format, position))


def _shaped(told: Told, shape: Shape, step: int | None) -> str:
    match shape:
        case Shape.MERMAID:
            return mermaid(told)
        case Shape.SVG:
            return svg(told)
        case _:
            steps = range(len(told.trace.steps)) if step is None else (step,)
            lines = [line for number in steps for line in step_lines(told, number)]
            return "\n".join(safe(line) for line in [*lines, *chain_lines(told)]) + "\n"


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
