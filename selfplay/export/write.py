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
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from selfplay.clean.strip import strip
from selfplay.contract import Contract, difference
from selfplay.errors import ExportError
from selfplay.export.lint import lint_row
from selfplay.export.openai_chat import has_parallel_calls, lost_reasoning, openai_row
from selfplay.export.place import Place
from selfplay.export.shapes import Format
from selfplay.export.spool import Spool, open_spool
from selfplay.export.supervision import supervision_of
from selfplay.export.trl import trl_row
from selfplay.message import Noun
from selfplay.sample import CleanTrace, DropReason, Mask
from selfplay.trace import StopReason, Trace

ROW_MAKERS: dict[Format, Callable[[CleanTrace], dict[str, Any]]] = {"openai": openai_row, "trl": trl_row}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trace that may become a row."""

    trace: Trace
    contract: Contract
    mark: str = ""
    """What hints were marked with inside tool results, if they were."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that should hold a trace and can't be read as one."""

    name: str
    detail: str


class Unfit(StrEnum):
    """Why a trace that did not fail gave no row. One that did not end `found` is counted under its stop reason."""

    UNFINISHED = "unfinished"
    """The episode goes on, or was interrupted."""
    NO_ANSWER = "no_answer"
    """It does not end with an accepted `finish`."""
    NOTHING_TO_LEARN = "nothing_to_learn"
    """Every turn is only context."""
    UNREADABLE = "unreadable"
    """The journal is damaged, or ends before the episode began."""
    LINT = "lint"
    """The row has problems: `skipped.jsonl` lists them."""


class Summary(Noun):
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
    skipped: dict[StopReason | Unfit, int]
    """Traces that gave no row, by reason."""
    contract: str
    """The contract's sha256."""
    files: tuple[str, ...]


def write_samples(candidates: Iterable[Candidate | Unreadable], out: Path, format: Format) -> Summary:  # noqa: A002  the command line's word
    """Strip, export and lint each trace, and write the rows that have no problem. Blocking.

    The same traces give the same bytes, in whatever order they come. Each file appears whole, the rows last: they never
    lie beside another export's contract. Raises ExportError if no trace gives a row, if an episode comes twice, and if
    traces were made under different contracts (and leaves what was there), and if `out` can't be written.
    """
    place = Place.at(out)
    tally = _Tally(format=format)
    with place.workshop() as folder, open_spool(folder / "spool") as spool:
        for candidate in candidates:
            if isinstance(candidate, Unreadable):
                tally.miss(candidate, spool)
                continue
            spool.enter(candidate.trace.episode)
            tally.take(candidate, spool)
        if tally.contract is None:
            raise ExportError(f"nothing to export to {out}: {_told(tally.skipped)}")
        contract = [tally.contract.json_text]
        place.fill(folder, (spool.lines("row"), contract, spool.lines("note"), spool.lines("skipped")))
    return tally.summary(tally.contract.sha256, place)


@dataclass(slots=True)
class _Tally:
    """What has been counted so far."""

    format: Format
    contract: Contract | None = None
    """Of the rows so far."""
    first: str = ""
    """The episode of the first row."""
    counts: Counter[str] = field(default_factory=Counter[str])
    masks: Counter[Mask] = field(default_factory=Counter[Mask])
    dropped: Counter[DropReason] = field(default_factory=Counter[DropReason])
    skipped: Counter[StopReason | Unfit] = field(default_factory=Counter[StopReason | Unfit])

    def take(self, candidate: Candidate, spool: Spool) -> None:
        """Put a trace's row into the spool, or the reason why it has none."""
        trace = candidate.trace
        clean = strip(trace, candidate.contract)
        if reason := _unfit(trace, clean):
            detail = trace.stop.detail if trace.stop else ""
            self._skip(trace, reason, spool, {"detail": detail} if detail else {})
            return
        row = ROW_MAKERS[self.format](clean)
        problems = lint_row(row, self.format, weights=clean.weights, supervision=supervision_of(trace, candidate.mark))
        if problems:
            self._skip(trace, Unfit.LINT, spool, {"problems": [p.model_dump() for p in problems]})
            return
        self._agree(clean)
        self._count(clean)
        spool.put("row", trace.episode, _line(row))
        spool.put("note", trace.episode, _line(_note(clean)))

    def miss(self, file: Unreadable, spool: Spool) -> None:
        """Note a file that gave no trace."""
        self.skipped[Unfit.UNREADABLE] += 1
        value = {"episode": file.name, "reason": Unfit.UNREADABLE, "detail": file.detail}
        spool.put("skipped", file.name, _line(value))

    def _skip(self, trace: Trace, reason: StopReason | Unfit, spool: Spool, more: dict[str, Any]) -> None:
        self.skipped[reason] += 1
        value = {"episode": trace.episode, "task": trace.task.brief.id, "reason": reason, **more}
        spool.put("skipped", trace.episode, _line(value))

    def _agree(self, clean: CleanTrace) -> None:
        if self.contract is None:
            self.contract, self.first = clean.contract, clean.episode
        elif clean.contract.sha256 != self.contract.sha256:
            raise ExportError(
                f"{self.first} and {clean.episode} were made under different contracts "
                f"({difference(self.contract, clean.contract)}); export them separately"
            )

    def _count(self, clean: CleanTrace) -> None:
        self.counts["rows"] += 1
        self.counts["turns"] += len(clean.turns)
        self.counts["learned"] += sum(clean.weights)
        self.counts["parallel"] += has_parallel_calls(clean)
        self.counts["lost_reasoning"] += lost_reasoning(clean) if self.format == "openai" else 0
        self.masks += clean.mask_counts
        self.dropped += clean.drop_counts

    def summary(self, contract: str, place: Place) -> Summary:
        """The counts, in an order that does not depend on that of the traces."""
        return Summary(
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


def _unfit(trace: Trace, clean: CleanTrace) -> StopReason | Unfit | None:
    if trace.stop is None:
        return Unfit.UNFINISHED
    if trace.stop.reason is not StopReason.FOUND:
        return trace.stop.reason
    if clean.answer is None:
        return Unfit.NO_ANSWER
    return None if any(clean.weights) else Unfit.NOTHING_TO_LEARN


def _note(clean: CleanTrace) -> dict[str, Any]:
    turns = [{"step": turn.step, "weight": turn.weight, "masks": turn.masks} for turn in clean.turns]
    return {"episode": clean.episode, "task": clean.task, "weights": clean.weights, "turns": turns}


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _told(skipped: Counter[StopReason | Unfit]) -> str:
    if not skipped:
        return "there are no traces"
    return "of the traces " + ", ".join(f"{n} {reason}" for reason, n in sorted(skipped.items()))
