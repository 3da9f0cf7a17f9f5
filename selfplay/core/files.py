"""Files that are there as a whole or not at all, also after a crash."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from selfplay.core.errors import ExportError, StorageError

_PREFIX = ".selfplay-export-"


@contextmanager
def open_scratch_folder(parent: Path) -> Generator[Path]:
    """A new folder in `parent`, which is made if need be; gone afterwards, and so is a `parent` that stayed empty.

    Raises ExportError.
    """
    is_new = not parent.exists()
    try:
        with ExitStack() as stack:
            with convert_os_errors(parent):
                parent.mkdir(parents=True, exist_ok=True)
                with _try_lock_folder(parent, waits=True) as is_held:
                    if is_held:
                        _remove_leftovers(parent)
                    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent)))
                    stack.enter_context(_try_lock_folder(path, waits=False))
            yield path
    finally:
        if is_new:
            with suppress(OSError):  # there is something in it
                parent.rmdir()


@contextmanager
def _try_lock_folder(folder: Path, *, waits: bool) -> Generator[bool]:
    """Keep other exports from a folder. False where one has it already, or the disk knows no such locks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_held = True
        except OSError:
            is_held = False
        yield is_held
    finally:
        os.close(descriptor)


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders of exports that were killed: nobody holds them."""
    for leftover in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), _try_lock_folder(leftover, waits=False) as is_held:
            if is_held:
                shutil.rmtree(leftover, ignore_errors=True)


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file, down to the disk. Raises ExportError."""
    with convert_os_errors(path):
        _write_durably(path, lines)


def move_into_place(folder: Path, files: Sequence[Path]) -> None:
    """Move files of these names out of `folder` to their places, in order.

    The old last one goes first: it is there exactly when all are whole. Raises ExportError.
    """
    with convert_os_errors(folder):
        files[-1].unlink(missing_ok=True)
        for file in files:
            _sync_folder(file.parent)
            (folder / file.name).replace(file)
        _sync_folder(files[-1].parent)


@contextmanager
def convert_os_errors(where: Path) -> Generator[None]:
    """Turn what the file system refuses into an ExportError."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or where
        raise ExportError(f"{place}: can't be written: {error.strerror}; make room, or choose another place") from error


def _write_durably(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, *, above: bool = False) -> None:
    """Make a folder if it is not there; those above it only where asked. Raises StorageError.

    A disk that went away while a run goes on must not be begun anew in the empty place that it leaves.
    """
    try:
        path.mkdir(parents=above, exist_ok=True)
    except OSError as error:
        raise StorageError.from_os_error(path, error, "made") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all. Raises StorageError, also where its folder is not there."""
    with _write_part_file(path, data) as part:
        part.replace(path)


def write_if_absent(path: Path, data: bytes) -> bool | None:
    """Write a file so that it is there whole or not at all, unless another has written it. Raises StorageError.

    Whether it was written; None on a disk that knows no links, where nothing was.
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
    """A file with this content beside the one that it is to become. Raises StorageError."""
    part = path.with_name(f".{path.name}.{token_hex(4)}.part")  # process numbers of two machines may be the same
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield part
    except OSError as error:
        raise StorageError.from_os_error(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
