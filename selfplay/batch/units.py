"""What there is to do: each task so many times, in the tasks' order, taking turns between repositories."""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selfplay.core.task import Task
from selfplay.core.task_rows import row_of


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """One attempt at a task: one episode, or as many as its hint policy makes of it."""

    task: Task
    sample: int
    """Which attempt, from 1."""
    where: str
    """Where the task stands: `FILE:LINE`."""

    @property
    def id(self) -> str:
        """Its name in ledgers; names of different units differ."""
        return f"{self.task.brief.id}#{self.sample}"

    @property
    def file_name(self) -> str:
        """Its name as part of a file name."""
        return hashlib.sha256(self.id.encode()).hexdigest()[:32]


def task_sha256_of(task: Task) -> str:
    """The version of a task: of its row."""
    return hashlib.sha256(row_of(task).model_dump_json(exclude_defaults=True).encode()).hexdigest()


def make_units(tasks: Sequence[tuple[str, Task]], samples: int) -> list[WorkUnit]:
    """First each task once, then each once more: a run that is broken off has seen as many tasks as it could."""
    return [WorkUnit(task, sample, where) for sample in range(1, samples + 1) for where, task in tasks]


class UnitQueue:
    """Units that wait. Repositories take turns; within a repository units keep their order."""

    def __init__(self, units: Iterable[WorkUnit]) -> None:
        self._waiting: dict[str, deque[WorkUnit]] = {}
        for unit in units:
            self.append(unit)

    def append(self, unit: WorkUnit) -> None:
        """Add a unit behind those of its repository; a repository that had none comes last."""
        self._waiting.setdefault(unit.task.brief.repo, deque()).append(unit)

    def pop_next(self) -> WorkUnit | None:
        """The next unit, or None if none waits."""
        if not self._waiting:
            return None
        repo, units = next(iter(self._waiting.items()))
        unit = units.popleft()
        del self._waiting[repo]
        if units:
            self._waiting[repo] = units
        return unit

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
