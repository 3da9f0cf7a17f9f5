"""Task files: one JSON object a line, read strictly; and whether a task fits its repository."""

import json
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, JsonValue, ValidationError

from selfplay.errors import TaskError
from selfplay.message import Noun
from selfplay.task import Answer, Brief, Target, Task, Words
from selfplay_tools.errors import ToolsError
from selfplay_tools.snapshot import Kind, Snapshot
from selfplay_tools.symbols import symbol_lines


R = TypeVar("R", bound=Noun)


class TaskRow(Noun):
    """A line of a task file."""

    id: Words
    repo: Words
    commit: Words
    prompt: Words
    targets: tuple[Target, ...] = Field(min_length=1)
    patch: str | None = None
    meta: dict[str, JsonValue] = Field(default_factory=dict)

    def task(self) -> Task:
        """The row as a task."""
        brief = Brief(id=self.id, repo=self.repo, commit=self.commit, prompt=self.prompt)
        return Task(brief=brief, answer=Answer(targets=self.targets, patch=self.patch), meta=self.meta)


def row_of(task: Task) -> TaskRow:
    """The task as a line of a task file."""
    brief, answer = task.brief, task.answer
    return TaskRow(
        id=brief.id,
        repo=brief.repo,
        commit=brief.commit,
        prompt=brief.prompt,
        targets=answer.targets,
        patch=answer.patch,
        meta=task.meta,
    )


def parse_task(line: str | bytes, where: str) -> Task:
    """One line as a task. Raises TaskError, which begins with `where` (`tasks.jsonl:12`)."""
    return parse_row(TaskRow, line, where).task()



def parse_row(row: type[R], line: str | bytes, where: str) -> R:
    """One line as a `row`, strictly: no unknown and no repeated key. Raises TaskError beginning with `where`."""
    try:
        json.loads(line, object_pairs_hook=_refuse_repeated)
        return row.model_validate_json(line)
    except _RepeatedKeyError as error:
        raise TaskError(f"{where}: the key {error} stands twice in one object") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{where}: not UTF-8 ({error.reason} at byte {error.start})") from None
    except RecursionError:
        raise TaskError(f"{where}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise TaskError(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
    except ValidationError as error:
        raise TaskError(f"{where}: {explain(error, tuple(row.model_fields))}") from None


class _RepeatedKeyError(ValueError):
    pass


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedKeyError(repr(next(name for name in names if names.count(name) > 1)))
    return value


def explain(error: ValidationError, known: tuple[str, ...]) -> str:
    """Pydantic's findings in one line a person can act on. `known` are the top-level keys, for near misses."""
    return "; ".join(_explain_one(part["type"], part["loc"], part["msg"], known) for part in error.errors())


def _explain_one(kind: str, loc: tuple[int | str, ...], message: str, known: tuple[str, ...]) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    if kind == "extra_forbidden":
        near = get_close_matches(str(loc[-1]), known, n=1) if len(loc) == 1 else []
        return f"unknown key {place!r}" + (f", did you mean {near[0]!r}?" if near else "")
    if kind == "missing":
        return f"the key {place!r} is missing"
    if kind == "string_too_short":
        return f"{place!r} is empty"
    return f"{place!r}: {message.removeprefix('Value error, ')}" if place else message


def read_rows(path: Path, row: type[R]) -> Iterator[tuple[str, R]]:
    """Each line of a JSONL file with where it stands (`FILE:LINE`); blank lines are passed over.

    Raises TaskError at the first line that is no `row`.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                where = f"{path}:{number}"
                if line.strip():
                    yield where, parse_row(row, line.strip().removeprefix(b"\xef\xbb\xbf"), where)
    except OSError as error:
        raise TaskError(f"{path}: can't be read: {error.strerror}") from error


def read_tasks(path: Path) -> tuple[tuple[str, Task], ...]:
    """All tasks of a file, each with where it stands (`FILE:LINE`). Raises TaskError for the first line that is none, and for an id that stands twice."""
    tasks: dict[str, tuple[str, Task]] = {}
    for where, row in read_rows(path, TaskRow):
        if row.id in tasks:
            raise TaskError(f"{where}: the id {row.id!r} already stands at {tasks[row.id][0]}; ids must differ")
        tasks[row.id] = (where, row.task())
    if not tasks:
        raise TaskError(f"{path}: no task in it; each line is one JSON object, see docs/tasks.md")
    return tuple(tasks.values())


def check_targets(task: Task, snapshot: Snapshot, where: str = "") -> Task:
    """The task with its targets' symbols as lines. Raises TaskError naming each target the snapshot does not have.

    `where` (`FILE:LINE`) begins the error's text. An error is this task's alone: the other tasks of a file go on.
    """
    problems: list[str] = []
    targets = tuple(_located(target, snapshot, problems.append) for target in task.answer.targets)
    if problems:
        raise TaskError((f"{where}: " if where else "") + f"task {task.brief.id!r}: " + "; ".join(problems))
    return task.model_copy(update={"answer": task.answer.model_copy(update={"targets": targets})})


def _located(target: Target, snapshot: Snapshot, report: Callable[[str], None]) -> Target:
    entry = snapshot.entry(target.path)
    if entry is None:
        nearest = ", ".join(map(repr, snapshot.nearest(target.path)))
        report(f"target {target.path!r} does not exist at this commit" + (f"; nearest: {nearest}" if nearest else ""))
        return target
    if entry.kind is not Kind.FILE:
        report(f"target {target.path!r} is a {entry.kind}, not a file")
        return target
    if target.symbol is not None and target.lines is None:
        return _with_lines_of_symbol(target, snapshot, report)
    if target.lines is not None and target.lines[1] > (length := len(snapshot.text(target.path).lines)):
        report(f"target {target} goes past the end: the file has {length} lines")
    return target


def _with_lines_of_symbol(target: Target, snapshot: Snapshot, report: Callable[[str], None]) -> Target:
    try:
        lines = symbol_lines(snapshot, target.path, target.symbol or "")
    except ToolsError as error:
        report(f"target {target}: {error}; give `lines` instead of `symbol`")
        return target
    if lines is None:
        report(f"target {target.path!r} defines no {target.symbol!r}")
        return target
    return target.model_copy(update={"lines": lines})
