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

from selfplay.errors import InputError, RepositoryError, SelfplayError
from selfplay.likeness import Shelf, runs, sketch_of
from selfplay.mine.leaks import Leak, leak_meta, leak_of
from selfplay.mine.reading import reader_of
from selfplay.repos import Repositories
from selfplay.source import without_credentials
from selfplay.task import Task
from selfplay.tasks import check_targets, parse_task
from selfplay_tools.errors import ToolsError

MIN_WORDS = 3
MAX_CHARS = 20_000
LIKE = 0.85
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a row."""

    where: str
    """`FILE:LINE`."""
    task: str
    """Its id; empty where the row is none."""
    kind: str
    """row, id, prompt, duplicate, repository, targets, leak."""
    text: str


@dataclass(slots=True)
class Checked:
    """What a file's tasks are like."""

    rows: int = 0
    good: list[Task] = field(default_factory=list[Task])
    """Tasks without a problem, in order, each with its leak grade in `meta`."""
    problems: list[Problem] = field(default_factory=list[Problem])
    """By where they stand."""
    leaks: Counter[Leak] = field(default_factory=Counter[Leak])
    """Of every task whose repository could be opened."""
    repositories: Counter[str] = field(default_factory=Counter[str])
    """Without what an address may hold of credentials."""
    targets: Counter[int] = field(default_factory=Counter[int])
    """Tasks by their number of targets."""


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    where: str
    task: Task


async def check_tasks(
    file: Path, repositories: Repositories, max_leak: Leak, tell: Callable[[int, int], None], threads: int = 4
) -> Checked:
    """Look at every row. `tell` hears how many of how many are done. Raises InputError where the file can't be read.

    A repository that can't be cloned is asked for once.
    """
    checked, problems = Checked(), list[tuple[int, Problem]]()
    rows = list(_rows(file, checked, problems))
    problems += _doubles(rows)
    looking = _Looking(repositories, max_leak)
    limiter, looked = CapacityLimiter(threads), dict[int, tuple[Task | None, list[Problem]]]()

    async def look(row: _Row) -> None:
        looked[row.number] = await to_thread.run_sync(looking.at, row, limiter=limiter)
        tell(len(looked), len(rows))

    async with anyio.create_task_group() as group:
        for row in rows:
            group.start_soon(look, row)
    problems += [(row.number, problem) for row in rows for problem in looked[row.number][1]]
    checked.problems = [problem for _, problem in sorted(problems, key=lambda pair: pair[0])]
    _sum_up(checked, rows, {number: task for number, (task, _) in looked.items()}, {n for n, _ in problems})
    return checked


def _rows(file: Path, checked: Checked, problems: list[tuple[int, Problem]]) -> list[_Row]:
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{file}: can't be read: {error.strerror}") from error
    rows: list[_Row] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            checked.rows += 1
            where = f"{file}:{number}"
            try:
                rows.append(_Row(number, where, parse_task(line.strip().removeprefix(b"\xef\xbb\xbf"), where)))
            except InputError as error:
                text = str(error).removeprefix(f"{where}: ")
                problems.append((number, Problem(where, "", "row", text)))
    if not checked.rows:
        raise InputError(f"{file}: no task in it; each line is one JSON object, see docs/tasks.md")
    return rows


def _doubles(rows: Sequence[_Row]) -> list[tuple[int, Problem]]:
    """Ids that stand twice, and prompts that are the same, or nearly, at the same targets."""
    found: list[tuple[int, Problem]] = []
    ids: dict[str, str] = {}
    shelves: dict[tuple[str, tuple[str, ...]], tuple[dict[str, str], Shelf]] = {}
    for row in rows:
        brief = row.task.brief
        if (other := ids.setdefault(brief.id, row.where)) != row.where:
            found.append((row.number, Problem(row.where, brief.id, "id", f"the id stands at {other} too")))
        same, shelf = shelves.setdefault((brief.repo, row.task.answer.paths), ({}, Shelf()))
        words = [word.casefold() for word in _WORD.findall(brief.prompt)]
        sketch = sketch_of(runs(words, 2))
        like = shelf.nearest(sketch, LIKE) if sketch else None
        if (other := same.setdefault(" ".join(words), row.where)) != row.where:
            text = f"the same prompt and files as {other}"
            found.append((row.number, Problem(row.where, brief.id, "duplicate", text)))
        elif like is not None:
            text = f"a prompt {like.similarity:.0%} like that of {like.of}, and the same files"
            found.append((row.number, Problem(row.where, brief.id, "duplicate", text)))
        elif sketch is not None:
            shelf.put(row.where, sketch)
    return found


class _Looking:
    """Looks at one task in its repository. Safe to use from several threads."""

    def __init__(self, repositories: Repositories, max_leak: Leak) -> None:
        self._repositories = repositories
        self._max_leak = max_leak
        self._failed: dict[str, str] = {}
        self._locks: dict[str, Lock] = {}
        self._lock = Lock()

    def at(self, row: _Row) -> tuple[Task | None, list[Problem]]:
        """The task with its grade, if that could be told, and what is wrong with it."""
        brief = row.task.brief
        problems = [Problem(row.where, brief.id, "prompt", text) for text in _about_prompt(brief.prompt)]
        try:
            self._clone(brief.repo)
            snapshot = self._repositories.open(brief.repo, brief.commit)
        except (SelfplayError, ToolsError) as error:
            return None, [*problems, Problem(row.where, brief.id, "repository", str(error))]
        with closing(snapshot):
            try:
                check_targets(row.task, snapshot)
            except SelfplayError as error:
                text = str(error).removeprefix(f"task {brief.id!r}: ")
                return None, [*problems, Problem(row.where, brief.id, "targets", text)]
            leaked = leak_of(brief.prompt, row.task.answer.targets, reader_of(snapshot))
        kept = {key: value for key, value in row.task.meta.items() if key not in {"leak", "leaked"}}
        graded = row.task.model_copy(update={"meta": {**kept, **leak_meta(leaked)}})
        if leaked.grade > self._max_leak:
            text = f"the prompt names {', '.join(map(repr, leaked.names))} ({leaked.grade.value})"
            problems.append(Problem(row.where, brief.id, "leak", text))
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


def _about_prompt(prompt: str) -> list[str]:
    problems: list[str] = []
    if len(_WORD.findall(prompt)) < MIN_WORDS:
        problems.append(f"it has less than {MIN_WORDS} words")
    if len(prompt) > MAX_CHARS:
        problems.append(f"it has {len(prompt)} characters, more than {MAX_CHARS}")
    return problems


def _sum_up(checked: Checked, rows: Sequence[_Row], graded: dict[int, Task | None], bad: set[int]) -> None:
    for row in rows:
        task = graded[row.number]
        checked.repositories[without_credentials(row.task.brief.repo)] += 1
        checked.targets[len(row.task.answer.targets)] += 1
        if task is not None:
            checked.leaks[Leak(str(task.meta["leak"]))] += 1
            if row.number not in bad:
                checked.good.append(task)
