"""Preference pairs as rows: one for each pair, the same prefix on both sides.

`openai` is the line of OpenAI's preference fine-tuning (`input`, `preferred_output`, `non_preferred_output`), which
Azure, Together and Fireworks take as well: each side is one assistant message. `trl` is TRL's conversational preference
format with an explicit prompt: `prompt`, `chosen` and `rejected` are lists of messages, `tools` stands beside. Neither
side carries results: nobody read them yet. Files as in `selfplay.export.write_rows`, named after the rows:

    OUT/pairs.jsonl            NAME.jsonl
    OUT/pairs.contract.json    NAME.contract.json
    OUT/pairs.rows.jsonl       NAME.rows.jsonl       line n is about row n: episode, task, step, both verdicts
    OUT/pairs.skipped.jsonl    NAME.skipped.jsonl    pairs that gave no row, each with its problems
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from selfplay.core.clean_trace import CleanTrace, CleanTurn, PreferencePair
from selfplay.core.contract import Contract, describe_difference
from selfplay.core.errors import ExportError, NothingToExport
from selfplay.core.message import Message, Noun
from selfplay.core.trace import ToolResult
from selfplay.export.export_files import ExportFiles, refuse_other_rows
from selfplay.export.formats.openai_chat import openai_row
from selfplay.export.formats.row_models import PAIR_MODELS, RowFormat
from selfplay.export.formats.trl import trl_row
from selfplay.export.lint import lint_row
from selfplay.export.row_problems import RowProblem
from selfplay.export.spool import Spool, open_spool


class PairSummary(Noun):
    """What an export of pairs wrote."""

    rows: int
    skipped: int
    """Pairs with problems, listed in the file of skipped ones."""
    contract: str
    """The contract's sha256."""
    files: tuple[str, ...]


def pair_row(pair: PreferencePair, format: RowFormat) -> dict[str, Any]:  # noqa: A002  the command line's word
    """The row of a pair. Its weights are those of preference training: only the two sides are learned."""
    if format == "openai":
        return _openai_pair_row(
            openai_row(side_as_trace(pair, pair.chosen)), openai_row(side_as_trace(pair, pair.rejected))
        )
    chosen, rejected = (trl_row(side_as_trace(pair, side)) for side in (pair.chosen, pair.rejected))
    return {
        "prompt": chosen["messages"][:-1],
        "chosen": chosen["messages"][-1:],
        "rejected": rejected["messages"][-1:],
        "tools": chosen["tools"],
    }


def _openai_pair_row(chosen: Mapping[str, Any], rejected: Mapping[str, Any]) -> dict[str, Any]:
    (*before, better), worse = ([_drop_weight(m) for m in row["messages"]] for row in (chosen, rejected))
    parallel = chosen["parallel_tool_calls"] or rejected["parallel_tool_calls"]
    return {
        "input": {"messages": before, "tools": chosen["tools"], "parallel_tool_calls": parallel},
        "preferred_output": [better],
        "non_preferred_output": worse[-1:],
    }


def _drop_weight(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "weight"}


def side_as_trace(pair: PreferencePair, action: Message) -> CleanTrace:
    """One side of a pair as a clean trace that ends with the action."""
    prompt, opening, *rest = pair.prefix
    turns: list[CleanTurn] = []
    for message in rest:
        if message.role == "assistant":
            turns.append(CleanTurn(step=len(turns), action=message))
        else:
            results = (*turns[-1].results, ToolResult(message=message, ok=True))
            turns[-1] = turns[-1].model_copy(update={"results": results})
    turns.append(CleanTurn(step=len(turns), action=action))
    return CleanTrace(
        episode=pair.episode,
        task=pair.task,
        contract=pair.contract,
        prompt=prompt,
        opening=opening,
        turns=tuple(turns),
    )


def lint_pair(pair: PreferencePair, format: RowFormat) -> tuple[RowProblem, ...]:  # noqa: A002  the command line's word
    """Everything that is wrong with either side, read as a row of its own whose last turn is learned."""
    make = openai_row if format == "openai" else trl_row
    found: list[RowProblem] = []
    for name, action in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        clean = side_as_trace(pair, action)
        weights = [0] * (len(clean.turns) - 1) + [1]
        problems = lint_row(make(clean), format, weights=weights)
        found += (problem.model_copy(update={"where": f"{name}: {problem.where}"}) for problem in problems)
    return tuple(found)


def write_pairs(pairs: Iterable[PreferencePair], out: Path, format: RowFormat) -> PairSummary:  # noqa: A002  the command line's word
    """Lint every pair and write the rows that have no problem, in the order in which they come. Blocking.

    Raises NothingToExport if no pair gives a row; ExportError for pairs under different contracts, if `out` holds rows
    of another kind, and if it can't be written. What was there stays then.
    """
    place = ExportFiles.for_output(out if out.suffix == ".jsonl" else out / "pairs.jsonl")
    refuse_other_rows(place.rows, PAIR_MODELS[format], format)
    tally = _PairTally(format)
    with place.open_scratch_folder() as folder, open_spool(folder / "spool") as spool:
        for pair in pairs:
            tally.add(pair, spool)
        if tally.contract is None:
            raise NothingToExport(
                f"no pairs to export to {out}: "
                + (
                    f"all {tally.skipped} had problems"
                    if tally.skipped
                    else "there are none; `selfplay clean DIR --samples 4` looks for some"
                )
            )
        place.write_all(
            folder, (spool.lines("row"), [tally.contract.json_text], spool.lines("note"), spool.lines("skipped"))
        )
    files = tuple(map(str, place.files))
    return PairSummary(rows=tally.rows, skipped=tally.skipped, contract=tally.contract.sha256, files=files)


@dataclass(slots=True)
class _PairTally:
    format: RowFormat
    contract: Contract | None = field(default=None, init=False)
    rows: int = field(default=0, init=False)
    skipped: int = field(default=0, init=False)

    def add(self, pair: PreferencePair, spool: Spool) -> None:
        key = f"{self.rows + self.skipped:012}"
        if problems := lint_pair(pair, self.format):
            self.skipped += 1
            note = _describe_pair(pair) | {"problems": [p.model_dump() for p in problems]}
            spool.put("skipped", key, _json_line(note))
            return
        if self.contract is None:
            self.contract = pair.contract
        elif pair.contract.sha256 != self.contract.sha256:
            told = describe_difference(self.contract, pair.contract)
            raise ExportError(f"{pair.episode}: made under another contract than the pairs before ({told})")
        self.rows += 1
        spool.put("row", key, _json_line(pair_row(pair, self.format)))
        spool.put("note", key, _json_line(_describe_pair(pair)))


def _describe_pair(pair: PreferencePair) -> dict[str, Any]:
    verdicts = {"chosen": pair.chosen_verdict.model_dump(), "rejected": pair.rejected_verdict.model_dump()}
    return {"episode": pair.episode, "task": pair.task, "step": pair.step, **verdicts}


def _json_line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
