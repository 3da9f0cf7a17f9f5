"""Who plays what: a file per unit, so that processes and machines that share a folder never play one twice at a time.

`leases/UNIT.1` holds the name of the worker that plays the unit. It is there with that name or not at all, and only one
worker can make it. If that worker dies or leaves, whoever notices makes `UNIT.2`, which again only one can, and so on:
the highest number counts. No file is ever changed or removed while the run goes on, so there is nothing to race for. A
worker that finds that it may be taken for dead itself (it was suspended, its disk hung) stops playing, see
`Pulse.is_lost`.

Who gives a unit up writes a name that nobody has. On a disk that knows no links, making a file and writing the name
into it are two steps: there a file without a name is somebody's who is about to write it, until it is old enough for
one who died in between.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from selfplay.batch.heartbeat import DEAD_AFTER_S
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.units import WorkUnit
from selfplay.core.errors import StorageError
from selfplay.core.files import write_if_absent

NO_OWNER = "-"


class UnitLeases:
    """The leases of one worker. Blocking."""

    def __init__(
        self, folder: RunFolder, worker: str, is_alive: Callable[[str], bool], age_s: Callable[[Path], float]
    ) -> None:
        """`is_alive` tells of a worker's name whether it still plays, `age_s` how long ago a file was written."""
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
                    break  # it was made, and a disk behind a network did not say so
                if owner is None or (owner != NO_OWNER and self._is_alive(owner)):
                    return 0
            number += 1
        self._held[unit.id] = number
        return number

    def release(self, unit: WorkUnit) -> None:
        """Leave a unit that can't be played here to others: a lease that nobody has. Raises StorageError."""
        self._create(self._path_of(unit, self._held.pop(unit.id) + 1), NO_OWNER)

    def _path_of(self, unit: WorkUnit, number: int) -> Path:
        return self._folder / f"{unit.file_name}.{number}"

    def _create(self, path: Path, owner: str) -> bool:
        if path.exists():
            return False  # as most are that are looked at again and again: nothing is written to find that out
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
                path.unlink()  # it names nobody yet
            raise StorageError.from_os_error(path, error) from error
        finally:
            os.close(descriptor)
        return True

    def _read_owner(self, path: Path) -> str | None:
        """The name in a lease, empty where who made it died before it was written; None if that may yet come."""
        try:
            owner = path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return None  # its maker could not write it, and takes it away: it is to be had in a moment
        except OSError as error:
            raise StorageError.from_os_error(path, error, "read") from error
        return None if not owner and self._age_s(path) < DEAD_AFTER_S else owner
