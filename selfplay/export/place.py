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

from selfplay.contract import read_contract
from selfplay.errors import ExportError, InputError
from selfplay.export.shapes import Format

_PREFIX = ".selfplay-export-"


@dataclass(frozen=True, slots=True)
class Place:
    """The four files of an export."""

    rows: Path
    contract: Path
    notes: Path
    skipped: Path

    @classmethod
    def at(cls, out: Path) -> Self:
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
    def workshop(self) -> Generator[Path]:
        """A new folder on the same file system, gone afterwards. Raises ExportError."""
        with workshop(self.rows.parent) as folder:
            yield folder

    def fill(self, folder: Path, contents: Iterable[Iterable[bytes]]) -> None:
        """Write each file's lines in `folder`, in the order of `files`, then move all to their places.

        The old rows go first and the new ones come last, so that no rows ever lie beside a foreign contract. Raises
        ExportError.
        """
        with explained(self.rows.parent):
            for file, lines in zip(self.files, contents, strict=True):
                _write(folder / file.name, lines)
        move(folder, tuple(reversed(self.files)))


def exports_below(folder: Path) -> frozenset[Path]:
    """The files of every export in a folder and below: those that lie beside its contract, and are named like it."""
    files: set[Path] = set()
    for contract in folder.rglob("*contract.json"):
        name = contract.name.removesuffix("contract.json")
        with suppress(OSError, InputError):
            read_contract(contract.read_bytes(), str(contract))
            place = Place.at(contract.with_name(f"{name}jsonl") if name else contract.parent)
            files |= {file for file in place.files if file.is_file()}
    return frozenset(files)


@contextmanager
def workshop(parent: Path) -> Generator[Path]:
    """A new folder in `parent`, which is made if need be; gone afterwards, and so is a `parent` that stayed empty.

    Raises ExportError.
    """
    is_new = not parent.exists()
    try:
        with ExitStack() as stack:
            with explained(parent):
                parent.mkdir(parents=True, exist_ok=True)
                with _held(parent, waits=True) as is_held:
                    if is_held:
                        _sweep(parent)
                    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent)))
                    stack.enter_context(_held(path, waits=False))
            yield path
    finally:
        if is_new:
            with suppress(OSError):  # there is something in it
                parent.rmdir()


@contextmanager
def _held(folder: Path, *, waits: bool) -> Generator[bool]:
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


def _sweep(parent: Path) -> None:
    """Remove the folders of exports that were killed: nobody holds them."""
    for leftover in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), _held(leftover, waits=False) as is_held:
            if is_held:
                shutil.rmtree(leftover, ignore_errors=True)


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file, down to the disk. Raises ExportError."""
    with explained(path):
        _write(path, lines)


def move(folder: Path, files: Sequence[Path]) -> None:
    """Move files of these names out of `folder` to their places, in order.

    The old last one goes first: it is there exactly when all are whole. Raises ExportError.
    """
    with explained(folder):
        files[-1].unlink(missing_ok=True)
        for file in files:
            _sync_folder(file.parent)
            (folder / file.name).replace(file)
        _sync_folder(files[-1].parent)


def refuse_other_rows(rows: Path, shape: type[BaseModel], format: Format) -> None:  # noqa: A002  the command line's word
    """Raise ExportError if a file with rows of another shape, or with other content, stands there already."""
    if not rows.is_file():
        return
    with explained(rows), rows.open("rb") as file:
        first = file.readline()
    try:
        shape.model_validate_json(first)
    except ValidationError:
        raise ExportError(
            f"{rows}: holds something else than rows in the format {format!r}; choose another -o, or remove the file"
        ) from None


@contextmanager
def explained(where: Path) -> Generator[None]:
    """Turn what the file system refuses into an ExportError."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or where
        raise ExportError(f"{place}: can't be written: {error.strerror}; make room, or choose another place") from error


def _write(path: Path, lines: Iterable[bytes]) -> None:
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
