"""Where an export's files lie, and how rows get there: all files whole, or none."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from selfplay.core.contract import Contract, describe_difference, read_contract
from selfplay.core.errors import ExportError, InputError, NothingToExport
from selfplay.core.files import convert_os_errors, open_scratch_folder, write_together
from selfplay.core.jsonl import json_line
from selfplay.export.spool import Spool, open_spool


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


class RowWriter:
    """Rows of one contract, each with a note, held on disk in the order of their keys until all are there."""

    def __init__(self, files: ExportFiles, folder: Path, spool: Spool) -> None:
        self.files = files
        self._folder = folder
        self._spool = spool
        self._contract: Contract | None = None
        self._first_episode = ""

    def register(self, episode: str) -> None:
        """Take note of an episode. Raises ExportError if it has been here before."""
        self._spool.register(episode)

    def add(
        self, key: str, row: Mapping[str, Any], note: Mapping[str, Any], *, episode: str, contract: Contract
    ) -> None:
        """Take a row. Raises ExportError if its contract is not that of the first one, and when the disk is full."""
        if self._contract is None:
            self._contract, self._first_episode = contract, episode
        elif contract.sha256 != self._contract.sha256:
            raise ExportError(
                f"{self._first_episode} and {episode} were made under different contracts "
                f"({describe_difference(self._contract, contract)}); export them separately"
            )
        self._spool.put("row", key, json_line(row))
        self._spool.put("note", key, json_line(note))

    def skip(self, key: str, note: Mapping[str, Any]) -> None:
        """Note what gives no row. Raises ExportError when the disk is full."""
        self._spool.put("skipped", key, json_line(note))

    def write(self, reason_for_none: str) -> Contract:
        """Put all four files into place and return the rows' contract.

        The old rows go first and the new ones come last, so that no rows ever lie beside a foreign contract. Raises
        NothingToExport with that reason if there is no row, and StorageError. What was there stays then.
        """
        if self._contract is None:
            raise NothingToExport(reason_for_none)
        contents = (
            self._spool.lines("row"),
            [self._contract.json_text],
            self._spool.lines("note"),
            self._spool.lines("skipped"),
        )
        write_together(self._folder, list(zip(self.files.files, contents, strict=True))[::-1])
        return self._contract


@contextmanager
def open_row_writer(out: Path, row_model: type[BaseModel], format_name: str) -> Generator[RowWriter]:
    """A writer of rows of that model. Raises ExportError if `out` holds something else, and StorageError."""
    files = ExportFiles.for_output(out)
    _refuse_other_rows(files.rows, row_model, format_name)
    with open_scratch_folder(files.rows.parent) as folder, open_spool(folder / "spool") as spool:
        yield RowWriter(files, folder, spool)


def _refuse_other_rows(rows: Path, row_model: type[BaseModel], format_name: str) -> None:
    """Raise ExportError if a file with rows of another shape, or with other content, stands there already."""
    if not rows.is_file():
        return
    with convert_os_errors(rows, "read"), rows.open("rb") as file:
        first = file.readline()
    try:
        row_model.model_validate_json(first)
    except ValidationError:
        raise ExportError(
            f"{rows}: holds something else than rows in the format {format_name!r}; choose another -o, or remove the "
            "file"
        ) from None


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
