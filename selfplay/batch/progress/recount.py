"""What a run came to, from its journals alone: ledgers, leases and workers may all be lost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selfplay.batch.episode_tally import Prices, make_episode_line, prices_of, tally_of
from selfplay.batch.ledger import EpisodeLine
from selfplay.batch.manifest import read_manifest
from selfplay.batch.progress.results import ResultsCounter, RunResults
from selfplay.batch.run_folder import RunFolder
from selfplay.config import RunConfig, validate_section
from selfplay.core.errors import JournalError
from selfplay.episode.play import MISS_REASONS
from selfplay.journal.events import Event, read_events
from selfplay.journal.replay import trace_of
from selfplay.repos.hidden_files import is_journal


@dataclass(slots=True)
class _UnitEpisodes:
    """A unit's episodes that ended, as far as they were found."""

    grade: str
    repo: str
    unhinted: dict[int, EpisodeLine] = field(default_factory=dict[int, EpisodeLine])
    hinted: EpisodeLine | None = None

    def in_play_order(self) -> tuple[EpisodeLine, ...]:
        """As they were played."""
        lines = tuple(self.unhinted[attempt] for attempt in sorted(self.unhinted))
        return lines if self.hinted is None else (*lines, self.hinted)


def read_run_config(folder: RunFolder) -> RunConfig:
    """What the run was begun with. Raises RunError, and ConfigError for another version's configuration."""
    return validate_section(RunConfig, read_manifest(folder).config, f"{folder.manifest}: config")


def recount_results(folder: RunFolder) -> RunResults:
    """What the journals say of the units that were played to their end; reads all of them.

    Raises RunError and ConfigError for a manifest that can't be used. Journals that are damaged, or
    still going on, belong to units that have not ended.
    """
    config = read_run_config(folder)
    count = ResultsCounter()
    for unit in _group_by_unit(folder, config):
        episodes = unit.in_play_order()
        if _has_unit_ended(episodes, unit, config):
            count.add_played(episodes, grade=unit.grade, repo=unit.repo)
    return count.results()


def _has_unit_ended(episodes: tuple[EpisodeLine, ...], unit: _UnitEpisodes, config: RunConfig) -> bool:
    """With `after_miss` unhinted attempts that all failed are not the end."""
    return config.hints.policy != "after_miss" or unit.hinted is not None or episodes[-1].stop not in MISS_REASONS


def _group_by_unit(folder: RunFolder, config: RunConfig) -> Iterable[_UnitEpisodes]:
    units: dict[tuple[str, int], _UnitEpisodes] = {}
    attempts = config.hints.unhinted_attempts if config.hints.policy == "after_miss" else 1
    for start, line in _read_episodes(folder, prices_of(config)):
        task, is_hinted = start["task"], start["supervised"]
        sample = line.attempt if is_hinted else (line.attempt - 1) // attempts + 1
        grade = str(task.get("meta", {}).get("leak", ""))
        unit = units.setdefault((task["id"], sample), _UnitEpisodes(grade, task.get("repo", "")))
        if is_hinted:
            unit.hinted = line
        else:
            unit.unhinted[line.attempt] = line
    return units.values()


def _read_episodes(folder: RunFolder, prices: Prices) -> Iterator[tuple[Event, EpisodeLine]]:
    """Each episode that ended, with its start."""
    for path in sorted(folder.episodes.rglob("*.jsonl")):
        if not is_journal(path):
            continue
        try:
            events = list(read_events(path))
            if events and events[-1]["event"] == "stop":
                trace = trace_of(events, str(path))
                yield events[0], make_episode_line(trace, tally_of(events, prices), path, folder.root)
        except JournalError:
            continue  # its unit failed, and has no line in a ledger either
