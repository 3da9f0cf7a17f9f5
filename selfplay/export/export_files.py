"""Where an export's files lie, and how they get there: each whole or not at all."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from selfplay.core.contract import read_contract
from selfplay.core.errors import ExportError, InputError
from selfplay.core.files import _write_durably, convert_os_errors, move_into_place, open_scratch_folder
from selfplay.export.formats.row_models import RowFormat


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
