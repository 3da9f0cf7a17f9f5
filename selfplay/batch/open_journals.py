"""What was used by episodes whose units have not ended: read from their journals as they grow."""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from selfplay.batch.layout import RunFolder
from selfplay.batch.tally import Prices, EpisodeTally
from selfplay.errors import JournalError
from selfplay.hiding import is_journal
from selfplay.models.protocol import Usage


@dataclass(slots=True)
class OpenUsage:
    """Steps, calls, tokens and money."""

    episodes: int = 0
    steps: int = 0
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0


@dataclass(slots=True)
class _OpenJournal:
    """A journal, read up to `offset` bytes."""

    tally: EpisodeTally
    offset: int = 0
    steps: int = 0
    is_damaged: bool = False
    """What follows is not read: its unit will tell."""

    def read_new_events(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        try:
            for line in whole.splitlines():
                event = orjson.loads(line)
                self.tally.consume(event)
                self.steps += event["event"] == "step"
        except (ValueError, JournalError):
            self.is_damaged = True


class OpenJournals:
    """The journals of a run that no ledger tells of yet. Blocking."""

    def __init__(self, folder: RunFolder, prices: Prices) -> None:
        self._folder, self._prices = folder, prices
        self._open: dict[str, _OpenJournal] = {}

    def refresh(self, ended: Collection[str]) -> OpenUsage:
        """Read on. `ended` are the paths, relative to the run's folder, of which the ledgers tell."""
        paths = dict(self._find_paths())
        self._open = {name: known for name, known in self._open.items() if name in paths and name not in ended}
        used = OpenUsage()
        for name in paths.keys() - ended:
            self._read_journal(name, paths[name])
        for each in self._open.values():
            used.episodes += 1
            used.steps += each.steps
            used.calls += each.tally.calls
            used.usage += each.tally.usage
            used.cost_usd += each.tally.cost_usd
        return used

    def _find_paths(self) -> Iterator[tuple[str, Path]]:
        """Files by their names relative to the run's folder; there may be very many."""
        above = self._folder.episodes
        try:
            folders = [entry.name for entry in os.scandir(above)]
            for name in folders:
                for entry in os.scandir(above / name):
                    if entry.name.endswith(".jsonl"):
                        yield f"{above.name}/{name}/{entry.name}", Path(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            return

    def _read_journal(self, name: str, path: Path) -> None:
        if name not in self._open and not is_journal(path):
            return
        known = self._open.setdefault(name, _OpenJournal(EpisodeTally(self._prices)))
        if not known.is_damaged:
            with suppress(OSError):  # gone
                known.read_new_events(path)
