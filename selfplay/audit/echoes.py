"""`selfplay audit echoes`: which texts, from any source, answer or lean on a hint."""

from collections.abc import AsyncGenerator, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from selfplay.clean.assistants.echo_judge import EchoJudgeClient, EchoJudgement
from selfplay.clean.echoes import EchoFinding, find_echoes
from selfplay.core.json_rows import read_rows
from selfplay.core.message import Noun
from selfplay.core.threads import gather_results

AT_ONCE = 8
"""Rows that a judge is asked about together."""


class TurnRow(Noun):
    """A line of the input."""

    text: str
    """What the player said or thought in one turn."""
    hint: str | None = None
    """What stood before the turn, if anything did."""


def audit_echoes(file: Path) -> Iterator[dict[str, Any]]:
    """A row for each line of a JSONL file, in order: `echo`, and `findings` with kind, text and span.

    Raises InputError at the first line that is no row, after the rows before it.
    """
    for _, row in read_rows(file, TurnRow):
        yield _to_row(find_echoes(row.text, row.hint))


async def audit_echoes_with_judge(file: Path, judge: EchoJudgeClient) -> AsyncGenerator[dict[str, Any]]:
    """The same with what a model finds beside the wordings; `faults`, where an answer of it could not be used.

    Raises what `EchoJudgeClient.ask` raises too.
    """
    rows = (row for _, row in read_rows(file, TurnRow))
    while batch := list(islice(rows, AT_ONCE)):
        judged = await gather_results([partial(judge.ask, row.text, row.hint) for row in batch])
        for row, judgement in zip(batch, judged, strict=True):
            yield _to_row(find_echoes(row.text, row.hint), judgement)


def _to_row(found: tuple[EchoFinding, ...], judged: EchoJudgement = EchoJudgement()) -> dict[str, Any]:  # noqa: B008  frozen
    every = {(f.span, f.kind): f for f in (*found, *judged.findings)}
    findings = [{"kind": f.kind, "text": f.text, "span": list(f.span)} for _, f in sorted(every.items())]
    row: dict[str, Any] = {"echo": bool(findings), "findings": findings}
    return row | {"faults": list(judged.faults)} if judged.faults else row
