"""What was used by episodes whose units have not ended: read from their journals as they grow."""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from selfplay.batch.layout import RunFolder
from selfplay.batch.tally import Prices, Tally
from selfplay.errors import JournalError
from selfplay.hiding import is_journal
from selfplay.models.protocol import Usage


@dataclass(slots=True)
class Spent:
    """Steps, calls, tokens and money."""

    episodes: int = 0
    steps: int = 0
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0


@dataclass(slots=True)
class _Open:
    """A journal, read up to `offset` bytes."""

    tally: Tally
    offset: int = 0
    steps: int = 0
    is_damaged: bool = False
    """What follows is not read: its unit will tell."""

    def read_on(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        try:
            for line in whole.splitlines():
                event = orjson.loads(line)
                self.tally.hear(event)
                self.steps += event["event"] == "step"
        except (ValueError, JournalError):
            self.is_damaged = True


class OpenJournals:
    """The journals of a run that no ledger tells of yet. Blocking."""

    def __init__(self, folder: RunFolder, prices: Prices) -> None:
        self._folder, self._prices = folder, prices
        self._open: dict[str, _Open] = {}

    def refresh(self, ended: Collection[str]) -> Spent:
        """Read on. `ended` are the paths, relative to the run's folder, of which the ledgers tell."""
        paths = dict(self._paths())
        self._open = {name: known for name, known in self._open.items() if name in paths and name not in ended}
        spent = Spent()
        for name in paths.keys() - ended:
            self._read(name, paths[name])
        for each in self._open.values():
            spent.episodes += 1
            spent.steps += each.steps
            spent.calls += each.tally.calls
            spent.usage += each.tally.usage
            spent.cost_usd += each.tally.cost_usd
        return spent

    def _paths(self) -> Iterator[tuple[str, Path]]:
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

    def _read(self, name: str, path: Path) -> None:
        if name not in self._open and not is_journal(path):
            return
        known = self._open.setdefault(name, _Open(Tally(self._prices)))
        if not known.is_damaged:
            with suppress(OSError):  # gone
                known.read_on(path)
