"""Where an export's files lie, and how they get there: each whole or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from selfplay.core.contract import read_contract
from selfplay.core.errors import ExportError, InputError
from selfplay.export.formats.row_models import RowFormat

_PREFIX = ".selfplay-export-"


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """The four files of an export."""

    rows: Path
    contract: Path
    notes: Path
    skipped: Path

    @classmethod
    def for_output(cls, out: Path) -> Self:
        """Beside and named after `out` if that is a `.jsonl` file's name, else inside the folder `out`."""
        if out.suffix == ".jsonl":
            rest = (out.with_suffix(f".{name}") for name in ("contract.json", "rows.jsonl", "skipped.jsonl"))
            return cls(out, *rest)
        return cls(out / "sft.jsonl", out / "contract.json", out / "rows.jsonl", out / "skipped.jsonl")

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, the rows first."""
        return (self.rows, self.contract, self.notes, self.skipped)

    @contextmanager
    def open_scratch_folder(self) -> Generator[Path]:
        """A new folder on the same file system, gone afterwards. Raises ExportError."""
        with open_scratch_folder(self.rows.parent) as folder:
            yield folder

    def write_all(self, folder: Path, contents: Iterable[Iterable[bytes]]) -> None:
        """Write each file's lines in `folder`, in the order of `files`, then move all to their places.

        The old rows go first and the new ones come last, so that no rows ever lie beside a foreign contract. Raises
        ExportError.
        """
        with convert_os_errors(self.rows.parent):
            for file, lines in zip(self.files, contents, strict=True):
                _write_durably(folder / file.name, lines)
        move_into_place(folder, tuple(reversed(self.files)))


def find_export_files(folder: Path) -> frozenset[Path]:
    """The files of every export in a folder and below: those that lie beside its contract, and are named like it."""
    files: set[Path] = set()
    for contract in folder.rglob("*contract.json"):
        name = contract.name.removesuffix("contract.json")
        with suppress(OSError, InputError):
            read_contract(contract.read_bytes(), str(contract))
            place = ExportFiles.for_output(contract.with_name(f"{name}jsonl") if name else contract.parent)
            files |= {file for file in place.files if file.is_file()}
    return frozenset(files)


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


def refuse_other_rows(rows: Path, shape: type[BaseModel], format: RowFormat) -> None:  # noqa: A002  the command line's word
    """Raise ExportError if a file with rows of another shape, or with other content, stands there already."""
    if not rows.is_file():
        return
    with convert_os_errors(rows), rows.open("rb") as file:
        first = file.readline()
    try:
        shape.model_validate_json(first)
    except ValidationError:
        raise ExportError(
            f"{rows}: holds something else than rows in the format {format!r}; choose another -o, or remove the file"
        ) from None


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
