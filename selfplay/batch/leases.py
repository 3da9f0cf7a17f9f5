"""Who plays what: a file per unit, so that processes and machines that share a folder never play one twice at a time.

`leases/UNIT.1` holds the name of the worker that plays the unit. It is made so that only one worker can make it. If
that worker dies or leaves, whoever notices makes `UNIT.2`, which again only one can, and so on: the highest number
counts. No file is ever changed or removed while the run goes on, so there is nothing to race for. A worker that finds
that it may be taken for dead itself (it was suspended, its disk hung) stops playing, see `Pulse.is_lost`.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from selfplay.batch.layout import RunFolder
from selfplay.batch.units import Unit
from selfplay.errors import StorageError

WITHOUT_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""What file systems say that know no hard links."""


class Leases:
    """The leases of one worker. Blocking."""

    def __init__(self, folder: RunFolder, worker: str, is_alive: Callable[[str], bool]) -> None:
        """`is_alive` tells of a worker's name whether that worker still plays."""
        self._folder = folder.leases
        self._worker = worker
        self._is_alive = is_alive
        self._held: dict[str, int] = {}

    def take(self, unit: Unit) -> int:
        """Make the unit ours, if no other living worker has it. Raises StorageError.

        How many workers had it, this one included; 0 if another one has it now.
        """
        if unit.id in self._held:
            return self._held[unit.id]
        number = 1
        while not self._make(self._path(unit, number), self._worker):
            if not self._path(unit, number + 1).exists() and self._is_alive(self._owner(unit, number)):
                return 0
            number += 1
        self._held[unit.id] = number
        return number

    def give_up(self, unit: Unit) -> None:
        """Leave a unit that can't be played here to others: a lease that names nobody. Raises StorageError."""
        self._make(self._path(unit, self._held.pop(unit.id) + 1), "")

    def _path(self, unit: Unit, number: int) -> Path:
        return self._folder / f"{unit.file_name}.{number}"

    def _make(self, path: Path, owner: str) -> bool:
        """Have the file there with the name in it, in one step: a lease without a name counts as given up."""
        if path.exists():
            return False
        whole = path.with_name(f".{self._worker}.{path.name}")
        try:
            whole.write_text(owner, "utf-8")
            return _link(whole, path)
        except OSError as error:
            raise StorageError(
                f"{path}: can't be written: {error.strerror}; mend that and run the same command again"
            ) from error
        finally:
            whole.unlink(missing_ok=True)

    def _owner(self, unit: Unit, number: int) -> str:
        """The worker's name; empty where it gave the unit up, or could not write its name before it died."""
        path = self._path(unit, number)
        try:
            return path.read_text("utf-8", "replace")
        except OSError as error:
            raise StorageError(
                f"{path}: can't be read: {error.strerror}; mend that and run the same command again"
            ) from error


def _link(whole: Path, path: Path) -> bool:
    """Give a file a second name, unless that name is taken. Raises OSError."""
    try:
        os.link(whole, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise
        return _copy(whole, path)
    return True


def _copy(whole: Path, path: Path) -> bool:
    """The same where a file can't have two names: for a moment the new one is empty."""
    try:
        with path.open("xb") as file:
            file.write(whole.read_bytes())
    except FileExistsError:
        return False
    return True
