"""Whether tasks can be played: clones, commits, targets, prompts, duplicates, and what the prompts give away."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import anyio
from anyio import CapacityLimiter, to_thread

from selfplay.core.errors import InputError, RepositoryError, SelfplayError
from selfplay.core.minhash import SketchIndex, sketch_of, word_ngrams
from selfplay.core.task import Task
from selfplay.core.task_rows import parse_task
from selfplay.environments.find_files.targets import resolve_targets
from selfplay.environments.goals import check_goals
from selfplay.environments.registry import kind_of
from selfplay.repos.repositories import Repositories
from selfplay.repos.sources import strip_credentials
from selfplay.tasks.prompt_leaks import LeakGrade, find_leak, leak_meta, make_content_reader
from selfplay_tools.errors import ToolsError

MIN_PROMPT_WORDS = 3
MAX_PROMPT_CHARS = 20_000
NEAR_DUPLICATE_LIKENESS = 0.85
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class TaskProblem:
    """One thing that is wrong with a row."""

    where: str
    """`FILE:LINE`."""
    task: str
    """Its id; empty where the row is none."""
    kind: str
    """row, id, prompt, duplicate, repository, targets, leak."""
    text: str


@dataclass(slots=True)
class TaskCheckResult:
    """What a file's tasks are like."""

    rows: int = 0
    good: list[Task] = field(default_factory=list[Task])
    """Tasks without a problem, in order, each with its leak grade in `meta`."""
    problems: list[TaskProblem] = field(default_factory=list[TaskProblem])
    """By where they stand."""
    leaks: Counter[LeakGrade] = field(default_factory=Counter[LeakGrade])
    """Of every task whose repository could be opened."""
    repositories: Counter[str] = field(default_factory=Counter[str])
    """Without what an address may hold of credentials."""
    targets: Counter[int] = field(default_factory=Counter[int])
    """Tasks by their number of targets."""


@dataclass(frozen=True, slots=True)
class _NumberedTask:
    number: int
    where: str
    task: Task


async def check_tasks(
    file: Path,
    repositories: Repositories,
    max_leak: LeakGrade,
    on_progress: Callable[[int, int], None],
    threads: int = 4,
) -> TaskCheckResult:
    """Look at every row. Raises InputError where the file can't be read.

    `on_progress` gets how many of how many are done. A repository that can't be cloned is asked for once.
    """
    checked, problems = TaskCheckResult(), list[tuple[int, TaskProblem]]()
    rows = list(_read_rows(file, checked, problems))
    problems += _find_duplicates(rows)
    inspector = _TaskInspector(repositories, max_leak)
    limiter, inspected = CapacityLimiter(threads), dict[int, tuple[Task | None, list[TaskProblem]]]()

    async def inspect(row: _NumberedTask) -> None:
        inspected[row.number] = await to_thread.run_sync(inspector.inspect, row, limiter=limiter)
        on_progress(len(inspected), len(rows))

    async with anyio.create_task_group() as group:
        for row in rows:
            group.start_soon(inspect, row)
    problems += [(row.number, problem) for row in rows for problem in inspected[row.number][1]]
    checked.problems = [problem for _, problem in sorted(problems, key=lambda pair: pair[0])]
    _sum_up(checked, rows, {number: task for number, (task, _) in inspected.items()}, {n for n, _ in problems})
    return checked


def _read_rows(file: Path, checked: TaskCheckResult, problems: list[tuple[int, TaskProblem]]) -> list[_NumberedTask]:
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{file}: can't be read: {error.strerror}") from error
    rows: list[_NumberedTask] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            checked.rows += 1
            where = f"{file}:{number}"
            try:
                rows.append(_NumberedTask(number, where, parse_task(line.strip().removeprefix(b"\xef\xbb\xbf"), where)))
            except InputError as error:
                text = str(error).removeprefix(f"{where}: ")
                problems.append((number, TaskProblem(where, "", "row", text)))
    if not checked.rows:
        raise InputError(f"{file}: no task in it; each line is one JSON object, see docs/tasks.md")
    return rows


