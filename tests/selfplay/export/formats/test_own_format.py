"""Formats from outside the package: the one in docs/formats.md, by its name and by where it stands."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from selfplay.clean.folder import CleanFolder
from selfplay.clean.funnel import CleaningSpending, FunnelCount
from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.core.errors import ConfigError, InputError, NothingToExport
from selfplay.core.trace import Quality, Verdict
from selfplay.export.export_format import ExportFormat
from selfplay.export.formats import FORMATS, find_format
from selfplay.export.formats.trl import TRL, TRLRow
from selfplay.export.write_rows import write_pairs, write_rows
from tests.selfplay.traces import TASK_TEXT, a_search, as_clean_traces

PAGE = (Path(__file__).parents[4] / "docs" / "formats.md").read_text("utf-8")


def block(start: str) -> str:
    """The page's block of code that begins so."""
    [found] = re.findall(rf"```\w+\n({re.escape(start)}.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a clean trace, and a package beside it that offers the page's format."""
    place = CleanFolder(tmp_path)
    [clean] = as_clean_traces(a_search())
    place.traces.write_text(clean.model_dump_json() + "\n")
    place.dropped.write_text("")
    place.pairs.write_text("")
    place.funnel.write_text(FunnelCount().to_funnel(CleaningSpending(), "").model_dump_json())
    site = tmp_path / "site"
    info = site / "answers-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "answers.py").write_text(block('"""Rows without'))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: answers\nVersion: 1.0\n")
    entries = block("[project.entry-points.").replace('project.entry-points."selfplay', "selfplay").replace('"', "")
    (info / "entry_points.txt").write_text(entries)
    return tmp_path


def export(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """`selfplay export` in a process of its own: entry points are read once in a process."""
    path = os.pathsep.join((str(folder / "site"), *filter(None, sys.path)))
    command = (sys.executable, "-m", "selfplay", "export", str(folder), "-o", str(folder / "out"), *arguments)
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ["answers", "answers:ANSWERS"])
def test_the_format_of_the_page_is_used_by_its_name_and_by_where_it_stands(folder: Path, name: str) -> None:
    code, out, err = export(folder, "--format", name)
    assert (code, err) == (0, "")
    assert "One task a line, with the paths of its files." in out
    [row] = (folder / "out" / "sft.jsonl").read_bytes().splitlines()
    assert orjson.loads(row) == {"prompt": TASK_TEXT, "completion": "lantern/respond.py"}
    assert len(list((folder / "out").iterdir())) == 4


def test_an_unknown_format_is_a_usage_error_that_lists_the_names(folder: Path) -> None:
    code, _, err = export(folder, "--format", "parquet")
    assert code == 2
    words = " ".join(err.replace("│", " ").split())
    assert "Invalid value for '--format': 'parquet' is not one of 'openai', 'trl', 'answers'" in words


def test_what_is_no_format_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"'json:loads' is of type function; a format is .*ExportFormat"):
        find_format("json:loads")


def test_every_format_that_comes_along_stands_in_the_pages_table() -> None:
    for each in FORMATS.values():
        assert f"| `{each.name}`" in PAGE
        assert find_format(each.name) is each


def test_a_row_that_does_not_fit_its_formats_model_is_not_written(tmp_path: Path) -> None:
    traces = as_clean_traces(a_search("a"), a_search("b"))

    def make_row(clean: CleanTrace) -> dict[str, object]:
        row = TRL.make_row(clean)
        return row if clean.episode == "a" else {**row, "id": 7}

    own = ExportFormat(name="own", description="", row=make_row, row_model=TRLRow)
    assert write_rows(traces, tmp_path, own).rows == 1
    assert b'"detail":"id: Extra inputs are not permitted"' in (tmp_path / "skipped.jsonl").read_bytes()


def test_pairs_are_made_and_described_or_neither() -> None:
    with pytest.raises(ValueError, match="both of pair and pair_model"):
        ExportFormat(name="half", description="", row=TRL.row, row_model=TRLRow, pair=TRL.pair)
    with pytest.raises(InputError, match="'half' has no preference pairs"):
        write_pairs([], Path("out"), ExportFormat(name="half", description="", row=TRL.row, row_model=TRLRow))


def test_a_pair_that_does_not_fit_its_formats_model_is_skipped_with_the_reason(tmp_path: Path) -> None:
    [clean] = as_clean_traces(a_search())
    assert isinstance(clean, CleanTrace)
    action = clean.turns[0].action
    better, worse = (Verdict(quality=quality, why="") for quality in (Quality.PRODUCTIVE, Quality.WASTEFUL))
    pair = PreferencePair(
        episode=clean.episode,
        task=clean.task,
        step=0,
        contract=clean.contract,
        prefix=(clean.prompt, clean.opening),
        chosen=action,
        rejected=action,
        chosen_verdict=better,
        rejected_verdict=worse,
    )

    def make_pair(pair: PreferencePair) -> dict[str, Any]:
        return {**TRL.make_pair(pair), "chosen": []}

    own = replace(TRL, name="own", pair=make_pair)
    assert write_pairs([pair], tmp_path / "trl", TRL).rows == 1
    with pytest.raises(NothingToExport, match="all 1 had problems"):
        write_pairs([pair], tmp_path / "own", own)
    assert [problem.where for problem in own.lint_pair(pair)] == ["chosen"]
