"""Write rows: one for each trace, or one for each preference pair, the contract beside them, and what gave no row.

`OUT` is a folder, or the name of a `.jsonl` file, and then the others' names begin like it:

    OUT/sft.jsonl         NAME.jsonl             one row per trace, by episode id
    OUT/contract.json     NAME.contract.json     what the rows' model has to be used with
    OUT/rows.jsonl        NAME.rows.jsonl        line n is about row n: episode, task, weights and masks of its turns
    OUT/skipped.jsonl     NAME.skipped.jsonl     traces that gave no row, each with the reason

In a folder, pairs lie in `pairs.jsonl`, `pairs.contract.json`, `pairs.rows.jsonl` (episode, task, step and both
verdicts) and `pairs.skipped.jsonl`. Each side of a pair is one message of the model, without results: it had not read
them yet.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfplay.core.clean_trace import CleanTrace, CleanTurn, DropReason, Mask, PreferencePair
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.errors import InputError
from selfplay.core.message import Noun
from selfplay.export.export_files import RowWriter, open_row_writer
from selfplay.export.export_format import ExportFormat
from selfplay.export.row_models import describe_problems


class ExportSummary(Noun):
    """What an export wrote."""

    rows: int
    turns: int
    """Of the model, in all rows."""
    learned_turns: int
    """Those with weight 1."""
    parallel_rows: int
    """Rows in which some turn has two calls or more."""
    lost_reasoning: int
    """Turns whose reasoning the format has no place for."""
    masks: dict[Mask, int]
    """Turns in the rows that are only context, by reason."""
    dropped: dict[DropReason, int]
    """Turns that the rows' traces had and the rows have not, by reason."""
    skipped: dict[DropCode, int]
    """Traces that gave no row, by reason."""
    contract: str
    """The contract's sha256."""
    files: tuple[str, ...]


def write_rows(traces: Iterable[CleanTrace | DroppedTrace], out: Path, row_format: ExportFormat) -> ExportSummary:
    """Make a row of each clean trace, lint it, and write the rows that have no problem. Blocking.

    The same traces give the same bytes, in whatever order they come. Each file appears whole, the rows last: they never
    lie beside another export's contract. Raises NothingToExport if no trace gives a row; ExportError if an episode
    comes twice, if traces were made under different contracts, and if `out` holds an export in another format;
    StorageError if it can't be written. Where there is nothing to write, or contracts differ, what was there stays.
    """
    with open_row_writer(out, row_format.row_model, row_format.name) as writer:
        tally = _ExportTally(row_format, writer)
        for trace in traces:
            writer.register(trace.episode)
            if isinstance(trace, DroppedTrace):
                tally.skip(trace)
            else:
                tally.add(trace)
        contract = writer.write(f"nothing to export to {out}: {_describe_skipped(tally.skipped)}")
    return tally.summarize(contract.sha256)


@dataclass(slots=True)
class _ExportTally:
    """What has been counted so far."""

    row_format: ExportFormat
    writer: RowWriter
    counts: Counter[str] = field(default_factory=Counter[str])
    masks: Counter[Mask] = field(default_factory=Counter[Mask])
    dropped: Counter[DropReason] = field(default_factory=Counter[DropReason])
    skipped: Counter[DropCode] = field(default_factory=Counter[DropCode])

    def add(self, clean: CleanTrace) -> None:
        """Write a trace's row, or note the reason why it has none."""
        row = self.row_format.make_row(clean)
        if problems := self.row_format.lint(row, weights=clean.weights):
            detail = describe_problems(problems)
            self.skip(DroppedTrace(episode=clean.episode, task=clean.task, code=DropCode.LINT, detail=detail))
            return
        self.writer.add(clean.episode, row, _describe_row(clean), episode=clean.episode, contract=clean.contract)
        self._count(clean)

    def skip(self, trace: DroppedTrace) -> None:
        """Note a trace that gives no row."""
        self.skipped[trace.code] += 1
        self.writer.skip(trace.episode, trace.model_dump(mode="json", exclude_defaults=True))

    def _count(self, clean: CleanTrace) -> None:
        self.counts["rows"] += 1
        self.counts["turns"] += len(clean.turns)
        self.counts["learned"] += sum(clean.weights)
        self.counts["parallel"] += clean.has_parallel_calls
        if not self.row_format.keeps_reasoning:
            self.counts["lost_reasoning"] += sum(bool(turn.action.reasoning) for turn in clean.turns)
        self.masks += clean.mask_counts
        self.dropped += clean.drop_counts

    def summarize(self, contract: str) -> ExportSummary:
        """The counts, in an order that does not depend on that of the traces."""
        return ExportSummary(
            rows=self.counts["rows"],
            turns=self.counts["turns"],
            learned_turns=self.counts["learned"],
            parallel_rows=self.counts["parallel"],
            lost_reasoning=self.counts["lost_reasoning"],
            masks=dict(sorted(self.masks.items())),
            dropped=dict(sorted(self.dropped.items())),
            skipped=dict(sorted(self.skipped.items())),
            contract=contract,
            files=tuple(map(str, self.writer.files.files)),
        )


def _describe_row(clean: CleanTrace) -> dict[str, Any]:
    reliance = None if clean.reliance is None else clean.reliance.share
    return {
        "episode": clean.episode,
        "task": clean.task,
        **_drop_nones({"stratum": clean.stratum, "reliance": reliance}),
        "weights": clean.weights,
        "turns": [_describe_turn(turn) for turn in clean.turns],
    }


def _describe_turn(turn: CleanTurn) -> dict[str, Any]:
    reliance = None if turn.reliance is None else turn.reliance.share
    rest = _drop_nones({"repair": turn.repair, "reliance": reliance})
    return {"step": turn.step, "weight": turn.weight, "masks": turn.masks, **rest}


def _drop_nones(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _describe_skipped(skipped: Counter[DropCode]) -> str:
    if not skipped:
        return "there are no traces"
    return "of the traces " + ", ".join(f"{n} {reason}" for reason, n in sorted(skipped.items()))


# Preference pairs


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
