"""Task files: one JSON object a line, read strictly; and whether a task fits its repository."""

from collections import Counter
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from pydantic import Field, JsonValue

from selfplay.core.errors import TaskError
from selfplay.core.json_rows import parse_row, read_rows
from selfplay.core.message import Noun
from selfplay.core.task import Answer, Brief, LineRange, NonEmptyText, Target, Task
from selfplay_tools.code.code_file import code_of, find_symbol_places, last_part_of, tidy_symbol
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import PathKind, Snapshot

MAX_NEAREST = 3
"""Names that an error proposes."""


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


def resolve_targets(task: Task, snapshot: Snapshot, where: str = "") -> Task:
    """The task with its targets' symbols as lines. Raises TaskError naming each target the snapshot does not have.

    `where` (`FILE:LINE`) begins the error's text. An error is this task's alone: the other tasks of a file go on.
    """
    problems: list[str] = [f"target {t} stands twice" for t, count in Counter(task.answer.targets).items() if count > 1]
    targets = tuple(_resolve_target(target, snapshot, problems.append) for target in task.answer.targets)
    if problems:
        raise TaskError((f"{where}: " if where else "") + f"task {task.brief.id!r}: " + "; ".join(problems))
    return task.model_copy(update={"answer": task.answer.model_copy(update={"targets": targets})})


def _resolve_target(target: Target, snapshot: Snapshot, report: Callable[[str], None]) -> Target:
    entry = snapshot.entry(target.path)
    if entry is None and snapshot.kind(target.path) is PathKind.FOLDER:
        report(f"target {target.path!r} is a folder; name a file in it")
        return target
    if entry is None:
        nearest = ", ".join(map(repr, snapshot.nearest_paths(target.path)))
        report(f"target {target.path!r} does not exist at this commit" + (f"; nearest: {nearest}" if nearest else ""))
        return target
    if entry.kind is not PathKind.FILE:
        report(f"target {target.path!r} is a {entry.kind}, not a file")
        return target
    if target.symbol is not None:
        return _resolve_symbol(target, snapshot, report)
    if target.lines is not None and target.lines[1] > (length := len((text := snapshot.text(target.path)).lines)):
        shown = "the file has" if text.is_whole else "of this large file can be shown"
        report(f"target {target} goes past the end: {shown} {length} lines")
    return target


def _resolve_symbol(target: Target, snapshot: Snapshot, report: Callable[[str], None]) -> Target:
    try:
        places = find_symbol_places(snapshot, target.path, target.symbol or "")
    except ToolsError as error:
        report(f"target {target}: {error}")
        return target
    if not places:
        nearest = ", ".join(map(repr, _find_nearest_symbols(snapshot, target)))
        report(f"target {target.path!r} defines no {target.symbol!r}" + (f"; nearest: {nearest}" if nearest else ""))
        return target
    if target.lines is not None and target.lines not in places:
        report(
            f"target {target.path!r}: {target.symbol!r} stands at {_format_line_ranges(places)}, not at {_format_line_ranges([target.lines])}"
        )
    elif target.lines is None and len(places) > 1:
        report(
            f"target {target.path!r} defines {target.symbol!r} several times, at {_format_line_ranges(places)}: name the lines"
        )
    else:
        return target.model_copy(update={"lines": target.lines or next(iter(places))})
    return target


def _find_nearest_symbols(snapshot: Snapshot, target: Target) -> list[str]:
    """Definitions of the target's file that look like its symbol, or have its last name elsewhere, best first."""
    wanted = tidy_symbol(target.symbol or "")
    names = list(dict.fromkeys(one.qualified for one in code_of(snapshot, target.path).definitions))
    same = [name for name in names if last_part_of(name) == last_part_of(wanted)]
    near = get_close_matches(wanted, names, n=MAX_NEAREST)
    by_last = get_close_matches(last_part_of(wanted), map(last_part_of, names), n=MAX_NEAREST)
    alike = [name for last in by_last for name in names if last_part_of(name) == last]
    return list(dict.fromkeys((*same, *near, *alike)))[:MAX_NEAREST]


def _format_line_ranges(places: Sequence[LineRange]) -> str:
    return ", ".join(f"{first}-{last}" for first, last in places)
