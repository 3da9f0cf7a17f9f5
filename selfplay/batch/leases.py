"""Who plays what: a file per unit, so that processes and machines that share a folder never play one twice at a time.

`leases/UNIT.1` holds the name of the worker that plays the unit. It is made so that only one worker can make it. If
that worker dies or leaves, whoever notices makes `UNIT.2`, which again only one can, and so on: the highest number
counts. No file is ever changed or removed while the run goes on, so there is nothing to race for. A worker that finds
that it may be taken for dead itself (it was suspended, its disk hung) stops playing, see `Pulse.is_lost`.
"""

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from selfplay.batch.layout import RunFolder
from selfplay.batch.units import Unit
from selfplay.errors import StorageError


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
        """Make a lease that holds its owner's name from the first moment on; False if there is one already."""
        part = path.with_name(f".{path.name}.{token_hex(4)}.part")
        try:
            part.write_text(owner, "utf-8")
            return _has_linked(part, path, owner)
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageError(
                f"{path}: can't be written: {error.strerror}; mend that and run the same command again"
            ) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _owner(self, unit: Unit, number: int) -> str:
        """The worker's name; empty where it gave the unit up."""
        path = self._path(unit, number)
        try:
            return path.read_text("utf-8", "replace")
        except OSError as error:
            raise StorageError(
                f"{path}: can't be read: {error.strerror}; mend that and run the same command again"
            ) from error


NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})
"""What file systems without hard links answer."""


def _has_linked(part: Path, path: Path, owner: str) -> bool:
    """Give the written file its name. Raises FileExistsError if another one has it.

    A file that is made first and written then would for a moment be nobody's: another worker would take the unit too.
    Where the disk knows no links nothing better is to be had.
    """
    try:
        path.hardlink_to(part)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with path.open("x", encoding="utf-8") as file:
            file.write(owner)
    return True
