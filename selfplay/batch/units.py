"""The units of a run: what there is to play, in which order, and which worker plays what.

A unit is one attempt at a task. Units wait in the tasks' order, and repositories take turns. Leases are files, so that
processes and machines that share a run's folder never play one unit twice at a time:

`leases/UNIT.1` holds the name of the worker that plays the unit. It exists with that name or not at all, and only one
worker can make it. If that worker dies or leaves, the worker that notices makes `UNIT.2`, which again only one can, and
so on: the highest number counts. No file is changed or removed while the run goes on, so there is nothing to race for.
A worker that finds that others may take it for dead (it was suspended, its disk hung) stops playing, see
`Heartbeat.is_lost`.

A worker that gives a unit up writes a name that no worker has. On a disk without links, making a file and writing the
name into it are two steps: a file without a name belongs to a worker that is about to write it, until the file is so
old that the worker must have died in between.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selfplay.batch.heartbeat import DEAD_AFTER_S
from selfplay.batch.run_folder import RunFolder
from selfplay.core.errors import StorageError
from selfplay.core.files import write_if_absent
from selfplay.core.task import Task
from selfplay.core.task_rows import row_of

NO_OWNER = "-"
"""The name in a lease that its worker gave up."""


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


class UnitLeases:
    """The leases of one worker. Blocking."""

    def __init__(
        self, folder: RunFolder, worker: str, is_alive: Callable[[str], bool], age_s: Callable[[Path], float]
    ) -> None:
        """`is_alive` says whether the worker of a name still plays, `age_s` how long ago a file was written."""
        self._folder = folder.leases
        self._worker = worker
        self._is_alive = is_alive
        self._age_s = age_s
        self._held: dict[str, int] = {}

    def acquire(self, unit: WorkUnit) -> int:
        """Make the unit ours, if no other living worker has it. Raises StorageError.

        How many workers had it, this one included; 0 if another one has it now.
        """
        if unit.id in self._held:
            return self._held[unit.id]
        number = 1
        while not self._create(self._path_of(unit, number), self._worker):
            if not self._path_of(unit, number + 1).exists():
                owner = self._read_owner(self._path_of(unit, number))
                if owner == self._worker:
                    break  # our own lease, whose creation a network disk reported as failed
                if owner is None or (owner != NO_OWNER and self._is_alive(owner)):
                    return 0
            number += 1
        self._held[unit.id] = number
        return number

    def release(self, unit: WorkUnit) -> None:
        """Leave a unit that can't be played here to others: a lease without an owner. Raises StorageError."""
        self._create(self._path_of(unit, self._held.pop(unit.id) + 1), NO_OWNER)

    def _path_of(self, unit: WorkUnit, number: int) -> Path:
        return self._folder / f"{unit.file_name}.{number}"

    def _create(self, path: Path, owner: str) -> bool:
        if path.exists():
            return False  # the usual case of a unit that is looked at again and again: nothing is written then
        made = write_if_absent(path, owner.encode())
        return self._create_without_links(path, owner) if made is None else made

    def _create_without_links(self, path: Path, owner: str) -> bool:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageError.from_os_error(path, error) from error
        try:
            os.write(descriptor, owner.encode())
        except OSError as error:
            with suppress(OSError):
                path.unlink()  # it has no name in it yet
            raise StorageError.from_os_error(path, error) from error
        finally:
            os.close(descriptor)
        return True

    def _read_owner(self, path: Path) -> str | None:
        """The name in a lease, empty where its maker died before writing it; None where that may still come."""
        try:
            owner = path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return None  # its maker could not write it, and removes it: it can be had in a moment
        except OSError as error:
            raise StorageError.from_os_error(path, error, "read") from error
        return None if not owner and self._age_s(path) < DEAD_AFTER_S else owner
