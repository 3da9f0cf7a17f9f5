import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.errors import InputError, TaskError
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.task_rows import parse_task, read_tasks, row_of
from selfplay.environments.find_files.targets import resolve_targets
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot
from tests.selfplay.episodes import make_files, make_task

ROW = {"id": "a", "repo": "app", "commit": "HEAD", "prompt": "do it", "targets": [{"path": "a.py"}]}


def line(**changes: object) -> str:
    return json.dumps({k: v for k, v in {**ROW, **changes}.items() if v is not ...})


@pytest.fixture
def snapshot(tmp_path: Path) -> Iterator[Snapshot]:
    snapshot = DirectorySnapshot(make_files(tmp_path / "repo"))
    yield snapshot
    snapshot.close()


def test_a_row_is_a_task() -> None:
    targets = [{"path": "a.py"}, {"path": "b.py", "symbol": "B.close"}, {"path": "c.py", "lines": [3, 9]}]
    task = parse_task(line(targets=targets, patch="--- a", meta={"n": [1, None]}), "f:1")
    assert [str(t) for t in task.answer.targets] == ["a.py", "b.py:B.close", "c.py:3-9"]
    assert (task.brief.prompt, task.answer.patch, task.meta) == ("do it", "--- a", {"n": [1, None]})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (line(targts=[]), "unknown key 'targts', did you mean 'targets'"),
        (line(prompt="  "), "'prompt' is empty"),
        (line(prompt=...), "'prompt' is missing"),
        (line(prompt=3), "'prompt' must be text, is 3$"),
        (line(prompt=None), "'prompt' must be text, is null$"),
        (line(targets=[]), "'targets' must hold at least 1, holds 0$"),
        (line(targets={}), "'targets' must be a list, is an object$"),
        (line(targets=["a.py"]), r"'targets\[0\]' must be an object \(in TOML a table\), is text$"),
        (line(targets=[{"path": "a.py", "lines": [3]}]), r"'targets\[0\]\.lines' has too few items$"),
        (line(targets=[{"path": "a.py", "lines": [3, 4, 5]}]), r"'targets\[0\]\.lines' must hold at most 2$"),
        (
            line(targets=[{"path": "a.py", "lines": ["3", 4.5]}]),
            r"\[0\]' must be a whole number, is text; .* 4\.5$",
        ),
        (line(targets=[{"path": "/etc/passwd"}]), "relative to the repository"),
        (line(targets=[{"path": "../x"}]), "relative to the repository"),
        (line(targets=[{"path": "a.py", "line": 3}]), r"unknown key 'targets\[0\]\.line'"),
        (line(targets=[{"path": "a.py", "lines": [9, 3]}]), "no range of lines"),
        (line(targets=[{"path": "a.py", "lines": [0, 3]}]), "no range of lines"),
        ('{"id": "a", "id": "b"}', "'id' stands twice"),
        ("{", "not JSON"),
        ("[]", "it must be an object"),
        ("[" * 100_000, "nested"),
    ],
)
def test_a_wrong_row_says_where_and_what(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(f"{line()}\n\n{text}\n")
    with pytest.raises(InputError, match=says) as error:
        read_tasks(path)
    assert str(error.value).startswith(f"{path}:3: ")


def test_a_row_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(line(prompt="x").replace("x", "\xe9").encode("latin-1"))
    with pytest.raises(InputError, match=r"tasks\.jsonl:1: "):
        read_tasks(path)


def test_an_id_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(f"{line()}\n{line(id='b')}\n{line()}\n")
    with pytest.raises(TaskError, match=r"tasks\.jsonl:3: the id 'a' already stands at .*tasks\.jsonl:1"):
        read_tasks(path)


def test_an_empty_file_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match="no task in it"):
        read_tasks(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"gone\.jsonl: can't be read"):
        read_tasks(tmp_path / "gone.jsonl")


def test_a_missing_target_is_its_tasks_error_and_names_the_nearest(snapshot: Snapshot) -> None:
    task = make_task(Path("repo"), [Target(path="pump/tank.py"), Target(path="pump/tnak.py")])
    with pytest.raises(TaskError, match=r"f:7: task 'pump-1': target 'pump/tnak\.py' does not exist.*pump/tank\.py"):
        resolve_targets(task, snapshot, "f:7")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (Target(path="pump"), "is a folder; name a file in it"),
        (Target(path="pump/tank.py", symbol="Tank", lines=(2, 3)), "stands at 1-4, not at 2-3"),
        (Target(path="pump/tank.py", symbol="Tank.empty"), "defines no 'Tank.empty'"),
        (Target(path="pump/tank.py", symbol="Tank.fil"), "defines no 'Tank.fil'; nearest: 'Tank.fill'"),
        (Target(path="pump/tank.py", symbol="Pump::fill"), "defines no 'Pump::fill'; nearest: 'Tank.fill'"),
        (Target(path="pump/tank.py", symbol="fil"), "defines no 'fil'; nearest: 'Tank.fill'"),
        (Target(path="docs/guide.md", symbol="Guide"), "lines of it instead"),
        (Target(path="pump/tank.py", lines=(2, 99)), "the file has 4 lines"),
    ],
)
def test_a_target_that_does_not_fit_says_why(snapshot: Snapshot, target: Target, says: str) -> None:
    with pytest.raises(TaskError, match=says):
        resolve_targets(make_task(Path("repo"), [target]), snapshot)


def test_a_symbol_becomes_the_lines_of_its_definition(snapshot: Snapshot) -> None:
    task = resolve_targets(make_task(Path("repo"), [Target(path="pump/tank.py", symbol="Tank.fill")]), snapshot)
    assert task.answer.targets[0].lines == (2, 4)


def test_a_symbol_that_is_defined_several_times_needs_its_lines(tmp_path: Path) -> None:
    stubs = "@overload\ndef f(x: int): ...\n@typing.overload\ndef f(x: str): ...\ndef f(x):\n    return x\n"
    (tmp_path / "m.py").write_text(
        f"{stubs}class A:\n    @property\n    def p(self): ...\n    @p.setter\n    def p(self, v): ...\n"
    )
    snapshot = DirectorySnapshot(tmp_path)
    task = resolve_targets(make_task(tmp_path, [Target(path="m.py", symbol="f")]), snapshot)
    assert task.answer.targets[0].lines == (5, 6), "not one of the overloads' stubs"
    with pytest.raises(TaskError, match=r"'A\.p' several times, at 8-9, 10-11: name the lines"):
        resolve_targets(make_task(tmp_path, [Target(path="m.py", symbol="A.p")]), snapshot)
    task = resolve_targets(make_task(tmp_path, [Target(path="m.py", symbol="A.p", lines=(8, 9))]), snapshot)
    assert task.answer.targets[0].lines == (8, 9)
    with pytest.raises(TaskError, match="stands twice"):
        resolve_targets(make_task(tmp_path, [Target(path="m.py"), Target(path="m.py")]), snapshot)
    snapshot.close()


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


@given(names, names, st.lists(names, min_size=1, max_size=4), st.none() | names)
def test_a_task_survives_the_disk(name: str, prompt: str, paths: list[str], patch: str | None) -> None:
    brief = Brief(id=name, repo="r", commit="c", prompt=prompt)
    task = Task(brief=brief, answer=Answer(targets=tuple(Target(path=p) for p in paths), patch=patch))
    assert parse_task(row_of(task).model_dump_json(exclude_defaults=True), "f:1") == task
