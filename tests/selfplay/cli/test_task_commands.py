"""`mine`, `import` and `tasks check` as commands."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from selfplay.cli import main
from selfplay.core.task_rows import read_tasks
from tests.selfplay.tasks.mine.histories import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History.at(tmp_path / "app.git", app__io="def read():\n    return 1\n", app__net="x = 1\n")
    for number in range(4):
        word = "abcd"[number] * 6
        made.commit(f"The {word} is far too slow", {b"app/io.py": b"def read():\n    return %d\n" % (number + 2)})
    return made


def run_command(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int | None)
    return ended.value.code or 0


def task_ids(path: Path) -> list[str]:
    return [task.brief.id for _, task in read_tasks(path)]


def mine_history(history: History, *more: str | Path) -> int:
    folder = history.git_dir.parent
    return run_command("mine", history.git_dir, "-o", folder / "tasks.jsonl", "--repos", folder / "repos", *more)


def test_mined_tasks_are_checked_and_good(history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mine_history(history) == 0
    output, beside = capsys.readouterr()
    assert beside == "", "without a terminal there is no bar, nor lines where it stood"
    assert not output.startswith("\n")
    assert "- no parent" in output
    assert "4 tasks in" in output
    again = tmp_path / "good.jsonl"
    assert run_command("tasks", "check", tmp_path / "tasks.jsonl", "-o", again, "--repos", tmp_path / "repos") == 0
    assert task_ids(again) == task_ids(tmp_path / "tasks.jsonl")


def test_the_funnel_is_json_when_asked(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    assert mine_history(history, "--json", "--count", "3") == 0
    output = json.loads(capsys.readouterr().out)
    [row] = output["repositories"]
    assert output["tasks"] == row["tasks"] == 3
    assert row["dropped"] == {"no parent": 1, "not drawn": 1}
    assert row["leaks"] == {"nothing": 3}


def test_the_same_command_gives_the_same_bytes(history: History, tmp_path: Path) -> None:
    assert mine_history(history, "--functions") == 0
    first = (tmp_path / "tasks.jsonl").read_bytes()
    assert mine_history(history, "--functions") == 0
    assert (tmp_path / "tasks.jsonl").read_bytes() == first


def test_validation_tasks_go_to_their_own_file(history: History, tmp_path: Path) -> None:
    newest = tmp_path / "validation.jsonl"
    assert mine_history(history, "--validation", "0.25", "--validation-to", newest) == 0
    assert [task.brief.prompt for _, task in read_tasks(newest)] == ["The dddddd is far too slow"]
    assert len(task_ids(tmp_path / "tasks.jsonl")) == 3
    assert mine_history(history, "--validation-to", newest) == 2


def test_a_file_of_something_else_is_not_overwritten(history: History, tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text("dear diary\n")
    assert mine_history(history) == 2
    assert (tmp_path / "tasks.jsonl").read_text() == "dear diary\n"
    assert list(tmp_path.glob(".selfplay-export-*")) == []


def test_messages_are_rewritten_once(history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"say": "Loading takes for ever\\n\\nSince this week I wait a minute for each page."}\n')
    options = ("--rewrite-with", f"scripted:{script}", "--count", "2", "--json")
    assert mine_history(history, *options) == 0
    assert json.loads(capsys.readouterr().out)["rewriting"]["asked"] == 2
    assert all(task.brief.prompt.startswith("Loading takes") for _, task in read_tasks(tmp_path / "tasks.jsonl"))
    assert mine_history(history, *options) == 0
    assert json.loads(capsys.readouterr().out)["rewriting"]["known"] == 2


def test_settings_without_a_model_to_rewrite_are_refused(history: History) -> None:
    assert mine_history(history, "--base-url", "http://localhost/v1") == 2
    assert mine_history(history, "--rewrite-with", "heuristic", "--unless-rewritten", "maybe") == 2


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_imported_rows_are_checked_and_rejected_ones_written(
    history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patch = "--- a/app/io.py\n+++ b/app/io.py\n@@ -1 +1 @@\n-a\n+b\n"
    row = {"instance_id": "i1", "repo": "me/app", "base_commit": history.tips["main"], "patch": patch}
    rows = write_rows(tmp_path / "rows.jsonl", [{**row, "problem_statement": "Reading is far too slow"}, row])
    out = tmp_path / "imported.jsonl"
    assert run_command("import", "swebench", rows, "-o", out, "--repos-from", tmp_path) == 1
    assert "the field 'problem_statement' is missing" in capsys.readouterr().out
    rejected = tmp_path / "imported.rejected.jsonl"
    assert json.loads(rejected.read_text())["id"] == "i1"
    assert run_command("tasks", "check", out, "--repos", tmp_path / "repos") == 0
    write_rows(rows, [{**row, "problem_statement": "Reading is far too slow"}])
    assert run_command("import", "swebench", rows, "-o", out, "--repos-from", tmp_path, "--json") == 0
    assert not rejected.exists()
    assert run_command("import", "swebank", rows, "-o", out) == 2


def test_where_no_task_is_made_nothing_is_written_and_the_reasons_are_printed(
    history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"id": "a"}, {"id": "b"}, {"messages": 3, "patch": ""}])
    out = tmp_path / "imported.jsonl"
    assert run_command("import", "openai", rows, "-o", out) == 1
    output = capsys.readouterr().err
    assert "2 rows: neither 'targets' nor 'patch' in metadata says what is to be found; 1 row: " in output
    assert mine_history(history, "--since", "2099-01-01") == 1
    assert "no task was found, so nothing is written" in capsys.readouterr().err
    bad = write_rows(tmp_path / "bad.jsonl", [{"id": "a"}])
    assert run_command("tasks", "check", bad, "-o", out) == 1
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["bad.jsonl", "rows.jsonl"]


def test_a_bad_task_gives_exit_code_one(history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = {"id": "a", "repo": str(history.git_dir), "commit": "HEAD", "prompt": "Something is wrong here",
            "targets": [{"path": "nowhere.py"}]}  # fmt: skip
    file = write_rows(tmp_path / "tasks.jsonl", [task])
    assert run_command("tasks", "check", file, "--repos", tmp_path / "repos", "--json") == 1
    [problem] = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["task"], problem["kind"]) == ("a", "targets")


@pytest.mark.parametrize("day", ["2O24", "2024", "2024-13-01", "01.02.2024"])
def test_a_day_that_cant_be_parsed_is_answered_with_the_right_form(
    day: str, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mine_history(history, "--since", day) == 2
    assert "write it as YYYY-MM-DD" in " ".join(re.sub(r"[^\x20-\x7e]", " ", capsys.readouterr().err).split())
