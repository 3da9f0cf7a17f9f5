"""Where things lie in a run's folder.

    manifest.json              what the run is: settings, prompts, tools, versions; written once
    episodes/AB/EPISODE.jsonl  journals, 256 folders of them
    ledger/WORKER.jsonl        what became of each task's attempts, appended by the worker that brought them to an end
    leases/UNIT.N              who plays a task's attempt just now; the highest N counts
    workers/WORKER.json        a worker's sign of life, and how it is doing

Only the journals and the manifest are truth: everything else can be made from them.
"""

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from selfplay.core.errors import RunError, StorageError


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder."""

    root: Path

    @property
    def manifest(self) -> Path:
        """What the run is."""
        return self.root / "manifest.json"

    @property
    def episodes(self) -> Path:
        """Above the journals."""
        return self.root / "episodes"

    @property
    def ledgers(self) -> Path:
        """One file a worker."""
        return self.root / "ledger"

    @property
    def leases(self) -> Path:
        """Small files that come and go."""
        return self.root / "leases"

    @property
    def workers(self) -> Path:
        """One file a worker."""
        return self.root / "workers"

    def journals_of(self, task: str) -> Path:
        """The folder of a task's journals."""
        return self.episodes / hashlib.sha256(task.encode()).hexdigest()[:2]


def require_no_run(folder: RunFolder) -> None:
    """Raises RunError for a run's folder: what is played there otherwise would be counted with it, and trained on."""
    if folder.manifest.exists():
        raise RunError(f"{folder.root} holds a run of `selfplay batch`, which plays tasks there; give another --out")


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
