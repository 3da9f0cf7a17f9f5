"""Looking at a run from outside: its ledgers, its workers' heartbeats, and the journals that go on."""

import os
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from selfplay.batch.episode_tally import EpisodeTally, Prices, prices_of, unpriced_seats
from selfplay.batch.heartbeat import is_worker_alive, read_worker_state
from selfplay.batch.ledger import UnitLedgers, UnitLine
from selfplay.batch.manifest import read_run_config
from selfplay.batch.progress.results import ResultsCounter
from selfplay.batch.progress.status import WINDOW_S, PaceMeter, RunTotals, SignOfLife, TotalsInput, totals_of
from selfplay.batch.run_folder import RunFolder
from selfplay.config import KeyName, key_names_in
from selfplay.core.errors import JournalError
from selfplay.core.usage import Spending
from selfplay.repos.hidden_files import is_journal


@dataclass(slots=True)
class OpenUsage:
    """Steps, calls, tokens and money."""

    episodes: int = 0
    steps: int = 0
    calls: int = 0
    spent: Spending = field(default_factory=Spending)


@dataclass(slots=True)
class _OpenJournal:
    """A journal, read up to `offset` bytes."""

    tally: EpisodeTally
    offset: int = 0
    steps: int = 0
    is_damaged: bool = False
    """What follows is not read: its unit will report that."""

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
    """The journals of a run that no ledger names yet. Blocking."""

    def __init__(self, folder: RunFolder, prices: Prices) -> None:
        self._folder, self._prices = folder, prices
        self._open: dict[str, _OpenJournal] = {}

    def refresh(self, ended: Collection[str]) -> OpenUsage:
        """Read on. `ended` are the paths, relative to the run's folder, that the ledgers name."""
        paths = dict(self._find_paths())
        self._open = {name: known for name, known in self._open.items() if name in paths and name not in ended}
        used = OpenUsage()
        for name in paths.keys() - ended:
            self._read_journal(name, paths[name])
        for each in self._open.values():
            used.episodes += 1
            used.steps += each.steps
            used.calls += each.tally.calls
            used.spent += each.tally.spent
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


class RunObserver:
    """Looks at a run from outside, again and again; reads only what is new. Blocking."""

    def __init__(self, folder: RunFolder) -> None:
        """Raises RunError where there is no run, and ConfigError for a manifest of another version."""
        config = read_run_config(folder)
        self._folder = folder
        self._unpriced = unpriced_seats(config)
        self._ledgers = UnitLedgers(folder)
        self._open = OpenJournals(folder, prices_of(config))
        self._count = ResultsCounter()
        self._paths: set[str] = set()
        self._ends: deque[tuple[float, int]] = deque()
        """When units of the last minutes ended, and their steps."""

    @property
    def units(self) -> Mapping[str, UnitLine]:
        """Units that came to an end, as of the last look."""
        return self._ledgers.units

    def read_totals(self) -> RunTotals:
        """How the run stands now."""
        signs = sorted(read_signs_of_life(self._folder), key=lambda sign: sign.age_s)
        for line in sorted(self._ledgers.refresh(), key=lambda line: line.at):
            self._count.add(line)
            self._paths.update(episode.path for episode in line.episodes)
            self._ends.append((datetime.fromisoformat(line.at).timestamp(), line.steps))
        open_usage = self._open.refresh(self._paths)
        results = self._count.results()
        known = TotalsInput(
            folder=self._folder,
            ended=self._ledgers.units,
            count=self._count,
            signs=signs,
            usage=results.usage + open_usage.spent.usage,
            cost_usd=results.cost_usd + open_usage.spent.cost_usd,
            unpriced=self._unpriced,
        )
        return totals_of(known, self._measure_pace(signs))

    def _measure_pace(self, signs: Iterable[SignOfLife]) -> tuple[float, float] | None:
        """Units and steps per minute since somebody plays, by the ledgers: of ends, with the steps that led there."""
        began = [float(sign.state.get("since", 0.0)) for sign in signs if sign.is_alive]
        while self._ends and self._ends[0][0] < time.time() - WINDOW_S:
            self._ends.popleft()
        ends = [
            (at, steps) for at, steps in self._ends if began and at >= int(min(began))
        ]  # ledgers have whole seconds
        if not ends:
            return None
        rate = PaceMeter(began_at=min(began))
        for at, steps in ends:
            rate.add(at, units=1, steps=steps)
        return rate.per_minute(time.time())


def collect_key_names(journals: Iterable[Path]) -> tuple[KeyName, ...]:
    """The variables with the keys of further servers, as the workers of these journals' runs named them."""
    roots = dict.fromkeys(root for path in journals for root in list(path.absolute().parents)[2:3])
    states = (read_worker_state(path) for root in roots for path in sorted(RunFolder(root).workers.glob("*.json")))
    names = (name for state in states if state is not None for name in state.get("key_names", ()))
    return tuple(dict.fromkeys(key_names_in([{"api_key_env": name} for name in names])))


def read_signs_of_life(folder: RunFolder) -> Iterator[SignOfLife]:
    """All workers' last heartbeats. Ages are by this machine's clock."""
    for path in folder.workers.glob("*.json"):
        state = read_worker_state(path)
        try:
            age_s = max(0.0, time.time() - path.stat().st_mtime)
        except OSError:
            continue
        if state is not None:
            yield SignOfLife(state, age_s, is_worker_alive(state, age_s))
