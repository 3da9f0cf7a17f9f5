"""Rows of task files: one JSON object a line, read strictly."""

from pathlib import Path
from typing import ClassVar

import orjson
from pydantic import Field, JsonValue

from selfplay.core.errors import TaskError
from selfplay.core.json_rows import parse_row, read_rows
from selfplay.core.message import ExtendedNoun
from selfplay.core.task import FIND_FILES, Answer, Brief, Goal, NonEmptyText, Target, Task


class TaskRow(ExtendedNoun):
    """A line of a task file: files to find in a repository."""

    later_fields: ClassVar[frozenset[str]] = frozenset({"environment", "goals"})

    id: NonEmptyText
    environment: NonEmptyText = FIND_FILES
    repo: NonEmptyText
    commit: NonEmptyText
    prompt: NonEmptyText
    targets: tuple[Target, ...] = Field(min_length=1)
    goals: tuple[Goal, ...] = ()
    patch: str | None = None
    meta: dict[str, JsonValue] = Field(default_factory=dict)

    def to_task(self) -> Task:
        """The row as a task."""
        brief = Brief(id=self.id, environment=self.environment, repo=self.repo, commit=self.commit, prompt=self.prompt)
        answer = Answer(targets=self.targets, goals=self.goals, patch=self.patch)
        return Task(brief=brief, answer=answer, meta=self.meta)


class GoalTaskRow(TaskRow):
    """A line of a task file that names another environment: goals, and a repository only where it has one."""

    repo: str = ""
    commit: str = ""
    targets: tuple[Target, ...] = ()
    goals: tuple[Goal, ...] = Field(min_length=1)


def row_of(task: Task) -> TaskRow:
    """The task as a line of a task file."""
    brief, answer = task.brief, task.answer
    row = TaskRow if brief.environment == FIND_FILES else GoalTaskRow
    return row(
        id=brief.id,
        environment=brief.environment,
        repo=brief.repo,
        commit=brief.commit,
        prompt=brief.prompt,
        targets=answer.targets,
        goals=answer.goals,
        patch=answer.patch,
        meta=task.meta,
    )


def parse_task(line: str | bytes, where: str) -> Task:
    """One line as a task. Raises InputError, which begins with `where` (`tasks.jsonl:12`)."""
    return parse_row(_choose_row(line), line, where).to_task()


def read_tasks(path: Path) -> tuple[tuple[str, Task], ...]:
    """All tasks of a file, each with where it stands (`FILE:LINE`).

    Raises InputError for the first line that is none, and for an id that stands twice.
    """
    tasks: dict[str, tuple[str, Task]] = {}
    for where, row in read_rows(path, TaskRow, _choose_row):
        if row.id in tasks:
            raise TaskError(f"{where}: the id {row.id!r} already stands at {tasks[row.id][0]}; ids must differ")
        tasks[row.id] = (where, row.to_task())
    if not tasks:
        raise TaskError(f"{path}: no task in it; each line is one JSON object, see docs/tasks.md")
    return tuple(tasks.values())


def _choose_row(line: str | bytes) -> type[TaskRow]:
    """Which kind of row a line should be; one that is no object is refused as a `TaskRow`."""
    try:
        match orjson.loads(line):
            case {"environment": str(name)} if name != FIND_FILES:
                return GoalTaskRow
            case _:
                return TaskRow
    except orjson.JSONDecodeError:
        return TaskRow
