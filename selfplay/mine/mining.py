"""From a repository's history to tasks."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from pydantic import JsonValue

from selfplay.errors import RepositoryError
from selfplay.mine.alike import distinct
from selfplay.mine.contents import PATCHES, Source, measured, patches, read_targets
from selfplay.mine.drops import Drop, Funnel
from selfplay.mine.filters import Candidate, candidates
from selfplay.mine.functions import function_targets
from selfplay.mine.history import Commit, read_history
from selfplay.mine.leaks import leak_meta, leak_of
from selfplay.mine.settings import Commits, MineSettings
from selfplay.repos import Repositories
from selfplay.source import find_source
from selfplay.task import Answer, Brief, Target, Task
from selfplay_tools.blobs import Blobs
from selfplay_tools.errors import ToolsError

Tell = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and of how many (None if that is not known)."""


def _silent(_what: str, _done: int, _total: int | None) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Mined:
    """What a repository gave."""

    tasks: tuple[Task, ...]
    """Oldest first."""
    funnel: Funnel


def mine_tasks(repositories: Repositories, repo: str, tip: str, settings: MineSettings, tell: Tell = _silent) -> Mined:
    """Tasks out of the history that leads to `tip` (any revision). Blocks; raises RepositoryError.

    The same history, settings and seed give the same tasks; further commits at the tip leave the choice among the
    older ones as it is, but for what `count` then leaves out.
    """
    full, git_dir = repositories.resolve(repo, tip), repositories.clone(repo)
    began, funnel = time.monotonic(), Funnel(repo)
    blobs = Blobs(git_dir)
    try:
        source = Source(git_dir, blobs)
        found = _found(source, full, settings, funnel, tell)
        drawn = _Maker(source, _Names(repositories, repo), settings, funnel).drawn(found, tell)
    except ToolsError as error:
        raise RepositoryError(f"{repo}: {error}") from error
    finally:
        blobs.close()
    funnel.tasks, funnel.seconds = len(drawn), time.monotonic() - began
    return Mined(tuple(drawn), funnel)


def _found(source: Source, tip: str, settings: MineSettings, funnel: Funnel, tell: Tell) -> list[Candidate]:
    """Every commit that may become a task and repeats none, oldest first."""
    with closing(read_history(source.git_dir, tip, is_mainline=settings.commits is Commits.MAINLINE)) as history:
        found = list(candidates(_told(history, tell), settings, funnel))
    small: list[Candidate] = []
    for one in measured(source, found, settings, funnel):
        small.append(one)
        tell("measuring changes", len(small), len(found))
    small.sort(key=lambda one: (one.time, one.id))
    return list(distinct(small, settings.near_duplicates, funnel))


def _told(history: Iterator[Commit], tell: Tell) -> Iterator[Commit]:
    for number, commit in enumerate(history, 1):
        if not number % 500:
            tell("reading history", number, None)
        yield commit


class _Names:
    """What a repository is called in tasks."""

    def __init__(self, repositories: Repositories, repo: str) -> None:
        directory = find_source(repo, repositories.root).directory
        is_name = (repositories.root / repo).is_dir()
        self.repo = str(directory) if directory is not None and not is_name else repo
        self.slug = _slug(repo if directory is None else str(directory))


def _slug(place: str) -> str:
    steps = [step.removesuffix(".git") for step in re.split(r"[/:\\]", place.rstrip("/"))]
    telling = [step for step in steps if step not in {"", "repo", "git", "src", "source"}]
    return re.sub(r"[^a-z0-9]+", "-", (telling or ["task"])[-1].lower())[:40].strip("-") or "task"


@dataclass(slots=True)
class _Maker:
    """Makes tasks of candidates."""

    source: Source
    names: _Names
    settings: MineSettings
    funnel: Funnel
    directories: Counter[str] = field(default_factory=Counter[str])
    """Tasks made, by the folder of their first target."""

    def drawn(self, found: Sequence[Candidate], tell: Tell) -> list[Task]:
        """Tasks in an order that the seed decides, until there are enough; then oldest first."""
        seed = self.settings.seed
        order = sorted(found, key=lambda one: hashlib.sha256(f"{seed} {one.id}".encode()).digest())
        wanted = self.settings.count or len(order)
        tasks: list[tuple[int, str, Task]] = []
        looked_at = 0
        for one, patch in self._with_patches(order):
            if len(tasks) == wanted:
                break
            looked_at += 1
            made = self._task(one, patch)
            if isinstance(made, Drop):
                self.funnel.drops[made] += 1
            else:
                tasks.append((one.time, one.id, made))
                self.directories[_directory(one)] += 1
            tell("making tasks", len(tasks), wanted)
        self.funnel.drops[Drop.NOT_DRAWN] += len(order) - looked_at
        return [task for _, _, task in sorted(tasks, key=lambda row: row[:2])]

    def _with_patches(self, order: Sequence[Candidate]) -> Iterator[tuple[Candidate, dict[str, bytes]]]:
        if not (self.settings.functions or self.settings.with_patch):
            yield from ((one, {}) for one in order)
            return
        rest = iter(order)
        while some := list(islice(rest, PATCHES)):
            yield from zip(some, patches(self.source, some), strict=True)

    def _task(self, one: Candidate, patch: dict[str, bytes]) -> Task | Drop:
        limit = self.settings.per_directory
        if limit is not None and self.directories[_directory(one)] >= limit:
            return Drop.FULL_DIRECTORY
        texts = read_targets(self.source, one, self.settings)
        if isinstance(texts, Drop):
            return texts
        targets = self._targets(texts, patch)
        if not targets:
            return Drop.NO_FUNCTION
        if len(targets) > self.settings.max_targets:
            return Drop.MANY_TARGETS
        prompt = one.prompt.text
        leaked = leak_of(prompt, targets, lambda path: texts[path])
        if leaked.grade > self.settings.max_leak:
            return Drop.LEAK
        brief = Brief(id=f"{self.names.slug}-{one.id[:12]}", repo=self.names.repo, commit=one.parent, prompt=prompt)
        change = (
            b"".join(patch[path] for path in texts).decode("utf-8", "replace") if self.settings.with_patch else None
        )
        return Task(brief=brief, answer=Answer(targets=targets, patch=change), meta={**_meta(one), **leak_meta(leaked)})

    def _targets(self, texts: dict[str, bytes], patch: dict[str, bytes]) -> tuple[Target, ...]:
        if not self.settings.functions:
            return tuple(Target(path=path) for path in texts)
        return tuple(target for path, text in texts.items() for target in function_targets(path, text, patch[path]))


def _directory(one: Candidate) -> str:
    return one.targets[0].path.rpartition("/")[0]


def _meta(one: Candidate) -> dict[str, JsonValue]:
    meta: dict[str, JsonValue] = {
        "from": "history",
        "fix": one.id,
        "date": _date(one.time),
        "files": len(one.changes),
        "lines": one.lines,
    }
    if one.prompt.issues:
        meta["issues"] = list(one.prompt.issues)
    if one.prompt.left_out:
        meta["left_out"] = dict(one.prompt.left_out)
    return meta


def _date(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # a clock that was never right
        return str(seconds)


def split_by_time(tasks: Sequence[Task], validation: float | None) -> tuple[Task, ...]:
    """The tasks, given oldest first, with `split` in their `meta`: the newest share is for validation."""
    if validation is None:
        return tuple(tasks)
    first = len(tasks) - round(len(tasks) * validation)
    return tuple(
        task.model_copy(update={"meta": {**task.meta, "split": "train" if number < first else "validation"}})
        for number, task in enumerate(tasks)
    )
