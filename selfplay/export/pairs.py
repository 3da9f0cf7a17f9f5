"""Preference pairs as rows: one for each pair, the same prefix on both sides.

Each side is one message of the model; neither carries results: nobody read them yet. Files as in
`selfplay.export.write_rows`, named after the rows:

    OUT/pairs.jsonl            NAME.jsonl
    OUT/pairs.contract.json    NAME.contract.json
    OUT/pairs.rows.jsonl       NAME.rows.jsonl       line n is about row n: episode, task, step, both verdicts
    OUT/pairs.skipped.jsonl    NAME.skipped.jsonl    pairs that gave no row, each with its problems
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selfplay.core.clean_trace import PreferencePair
from selfplay.core.errors import InputError
from selfplay.core.message import Noun
from selfplay.export.export_files import open_row_writer
from selfplay.export.export_format import ExportFormat


class PairSummary(Noun):
    """What an export of pairs wrote."""

    rows: int
    skipped: int
    """Pairs with problems, listed in the file of skipped ones."""
    contract: str
    """The contract's sha256."""
    files: tuple[str, ...]


def write_pairs(pairs: Iterable[PreferencePair], out: Path, row_format: ExportFormat) -> PairSummary:
    """Lint every pair and write the rows that have no problem, in the order in which they come. Blocking.

    Raises InputError for a format without pairs; NothingToExport if no pair gives a row; ExportError for pairs under
    different contracts, and if `out` holds rows of another kind; StorageError if it can't be written. What was there
    stays then.
    """
    if row_format.pair_model is None:
        raise InputError(f"the format {row_format.name!r} has no preference pairs; choose another --format")
    file = out if out.suffix == ".jsonl" else out / "pairs.jsonl"
    rows = skipped = 0
    with open_row_writer(file, row_format.pair_model, row_format.name) as writer:
        for number, pair in enumerate(pairs):
            key, note = f"{number:012}", _describe_pair(pair)
            if problems := row_format.lint_pair(pair):
                writer.skip(key, note | {"problems": [problem.model_dump() for problem in problems]})
                skipped += 1
            else:
                writer.add(key, row_format.make_pair(pair), note, episode=pair.episode, contract=pair.contract)
                rows += 1
        contract = writer.write(f"no pairs to export to {out}: {_reason_for_none(skipped)}")
    return PairSummary(rows=rows, skipped=skipped, contract=contract.sha256, files=tuple(map(str, writer.files.files)))


def _reason_for_none(skipped: int) -> str:
    if skipped:
        return f"all {skipped} had problems"
    return "there are none; `selfplay clean DIR --samples 4` looks for some"


def _describe_pair(pair: PreferencePair) -> dict[str, Any]:
    verdicts = {"chosen": pair.chosen_verdict.model_dump(), "rejected": pair.rejected_verdict.model_dump()}
    return {"episode": pair.episode, "task": pair.task, "step": pair.step, **verdicts}
