"""Where things lie in a run's folder.

    manifest.json              what the run is: settings, prompts, tools, versions; written once
    episodes/AB/EPISODE.jsonl  journals, 256 folders of them
    ledger/WORKER.jsonl        what became of each task's attempts, appended by the worker that brought them to an end
    leases/UNIT.N              who plays a task's attempt just now; the highest N counts
    workers/WORKER.json        a worker's heartbeat, and how it is doing

Only the journals and the manifest are the record: everything else can be made from them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from selfplay.core.errors import RunError


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
        """Small files; one is added when a unit changes hands."""
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
