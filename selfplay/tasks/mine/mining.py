"""From a repository's history to tasks."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from pydantic import JsonValue

from selfplay.core.errors import RepositoryError
from selfplay.core.minhash import SketchIndex, sketch_of, word_ngrams
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.repos.repositories import Repositories
from selfplay.repos.sources import find_source
from selfplay.tasks.mine.commit_contents import (
    PATCHES_PER_BATCH,
    CloneContents,
    measure_changes,
    read_patches,
    read_targets,
)
from selfplay.tasks.mine.filters import CommitCandidate, MiningDrop, MiningFunnel, find_candidates
from selfplay.tasks.mine.function_targets import function_targets
from selfplay.tasks.mine.history import HistoryCommit, read_history
from selfplay.tasks.mine.settings import CommitSelection, MineSettings
from selfplay.tasks.prompt_leaks import find_leak, leak_meta
from selfplay_tools.errors import ToolsError
from selfplay_tools.snapshot.blob_reader import BlobReader

WORDS_PER_RUN = 2
"""Words of a run: messages are short."""
_WORD = re.compile(r"\w+")


def drop_duplicates(
    found: Iterable[CommitCandidate], threshold: float | None, funnel: MiningFunnel
) -> Iterator[CommitCandidate]:
    """The candidates without those that repeat an earlier one, in the given order: oldest first keeps the original.

    The same are two with one message, or with the same files changed from and to the same contents; nearly the same
    are two whose messages (by pairs of words) or changes (by files and contents) have `threshold` in common.
    """
    digests: set[bytes] = set()
    messages, changes = SketchIndex(), SketchIndex()
    for one in found:
        words = [word.casefold() for word in _WORD.findall(one.prompt.text)]
        touched = sorted(f"{change.path}\0{change.blobs[1]}" for change in one.changes)
        keys = {_digest(b"message", words), _digest(b"change", touched)}
        if keys & digests:
            funnel.drops[MiningDrop.DUPLICATE] += 1
            continue
        sketches = [(messages, sketch_of(word_ngrams(words, WORDS_PER_RUN))), (changes, sketch_of(touched))]
        if threshold is not None and any(
            sketch and index.find_nearest(sketch, threshold) for index, sketch in sketches
        ):
            funnel.drops[MiningDrop.NEAR_DUPLICATE] += 1
            continue
        digests |= keys
        if threshold is not None:
            for index, sketch in sketches:
                if sketch:
                    index.add(one.id, sketch)
        yield one


def _digest(kind: bytes, parts: Iterable[str]) -> bytes:
    return hashlib.sha256(kind + b"\0" + "\0\0".join(parts).encode("utf-8", "replace")).digest()


MiningProgressCallback = Callable[[str, int, int | None], None]
"""Called with what is being done, how far it is, and of how many (None if that is not known)."""


def _ignore_progress(_what: str, _done: int, _total: int | None) -> None:
    return None


@dataclass(frozen=True, slots=True)
class MinedTasks:
    """What a repository gave."""

    tasks: tuple[Task, ...]
    """Oldest first."""
    funnel: MiningFunnel


def mine_tasks(
    repositories: Repositories,
    repo: str,
    tip: str,
    settings: MineSettings,
    on_progress: MiningProgressCallback = _ignore_progress,
) -> MinedTasks:
    """Tasks out of the history that leads to `tip` (any revision). Blocks; raises RepositoryError.

    The same history, settings and seed give the same tasks; further commits at the tip leave the choice among the
    older ones as it is, but for what `count` then leaves out.
    """
    full, git_dir = repositories.resolve(repo, tip), repositories.clone(repo)
    began, funnel = time.monotonic(), MiningFunnel(repo)
    blobs = BlobReader(git_dir)
    try:
        source = CloneContents(git_dir, blobs)
        candidates = _collect_candidates(source, full, settings, funnel, on_progress)
        tasks = _TaskMaker(source, _RepositoryNames(repositories, repo), settings, funnel).draw_tasks(
            candidates, on_progress
        )
    except ToolsError as error:
        raise RepositoryError(f"{repo}: {error}") from error
    finally:
        blobs.close()
    funnel.tasks, funnel.seconds = len(tasks), time.monotonic() - began
    return MinedTasks(tuple(tasks), funnel)


def _collect_candidates(
    source: CloneContents, tip: str, settings: MineSettings, funnel: MiningFunnel, on_progress: MiningProgressCallback
) -> list[CommitCandidate]:
    """Every commit that may become a task and repeats none, oldest first."""
    with closing(
        read_history(source.git_dir, tip, is_mainline=settings.commits is CommitSelection.MAINLINE)
    ) as history:
        found = list(find_candidates(_report_commits(history, on_progress), settings, funnel))
    small: list[CommitCandidate] = []
    for one in measure_changes(source, found, settings, funnel):
        small.append(one)
        on_progress("measuring changes", len(small), len(found))
    small.sort(key=lambda one: (one.time, one.id))
    return list(drop_duplicates(small, settings.near_duplicates, funnel))


def _report_commits(history: Iterator[HistoryCommit], on_progress: MiningProgressCallback) -> Iterator[HistoryCommit]:
    for number, commit in enumerate(history, 1):
        if not number % 500:
            on_progress("reading history", number, None)
        yield commit


class _RepositoryNames:
    """What a repository is called in tasks."""

    def __init__(self, repositories: Repositories, repo: str) -> None:
        directory = find_source(repo, repositories.root).directory
        is_name = (repositories.root / repo).is_dir()
        self.repo = str(directory) if directory is not None and not is_name else repo
        self.slug = _slug_of(repo if directory is None else str(directory))


def _slug_of(place: str) -> str:
    steps = [step.removesuffix(".git") for step in re.split(r"[/:\\]", place.rstrip("/"))]
    telling = [step for step in steps if step not in {"", "repo", "git", "src", "source"}]
    return re.sub(r"[^a-z0-9]+", "-", (telling or ["task"])[-1].lower())[:40].strip("-") or "task"


@dataclass(slots=True)
class _TaskMaker:
    """Makes tasks of candidates."""

    source: CloneContents
    names: _RepositoryNames
    settings: MineSettings
    funnel: MiningFunnel
    directories: Counter[str] = field(default_factory=Counter[str])
    """Tasks made, by the folder of their first target."""

    def draw_tasks(self, found: Sequence[CommitCandidate], on_progress: MiningProgressCallback) -> list[Task]:
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
            made = self._make_task(one, patch)
            if isinstance(made, MiningDrop):
                self.funnel.drops[made] += 1
            else:
                tasks.append((one.time, one.id, made))
                self.directories[_directory_of(one)] += 1
            on_progress("making tasks", len(tasks), wanted)
        self.funnel.drops[MiningDrop.NOT_DRAWN] += len(order) - looked_at
        return [task for _, _, task in sorted(tasks, key=lambda row: row[:2])]

    def _with_patches(self, order: Sequence[CommitCandidate]) -> Iterator[tuple[CommitCandidate, dict[str, bytes]]]:
        if not (self.settings.functions or self.settings.with_patch):
            yield from ((one, {}) for one in order)
            return
        rest = iter(order)
        while some := list(islice(rest, PATCHES_PER_BATCH)):
            yield from zip(some, read_patches(self.source, some), strict=True)

    def _make_task(self, one: CommitCandidate, patch: dict[str, bytes]) -> Task | MiningDrop:
        limit = self.settings.per_directory
        if limit is not None and self.directories[_directory_of(one)] >= limit:
            return MiningDrop.FULL_DIRECTORY
        texts = read_targets(self.source, one, self.settings)
        if isinstance(texts, MiningDrop):
            return texts
        targets = self._make_targets(texts, patch)
        if not targets:
            return MiningDrop.NO_FUNCTION
        if len(targets) > self.settings.max_targets:
            return MiningDrop.MANY_TARGETS
        prompt = one.prompt.text
        leaked = find_leak(prompt, targets, lambda path: texts[path])
        if leaked.grade > self.settings.max_leak:
            return MiningDrop.LEAK
        brief = Brief(id=f"{self.names.slug}-{one.id[:12]}", repo=self.names.repo, commit=one.parent, prompt=prompt)
        change = (
            b"".join(patch[path] for path in texts).decode("utf-8", "replace") if self.settings.with_patch else None
        )
        return Task(
            brief=brief, answer=Answer(targets=targets, patch=change), meta={**_make_meta(one), **leak_meta(leaked)}
        )

    def _make_targets(self, texts: dict[str, bytes], patch: dict[str, bytes]) -> tuple[Target, ...]:
        if not self.settings.functions:
            return tuple(Target(path=path) for path in texts)
        return tuple(target for path, text in texts.items() for target in function_targets(path, text, patch[path]))


def _directory_of(one: CommitCandidate) -> str:
    return one.targets[0].path.rpartition("/")[0]


def _make_meta(one: CommitCandidate) -> dict[str, JsonValue]:
    meta: dict[str, JsonValue] = {
        "from": "history",
        "fix": one.id,
        "date": _format_date(one.time),
        "files": len(one.changes),
        "lines": one.lines,
    }
    if one.prompt.issues:
        meta["issues"] = list(one.prompt.issues)
    if one.prompt.left_out:
        meta["left_out"] = dict(one.prompt.left_out)
    return meta


def _format_date(seconds: int) -> str:
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
