"""What a run came to, from its journals alone: ledgers, leases and workers may all be lost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selfplay.batch.layout import RunFolder
from selfplay.batch.ledger import EpisodeLine
from selfplay.batch.manifest import read_manifest
from selfplay.batch.tally import Prices, line_of, prices_of, tally_of
from selfplay.batch.totals import Count, Results
from selfplay.config import RunConfig, checked
from selfplay.errors import JournalError
from selfplay.events import Event, read_events
from selfplay.hiding import is_journal
from selfplay.play import MISSES
from selfplay.replay import trace_of


@dataclass(slots=True)
class _Found:
    """A unit's episodes that ended, as far as they were found."""

    grade: str
    repo: str
    unhinted: dict[int, EpisodeLine] = field(default_factory=dict[int, EpisodeLine])
    hinted: EpisodeLine | None = None

    def in_order(self) -> tuple[EpisodeLine, ...]:
        """As they were played."""
        lines = tuple(self.unhinted[attempt] for attempt in sorted(self.unhinted))
        return lines if self.hinted is None else (*lines, self.hinted)


def config_of(folder: RunFolder) -> RunConfig:
    """What the run was begun with. Raises RunError, and ConfigError for another version's configuration."""
    return checked(RunConfig, read_manifest(folder).config, f"{folder.manifest}: config")


def recounted(folder: RunFolder) -> Results:
    """What the journals say of the units that were played to their end; reads all of them.

    Raises RunError and ConfigError for a manifest that can't be used. Journals that are damaged, or
    still going on, belong to units that have not ended.
    """
    config = config_of(folder)
    count = Count()
    for unit in _units(folder, config):
        episodes = unit.in_order()
        if _is_over(episodes, unit, config):
            count.add_played(episodes, grade=unit.grade, repo=unit.repo)
    return count.results()


def _is_over(episodes: tuple[EpisodeLine, ...], unit: _Found, config: RunConfig) -> bool:
    """With `after_miss` unhinted attempts that all failed are not the end."""
    return config.hints.policy != "after_miss" or unit.hinted is not None or episodes[-1].stop not in MISSES


def _units(folder: RunFolder, config: RunConfig) -> Iterable[_Found]:
    units: dict[tuple[str, int], _Found] = {}
    attempts = config.hints.unhinted_attempts if config.hints.policy == "after_miss" else 1
    for start, line in _episodes(folder, prices_of(config)):
        task, is_hinted = start["task"], start["supervised"]
        sample = line.attempt if is_hinted else (line.attempt - 1) // attempts + 1
        grade = str(task.get("meta", {}).get("leak", ""))
        unit = units.setdefault((task["id"], sample), _Found(grade, task["repo"]))
        if is_hinted:
            unit.hinted = line
        else:
            unit.unhinted[line.attempt] = line
    return units.values()


def _episodes(folder: RunFolder, prices: Prices) -> Iterator[tuple[Event, EpisodeLine]]:
    """Each episode that ended, with its start."""
    for path in sorted(folder.episodes.rglob("*.jsonl")):
        if not is_journal(path):
            continue
        try:
            events = list(read_events(path))
            if events and events[-1]["event"] == "stop":
                trace = trace_of(events, str(path))
                yield events[0], line_of(trace, tally_of(events, prices), path, folder.root)
        except JournalError:
            continue  # its unit failed, and has no line in a ledger either
