"""Write the samples of many traces: the rows, the contract beside them, and what became of every trace.

`OUT` is a folder, or the name of a `.jsonl` file, and then the others' names begin like it:

    OUT/sft.jsonl         NAME.jsonl             one row per trace, by episode id
    OUT/contract.json     NAME.contract.json     what the rows' model has to be used with
    OUT/rows.jsonl        NAME.rows.jsonl        line n is about row n: episode, task, weights and masks of its turns
    OUT/skipped.jsonl     NAME.skipped.jsonl     traces that gave no row, each with the reason
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from selfplay.core.clean_trace import CleanTrace, CleanTurn, DropReason, Mask
from selfplay.core.contract import Contract, describe_difference
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.errors import ExportError, NothingToExport
from selfplay.core.message import Noun
from selfplay.export.export_files import ExportFiles, refuse_other_rows
from selfplay.export.formats.openai_chat import count_lost_reasoning, has_parallel_calls, openai_row
from selfplay.export.formats.row_models import ROW_MODELS, RowFormat
from selfplay.export.formats.trl import trl_row
from selfplay.export.lint import lint_row
from selfplay.export.spool import Spool, open_spool

ROW_MAKERS: dict[RowFormat, Callable[[CleanTrace], dict[str, Any]]] = {"openai": openai_row, "trl": trl_row}


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


def write_rows(traces: Iterable[CleanTrace | DroppedTrace], out: Path, format: RowFormat) -> ExportSummary:  # noqa: A002  the command line's word
    """Make a row of each clean trace, lint it, and write the rows that have no problem. Blocking.

    The same traces give the same bytes, in whatever order they come. Each file appears whole, the rows last: they never
    lie beside another export's contract. Raises NothingToExport if no trace gives a row; ExportError if an episode
    comes twice, if traces were made under different contracts, if `out` holds an export in another format, and if it
    can't be written. Where there is nothing to write, or contracts differ, what was there stays.
    """
    place = ExportFiles.for_output(out)
    refuse_other_rows(place.rows, ROW_MODELS[format], format)
    tally = _ExportTally(format=format)
    with place.open_scratch_folder() as folder, open_spool(folder / "spool") as spool:
        for trace in traces:
            spool.register(trace.episode)
            if isinstance(trace, DroppedTrace):
                tally.skip(trace, spool)
            else:
                tally.add(trace, spool)
        if tally.contract is None:
            raise NothingToExport(f"nothing to export to {out}: {_describe_skipped(tally.skipped)}")
        contract = [tally.contract.json_text]
        place.write_all(folder, (spool.lines("row"), contract, spool.lines("note"), spool.lines("skipped")))
    return tally.summarize(tally.contract.sha256, place)


@dataclass(slots=True)
class _ExportTally:
    """What has been counted so far."""

    format: RowFormat
    contract: Contract | None = None
    """Of the rows so far."""
    first: str = ""
    """The episode of the first row."""
    counts: Counter[str] = field(default_factory=Counter[str])
    masks: Counter[Mask] = field(default_factory=Counter[Mask])
    dropped: Counter[DropReason] = field(default_factory=Counter[DropReason])
    skipped: Counter[DropCode] = field(default_factory=Counter[DropCode])

    def add(self, clean: CleanTrace, spool: Spool) -> None:
        """Put a trace's row into the spool, or the reason why it has none."""
        row = ROW_MAKERS[self.format](clean)
        if problems := lint_row(row, self.format, weights=clean.weights):
            told = "; ".join(f"{p.where}: {p.text}" for p in problems)
            self.skip(DroppedTrace(episode=clean.episode, task=clean.task, code=DropCode.LINT, detail=told), spool)
            return
        self._require_same_contract(clean)
        self._count(clean)
        spool.put("row", clean.episode, _json_line(row))
        spool.put("note", clean.episode, _json_line(_describe_row(clean)))

    def skip(self, trace: DroppedTrace, spool: Spool) -> None:
        """Note a trace that gives no row."""
        self.skipped[trace.code] += 1
        spool.put("skipped", trace.episode, _json_line(trace.model_dump(mode="json", exclude_defaults=True)))

    def _require_same_contract(self, clean: CleanTrace) -> None:
        if self.contract is None:
            self.contract, self.first = clean.contract, clean.episode
        elif clean.contract.sha256 != self.contract.sha256:
            raise ExportError(
                f"{self.first} and {clean.episode} were made under different contracts "
                f"({describe_difference(self.contract, clean.contract)}); export them separately"
            )

    def _count(self, clean: CleanTrace) -> None:
        self.counts["rows"] += 1
        self.counts["turns"] += len(clean.turns)
        self.counts["learned"] += sum(clean.weights)
        self.counts["parallel"] += has_parallel_calls(clean)
        self.counts["lost_reasoning"] += count_lost_reasoning(clean) if self.format == "openai" else 0
        self.masks += clean.mask_counts
        self.dropped += clean.drop_counts

    def summarize(self, contract: str, place: ExportFiles) -> ExportSummary:
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
            files=tuple(map(str, place.files)),
        )


def _describe_row(clean: CleanTrace) -> dict[str, Any]:
    reliance = None if clean.reliance is None else clean.reliance.share
    told = {"stratum": clean.stratum, "reliance": reliance}
    return {
        "episode": clean.episode,
        "task": clean.task,
        **_drop_nones(told),
        "weights": clean.weights,
        "turns": [_describe_turn(turn) for turn in clean.turns],
    }


def _describe_turn(turn: CleanTurn) -> dict[str, Any]:
    reliance = None if turn.reliance is None else turn.reliance.share
    told = {"repair": turn.repair, "reliance": reliance}
    return {"step": turn.step, "weight": turn.weight, "masks": turn.masks, **_drop_nones(told)}


def _drop_nones(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _json_line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _describe_skipped(skipped: Counter[DropCode]) -> str:
    if not skipped:
        return "there are no traces"
    return "of the traces " + ", ".join(f"{n} {reason}" for reason, n in sorted(skipped.items()))
