import json
from pathlib import Path

import anyio
import pytest

from selfplay.core.errors import InputError
from selfplay.repos.repositories import Repositories
from selfplay.tasks.check import TaskCheckResult, check_tasks
from selfplay.tasks.prompt_leaks import LeakGrade
from tests.selfplay.tasks.mine.histories import History


@pytest.fixture
def repo(tmp_path: Path) -> str:
    return str(History.at(tmp_path / "app.git", app__io="def read():\n    return 1\n", app__net="x = 1\n").git_dir)


def _ignore_progress(_done: int, _total: int) -> None:
    return None


def check(tmp_path: Path, *rows: dict[str, object] | str, max_leak: LeakGrade = LeakGrade.PATH) -> TaskCheckResult:
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return anyio.run(check_tasks, file, Repositories(tmp_path / "repos"), max_leak, _ignore_progress)


def row(repo: str, id: str = "a", prompt: str = "Uploads are cut too early", **more: object) -> dict[str, object]:  # noqa: A002  the field's name
    return {"id": id, "repo": repo, "commit": "HEAD", "prompt": prompt, "targets": [{"path": "app/io.py"}], **more}


def kinds(checked: TaskCheckResult) -> list[tuple[str, str]]:
    return [(problem.where.rpartition(":")[2], problem.kind) for problem in checked.problems]


def test_a_task_that_fits_has_its_grade_and_no_problem(repo: str, tmp_path: Path) -> None:
    checked = check(
        tmp_path, row(repo, meta={"leak": "path", "mine": 1}), row(repo, "b", "Let app/io.py read() faster")
    )
    assert checked.problems == []
    assert [task.meta for task in checked.good] == [
        {"mine": 1, "leak": "nothing"},
        {"leak": "path", "leaked": ["app/io.py"]},
    ]
    assert checked.leaks == {LeakGrade.NOTHING: 1, LeakGrade.PATH: 1}


def test_every_row_has_its_own_problem_and_the_others_are_still_looked_at(repo: str, tmp_path: Path) -> None:
    checked = check(
        tmp_path,
        "{",
        row(repo),
        row(repo, "b", commit="0" * 40),
        row(repo, "c", targets=[{"path": "app/oi.py"}]),
        row("nowhere", "d"),
        row(repo, "e", "Uploads"),
        row(repo, "a", "Something else altogether is wrong"),
        row(repo, "f"),
    )
    assert kinds(checked) == [
        ("1", "row"), ("3", "duplicate"), ("3", "repository"), ("4", "targets"), ("5", "repository"), ("6", "prompt"),
        ("7", "id"), ("8", "duplicate"),
    ]  # fmt: skip
    assert [task.brief.id for task in checked.good] == ["a"]
    assert "nearest: 'app/io.py'" in next(p.text for p in checked.problems if p.kind == "targets")


def test_a_prompt_that_names_too_much_is_a_problem_where_asked(repo: str, tmp_path: Path) -> None:
    checked = check(tmp_path, row(repo, prompt="Let app/io.py wait"), max_leak=LeakGrade.SYMBOL)
    assert [problem.text for problem in checked.problems] == ["the prompt names 'app/io.py' (path)"]
    assert checked.good == []


def test_nearly_the_same_prompt_at_other_files_is_another_task(repo: str, tmp_path: Path) -> None:
    other = row(repo, "b", targets=[{"path": "app/net.py"}])
    assert check(tmp_path, row(repo), other).problems == []


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no task in it"):
        check(tmp_path)


def test_no_password_of_an_address_is_printed(tmp_path: Path) -> None:
    checked = check(tmp_path, row("https://u:secretpw@example.org/x.git"))
    assert checked.repositories == {"https://example.org/x.git": 1}
    assert "secretpw" not in repr(checked)
