"""What became of each unit: a line each, appended by the worker that brought it to an end.

A unit counts once, however many lines name it. A line that is lost in a power failure does no harm: the unit is taken
up again, its journals say that they are over, and the line is written again.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError

from selfplay.batch.run_folder import RunFolder
from selfplay.core.jsonl import AppendOnlyFile, json_line
from selfplay.core.message import Noun
from selfplay.core.trace import Quality, StopReason
from selfplay.core.usage import Usage


class EpisodeLine(Noun):
    """An episode that ended."""

    episode: str
    path: str
    """Relative to the run's folder."""
    stop: StopReason
    detail: str = ""
    """The first line of why."""
    stratum: str
    attempt: int
    steps: int
    targets: int
    found: int
    hints: int
    refused: int
    """Proposals that the gate sent back."""
    missing_verdicts: int
    qualities: dict[Quality, int]
    tools: dict[str, int]
    """Calls by tool."""
    calls: int
    """Model calls, of all seats."""
    retries: int
    usage: Usage
    reusable_tokens: int
    """Input that the same seat had been sent in its call before: what a server's prefix cache can spare."""
    cost_usd: float
    seconds: float
    """In calls and tools."""
    digest: str


class UnitLine(Noun):
    """A unit that came to an end."""

    unit: str
    task: str
    task_sha256: str
    """Of the task's row: the same id must not come to mean another task."""
    sample: int
    repo: str
    outcome: Literal["played", "unusable"]
    """`unusable`: the task does not fit its repository; `detail` says why."""
    detail: str = ""
    grade: str = ""
    """The task's leak grade, where its row has one."""
    episodes: tuple[EpisodeLine, ...] = ()
    wall_s: float | None = None
    """From its first call to its end, waits included; None where it was not played in one go."""
    processor_s: float | None = None
    """Processor time of the worker since the unit before it ended, or since the worker began."""
    worker: str
    at: str

    @property
    def steps(self) -> int:
        """Of all its episodes."""
        return sum(episode.steps for episode in self.episodes)


class UnitLedger:
    """A worker's own file, open for adding to. Use as a context manager. Blocking."""

    def __init__(self, folder: RunFolder, worker: str) -> None:
        self._file = AppendOnlyFile(folder.ledgers / f"{worker}.jsonl", makes_folder=False)

    def __enter__(self) -> Self:
        """Make the file."""
        self._file.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def append(self, line: UnitLine) -> None:
        """Append a line, and wait until it is on the disk. Raises StorageError; the line may then be there in part.

        An end of line stands before it, too, so that half a line that is there already spoils none.
        """
        self._file.append(b"\n" + json_line(line.model_dump(mode="json")))
        self._file.sync()


class UnitLedgers:
    """All workers' ledgers, read as they grow. Blocking."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder.ledgers
        self._offsets: dict[Path, int] = {}
        self.units: dict[str, UnitLine] = {}
        """Every unit that came to an end, by its id."""

    def refresh(self) -> list[UnitLine]:
        """Read on; the units that are new since the last time. Lines that can't be read are skipped."""
        new: list[UnitLine] = []
        for path in sorted(self._folder.glob("*.jsonl")):
            for line in self._read_new_lines(path):
                if line.unit not in self.units:
                    self.units[line.unit] = line
                    new.append(line)
        return new

    def _read_new_lines(self, path: Path) -> Iterator[UnitLine]:
        with path.open("rb") as file:
            file.seek(self._offsets.get(path, 0))
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._offsets[path] = self._offsets.get(path, 0) + whole
        yield from parse_ledger(data[:whole])


def parse_ledger(data: bytes) -> Iterator[UnitLine]:
    """The lines of a ledger; what can't be read is passed over."""
    for line in data.splitlines():
        try:
            yield UnitLine.model_validate_json(line)
        except ValidationError:  # half of one, from a disk that was full: the unit was taken up again
            continue
