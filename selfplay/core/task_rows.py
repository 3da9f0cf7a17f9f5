"""Rows of task files: one JSON object a line, read strictly."""

from pathlib import Path

from pydantic import Field, JsonValue

from selfplay.core.errors import TaskError
from selfplay.core.json_rows import parse_row, read_rows
from selfplay.core.message import Noun
from selfplay.core.task import Answer, Brief, NonEmptyText, Target, Task


class TaskRow(Noun):
    """A line of a task file."""

    id: NonEmptyText
    repo: NonEmptyText
    commit: NonEmptyText
    prompt: NonEmptyText
    targets: tuple[Target, ...] = Field(min_length=1)
    patch: str | None = None
    meta: dict[str, JsonValue] = Field(default_factory=dict)

    def to_task(self) -> Task:
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
    """One line as a task. Raises InputError, which begins with `where` (`tasks.jsonl:12`)."""
    return parse_row(TaskRow, line, where).to_task()


def read_tasks(path: Path) -> tuple[tuple[str, Task], ...]:
    """All tasks of a file, each with where it stands (`FILE:LINE`).

    Raises InputError for the first line that is none, and for an id that stands twice.
    """
    tasks: dict[str, tuple[str, Task]] = {}
    for where, row in read_rows(path, TaskRow):
        if row.id in tasks:
            raise TaskError(f"{where}: the id {row.id!r} already stands at {tasks[row.id][0]}; ids must differ")
        tasks[row.id] = (where, row.to_task())
    if not tasks:
        raise TaskError(f"{path}: no task in it; each line is one JSON object, see docs/tasks.md")
    return tuple(tasks.values())
