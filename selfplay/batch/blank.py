"""A run in which no model has answered yet, because its settings were wrong: it may be begun anew with others."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from selfplay.batch.layout import RunFolder
from selfplay.batch.ledger import UnitLedgers
from selfplay.batch.worker import is_worker_alive, read_worker_state
from selfplay.errors import JournalError, StorageError
from selfplay.events import read_events
from selfplay.hiding import is_journal


def is_unstarted(folder: RunFolder) -> bool:
    """Whether nothing was recorded that could be lost or mixed up, and nobody plays. Blocking."""
    if any(_is_worker_file_alive(path) for path in folder.workers.glob("*.json")):
        return False
    ledgers = UnitLedgers(folder)
    ledgers.refresh()
    if any(line.outcome == "played" for line in ledgers.units.values()):
        return False
    return not any(_has_model_reply(path) for path in _find_journals(folder))


def discard_unstarted(folder: RunFolder) -> None:
    """Remove a blank run's journals, which are beginnings only. Blocking. Raises StorageError."""
    for path in _find_journals(folder):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError.from_os_error(path, error, "removed") from error


def _find_journals(folder: RunFolder) -> Iterator[Path]:
    return (path for path in sorted(folder.episodes.rglob("*.jsonl")) if is_journal(path))


def _has_model_reply(journal: Path) -> bool:
    try:
        return any(event["event"] == "call" for event in read_events(journal))
    except (JournalError, OSError):
        return True  # nobody knows what it holds


def _is_worker_file_alive(worker: Path) -> bool:
    with suppress(OSError):
        return is_worker_alive(read_worker_state(worker), max(0.0, time.time() - worker.stat().st_mtime))
    return False
