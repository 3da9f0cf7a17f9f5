"""Files that are there as a whole or not at all, also after a crash, and locks between processes."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from selfplay.core.errors import StorageError

_PREFIX = ".selfplay-export-"


@contextmanager
def convert_os_errors(where: Path, what: str = "written") -> Generator[None]:
    """Turn what the file system refuses into a StorageError that says what can't be done."""
    try:
        yield
    except OSError as error:
        raise StorageError.from_os_error(where, error, what) from error


def make_folder(path: Path, *, above: bool = False) -> None:
    """Make a folder if it is not there; those above it only where asked. Raises StorageError.

    If a disk is unmounted during a run, its folders must not be made anew at the empty mount point.
    """
    with convert_os_errors(path, "made"):
        path.mkdir(parents=above, exist_ok=True)


# One file


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all. Raises StorageError, also where its folder is missing."""
    with _write_part_file(path, data) as part:
        part.replace(path)


def write_if_absent(path: Path, data: bytes) -> bool | None:
    """Write a file as a whole or not at all, unless it exists. Raises StorageError.

    Returns whether it was written; None where the file system has no hard links, and nothing was.
    """
    with _write_part_file(path, data) as part:
        try:
            path.hardlink_to(part)
        except FileExistsError:
            return False
        except OSError:
            return None
    return True


@contextmanager
def _write_part_file(path: Path, data: bytes) -> Generator[Path]:
    """A file with this content in the folder of the final one. Raises StorageError."""
    part = path.with_name(f".{path.name}.{token_hex(4)}.part")  # process numbers of two machines may be the same
    try:
        with convert_os_errors(path):
            _write_durably(part, [data])
            yield part
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write_durably(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


# Several files


@contextmanager
def open_scratch_folder(parent: Path) -> Generator[Path]:
    """A new folder in `parent`, which is made if need be; gone afterwards, and so is a `parent` that stayed empty.

    What killed processes left of theirs is removed. Raises StorageError.
    """
    is_new = not parent.exists()
    try:
        with ExitStack() as stack:
            with convert_os_errors(parent):
                parent.mkdir(parents=True, exist_ok=True)
                with _lock_folder(parent, waits=True) as is_locked:
                    if is_locked:
                        _remove_leftovers(parent)
                    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent)))
                    stack.enter_context(_lock_folder(path, waits=False))
            yield path
    finally:
        if is_new:
            with suppress(OSError):  # there is something in it
                parent.rmdir()


def _remove_leftovers(parent: Path) -> None:
    """Remove the scratch folders of processes that were killed: nobody has them locked."""
    for leftover in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), _lock_folder(leftover, waits=False) as is_locked:
            if is_locked:
                shutil.rmtree(leftover, ignore_errors=True)


def write_together(scratch: Path, files: Sequence[tuple[Path, Iterable[bytes]]]) -> None:
    """Write the lines of each file in a scratch folder, then move all to their places, in order.

    The old last one goes first: it is there exactly when all are whole. Raises StorageError.
    """
    for path, lines in files:
        with convert_os_errors(path):
            _write_durably(scratch / path.name, lines)
    last, _ = files[-1]
    with convert_os_errors(last):
        last.unlink(missing_ok=True)
    for path, _ in files:
        with convert_os_errors(path):
            _sync_folder(path.parent)
            (scratch / path.name).replace(path)
    with convert_os_errors(last):
        _sync_folder(last.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Locks


def try_lock(descriptor: int, *, waits: bool = False) -> bool:
    """Lock an open file or folder until it is closed; False where another process has it, unless this waits for it.

    Raises OSError on a disk that knows no such locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _lock_folder(folder: Path, *, waits: bool) -> Generator[bool]:
    """Lock a folder. False where another process has it already, or the disk knows no such locks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        is_locked = False
        with suppress(OSError):
            is_locked = try_lock(descriptor, waits=waits)
        yield is_locked
    finally:
        os.close(descriptor)