def _find_duplicates(rows: Sequence[_NumberedTask]) -> list[tuple[int, TaskProblem]]:
    """Ids that stand twice, and prompts that are the same, or nearly, at the same targets."""
    found: list[tuple[int, TaskProblem]] = []
    ids: dict[str, str] = {}
    groups: dict[tuple[str, tuple[object, ...]], tuple[dict[str, str], SketchIndex]] = {}
    for row in rows:
        brief = row.task.brief
        if (other := ids.setdefault(brief.id, row.where)) != row.where:
            found.append((row.number, TaskProblem(row.where, brief.id, "id", f"the id stands at {other} too")))
        same, sketches = groups.setdefault(
            (brief.repo, (*row.task.answer.paths, *row.task.answer.goals)), ({}, SketchIndex())
        )
        words = [word.casefold() for word in _WORD.findall(brief.prompt)]
        sketch = sketch_of(word_ngrams(words, 2))
        like = sketches.find_nearest(sketch, NEAR_DUPLICATE_LIKENESS) if sketch else None
        if (other := same.setdefault(" ".join(words), row.where)) != row.where:
            text = f"the same prompt and files as {other}"
            found.append((row.number, TaskProblem(row.where, brief.id, "duplicate", text)))
        elif like is not None:
            text = f"a prompt {like.similarity:.0%} like that of {like.of}, and the same files"
            found.append((row.number, TaskProblem(row.where, brief.id, "duplicate", text)))
        elif sketch is not None:
            sketches.add(row.where, sketch)
    return found


class _TaskInspector:
    """Looks at one task in its repository. Safe to use from several threads."""

    def __init__(self, repositories: Repositories, max_leak: LeakGrade) -> None:
        self._repositories = repositories
        self._max_leak = max_leak
        self._failed: dict[str, str] = {}
        self._locks: dict[str, Lock] = {}
        self._lock = Lock()

    def inspect(self, row: _NumberedTask) -> tuple[Task | None, list[TaskProblem]]:
        """The task with its leak grade, if it could be found, and what is wrong with it."""
        brief = row.task.brief
        problems = [TaskProblem(row.where, brief.id, "prompt", text) for text in _find_prompt_problems(brief.prompt)]
        try:
            uses_repository = kind_of(row.task).uses_repository
        except SelfplayError as error:
            return None, [*problems, TaskProblem(row.where, brief.id, "environment", str(error))]
        if not uses_repository:
            goals = [TaskProblem(row.where, brief.id, "goals", text) for text in check_goals(row.task)]
            return None if goals else row.task, [*problems, *goals]
        try:
            self._clone(brief.repo)
            snapshot = self._repositories.open(brief.repo, brief.commit)
        except (SelfplayError, ToolsError) as error:
            return None, [*problems, TaskProblem(row.where, brief.id, "repository", str(error))]
        with closing(snapshot):
            try:
                resolve_targets(row.task, snapshot)
            except SelfplayError as error:
                text = str(error).removeprefix(f"task {brief.id!r}: ")
                return None, [*problems, TaskProblem(row.where, brief.id, "targets", text)]
            leaked = find_leak(brief.prompt, row.task.answer.targets, make_content_reader(snapshot))
        kept = {key: value for key, value in row.task.meta.items() if key not in {"leak", "leaked"}}
        graded = row.task.model_copy(update={"meta": {**kept, **leak_meta(leaked)}})
        if leaked.grade > self._max_leak:
            text = f"the prompt names {', '.join(map(repr, leaked.names))} ({leaked.grade.value})"
            problems.append(TaskProblem(row.where, brief.id, "leak", text))
        return graded, problems

    def _clone(self, repo: str) -> None:
        with self._lock:
            lock = self._locks.setdefault(repo, Lock())
        with lock:
            if repo in self._failed:
                raise RepositoryError(self._failed[repo])
            try:
                self._repositories.clone(repo)
            except RepositoryError as error:
                self._failed[repo] = str(error)
                raise


def _find_prompt_problems(prompt: str) -> list[str]:
    problems: list[str] = []
    if len(_WORD.findall(prompt)) < MIN_PROMPT_WORDS:
        problems.append(f"it has less than {MIN_PROMPT_WORDS} words")
    if len(prompt) > MAX_PROMPT_CHARS:
        problems.append(f"it has {len(prompt)} characters, more than {MAX_PROMPT_CHARS}")
    return problems


def _sum_up(
    checked: TaskCheckResult, rows: Sequence[_NumberedTask], graded: dict[int, Task | None], bad: set[int]
) -> None:
    for row in rows:
        task = graded[row.number]
        brief = row.task.brief
        checked.repositories[strip_credentials(brief.repo) or brief.environment] += 1
        checked.targets[len(row.task.answer.all_goals)] += 1
        if task is not None and "leak" in task.meta:
            checked.leaks[LeakGrade(str(task.meta["leak"]))] += 1
        if task is not None and row.number not in bad:
            checked.good.append(task)
