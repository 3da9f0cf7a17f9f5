"""Where clean traces lie: beside the journals that they were made of, never among them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from selfplay.clean.funnel import CleaningFunnel
from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.core.drop_codes import DroppedTrace
from selfplay.core.errors import InputError
from selfplay.core.json_rows import read_rows

CLEAN_FOLDER_NAME = "clean"
"""The folder inside the journals' folder."""


@dataclass(frozen=True, slots=True)
class CleanFolder:
    """A folder of clean traces."""

    path: Path

    @property
    def traces(self) -> Path:
        """One clean trace a line: those without hints first, then by episode."""
        return self.path / "traces.jsonl"

    @property
    def pairs(self) -> Path:
        """One preference pair a line, in the order of the traces."""
        return self.path / "pairs.jsonl"

    @property
    def dropped(self) -> Path:
        """One line for each trace that gives no row, with its code, by episode."""
        return self.path / "dropped.jsonl"

    @property
    def funnel(self) -> Path:
        """What became of all; written last, so that it is there exactly when the others are whole."""
        return self.path / "funnel.json"

    @property
    def samples(self) -> Path:
        """What models were asked on the way."""
        return self.path / "samples.jsonl"

    @property
    def results(self) -> tuple[Path, ...]:
        """The files that one cleaning writes, in the order in which they are moved into place."""
        return (self.traces, self.pairs, self.dropped, self.funnel)

    @property
    def is_complete(self) -> bool:
        """Whether a cleaning was brought to its end here."""
        return self.funnel.is_file()

    def read_funnel(self) -> CleaningFunnel:
        """Raises InputError."""
        try:
            return CleaningFunnel.model_validate_json(self.funnel.read_bytes())
        except (OSError, ValidationError) as error:
            raise InputError(f"{self.funnel}: can't be read as a funnel: {error}; run `selfplay clean` again") from None

    def read_outcomes(self) -> Iterator[CleanTrace | DroppedTrace]:
        """Every trace of the cleaning, one in memory at a time. Raises InputError."""
        for _, clean in read_rows(self.traces, CleanTrace):
            yield clean
        for _, dropped in read_rows(self.dropped, DroppedTrace):
            yield dropped

    def read_pairs(self) -> Iterator[PreferencePair]:
        """Every preference pair. Raises InputError."""
        for _, pair in read_rows(self.pairs, PreferencePair):
            yield pair


def fingerprint_of(files: Iterable[Path], root: Path, *, is_imported: bool) -> str:
    """sha256 of the files' names below `root`, and of journals' sizes: a journal only ever grows.

    Of imported files, which others may edit, the content counts instead. Raises InputError for a file that can't be
    read.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        name = path.relative_to(root) if path.is_relative_to(root) else path
        try:
            state = _content_hash(path) if is_imported else str(path.stat().st_size)
        except OSError as error:
            raise InputError(f"{path}: can't be read: {error.strerror}") from error
        digest.update(f"{name}\0{state}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _content_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
