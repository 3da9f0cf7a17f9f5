"""What a run came to so far: sums over the units that ended, the same from ledgers and from journals.

Money and time are added as whole nanodollars and microseconds, so that the order of the units does not matter.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from selfplay.batch.episode_tally import Prices, make_episode_line, prices_of, tally_of
from selfplay.batch.ledger import EpisodeLine, UnitLine
from selfplay.batch.manifest import read_run_config
from selfplay.batch.run_folder import RunFolder
from selfplay.config import RunConfig
from selfplay.core.errors import JournalError
from selfplay.core.message import Noun
from selfplay.core.trace import Quality, StopReason
from selfplay.core.usage import Usage
from selfplay.episode.play import MISS_REASONS
from selfplay.journal.events import Event, read_events
from selfplay.journal.replay import trace_of
from selfplay.repos.hidden_files import is_journal

Outcomes = dict[StopReason, int]
"""Units by how their last episode ended."""

NANO = 1_000_000_000
MICRO = 1_000_000
MAX_ERRORS = 5
"""How many different errors of models are kept."""
UNGRADED = "not graded"
"""The leak grade of a task whose row has none."""


class RunResults(Noun):
    """Units that were played to their end. A unit's outcome is that of its last episode."""

    units: int
    episodes: int
    outcomes: Outcomes
    stops: Outcomes
    """Of all episodes: with the policy `after_miss` a unit may have several."""
    strata: dict[str, Outcomes]
    grades: dict[str, Outcomes]
    """By leak grade."""
    targets: dict[int, Outcomes]
    """By number of targets."""
    repos: dict[str, Outcomes]
    steps_to_found: dict[int, int]
    """Units that found everything, by the steps of the episode that did."""
    hints_per_episode: dict[int, int]
    """Episodes, by their hints."""
    targets_in_all: int
    targets_found: int
    """Of those, by the units' last episodes."""
    steps: int
    hints: int
    refused: int
    """Proposals that the gate sent back."""
    missing_verdicts: int
    qualities: dict[Quality, int]
    tools: dict[str, int]
    model_errors: dict[str, int]
    """What servers said when that ended an episode, and how often; the most frequent."""
    calls: int
    """Of models."""
    retries: int
    usage: Usage
    reusable_tokens: int
    """Of the input: what a server's prefix cache can spare, whether it did or not."""
    cost_usd: float
    seconds: float
    """In calls and tools, of all episodes together."""

    @property
    def found(self) -> int:
        """Units that found everything."""
        return self.outcomes.get(StopReason.FOUND, 0)

    @property
    def found_share(self) -> float | None:
        """Of the units; None without any."""
        return ratio_of(self.found, self.units)

    @property
    def reused_share(self) -> float | None:
        """Of the input tokens: reused from a prefix cache, as far as servers say it."""
        return reused_share(self.usage)

    @property
    def reusable_share(self) -> float | None:
        """Of the input tokens: what a prefix cache can spare."""
        return ratio_of(self.reusable_tokens, self.usage.input_tokens)

    @property
    def cost_per_found_usd(self) -> float | None:
        """Money for all of them, per unit that found everything."""
        return self.cost_usd / self.found if self.found else None


def ratio_of(part: float, whole: float) -> float | None:
    """A part of a whole; None of nothing."""
    return part / whole if whole else None


def reused_share(usage: Usage) -> float | None:
    """Of the input tokens: reused from a prefix cache; None without input."""
    return ratio_of(usage.cached_tokens, usage.input_tokens)


@dataclass(slots=True)
class ResultsCounter:
    """Counts units one by one; the order does not matter."""

    groups: dict[str, dict[str | int, Counter[StopReason]]] = field(
        default_factory=dict[str, dict[str | int, Counter[StopReason]]]
    )
    outcomes: Counter[StopReason] = field(default_factory=Counter[StopReason])
    stops: Counter[StopReason] = field(default_factory=Counter[StopReason])
    steps_to_found: Counter[int] = field(default_factory=Counter[int])
    hints_per_episode: Counter[int] = field(default_factory=Counter[int])
    qualities: Counter[Quality] = field(default_factory=Counter[Quality])
    tools: Counter[str] = field(default_factory=Counter[str])
    model_errors: Counter[str] = field(default_factory=Counter[str])
    numbers: Counter[str] = field(default_factory=Counter[str])
    usage: Usage = field(default_factory=Usage)
    unusable: int = 0

    def add(self, line: UnitLine) -> None:
        """Count a unit that came to an end."""
        if line.outcome == "unusable":
            self.unusable += 1
        else:
            self.add_played(line.episodes, grade=line.grade, repo=line.repo)

    def add_played(self, episodes: tuple[EpisodeLine, ...], *, grade: str, repo: str) -> None:
        """Count a unit that was played to its end, by its episodes in the order of play."""
        for episode in episodes:
            self._add_episode(episode)
        last = episodes[-1]
        self.outcomes[last.stop] += 1
        keys = {"strata": last.stratum, "grades": grade or UNGRADED, "targets": last.targets, "repos": repo}
        for kind, key in keys.items():
            self.groups.setdefault(kind, {}).setdefault(key, Counter())[last.stop] += 1
        self.numbers["targets_in_all"] += last.targets
        self.numbers["targets_found"] += last.found
        if last.stop is StopReason.FOUND:
            self.steps_to_found[last.steps] += 1

    def _add_episode(self, episode: EpisodeLine) -> None:
        self.stops[episode.stop] += 1
        self.hints_per_episode[episode.hints] += 1
        self.qualities.update(episode.qualities)
        self.tools.update(episode.tools)
        if episode.stop is StopReason.MODEL_ERROR:
            self.model_errors[episode.detail] += 1
        self.usage += episode.usage
        numbers = self.numbers
        numbers["steps"] += episode.steps
        numbers["hints"] += episode.hints
        numbers["refused"] += episode.refused
        numbers["missing_verdicts"] += episode.missing_verdicts
        numbers["calls"] += episode.calls
        numbers["retries"] += episode.retries
        numbers["reusable_tokens"] += episode.reusable_tokens
        numbers["nanodollars"] += round(episode.cost_usd * NANO)
        numbers["microseconds"] += round(episode.seconds * MICRO)

    def results(self) -> RunResults:
        """All of it."""
        numbers = self.numbers
        return RunResults(
            units=self.outcomes.total(),
            episodes=self.stops.total(),
            outcomes=order_outcomes(self.outcomes),
            stops=order_outcomes(self.stops),
            strata=self._sort_group("strata"),
            grades=self._sort_group("grades"),
            targets={
                int(key): order_outcomes(counts) for key, counts in sorted(self.groups.get("targets", {}).items())
            },
            repos=self._sort_group("repos"),
            steps_to_found=dict(sorted(self.steps_to_found.items())),
            hints_per_episode=dict(sorted(self.hints_per_episode.items())),
            targets_in_all=numbers["targets_in_all"],
            targets_found=numbers["targets_found"],
            steps=numbers["steps"],
            hints=numbers["hints"],
            refused=numbers["refused"],
            missing_verdicts=numbers["missing_verdicts"],
            qualities={quality: self.qualities[quality] for quality in Quality if self.qualities[quality]},
            tools=sort_by_count(self.tools),
            model_errors=dict(islice(sort_by_count(self.model_errors).items(), MAX_ERRORS)),
            calls=numbers["calls"],
            retries=numbers["retries"],
            usage=self.usage,
            reusable_tokens=numbers["reusable_tokens"],
            cost_usd=numbers["nanodollars"] / NANO,
            seconds=numbers["microseconds"] / MICRO,
        )

    def _sort_group(self, kind: str) -> dict[str, Outcomes]:
        return {str(key): order_outcomes(counts) for key, counts in sorted(self.groups.get(kind, {}).items())}


def sort_by_count(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, those that are equally frequent by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def order_outcomes(counts: Mapping[StopReason, int]) -> Outcomes:
    """Counts in the order in which the reasons are defined, without those that never came."""
    return {reason: counts[reason] for reason in StopReason if counts.get(reason)}


def results_of(lines: Iterable[UnitLine]) -> RunResults:
    """What units of the ledgers came to. Units that were not usable are no part of it."""
    count = ResultsCounter()
    for line in lines:
        count.add(line)
    return count.results()


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


def recount_results(folder: RunFolder) -> RunResults:
    """What the units came to that were played to their end, from the journals alone; reads all of them.

    Ledgers, leases and workers may all be lost.

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
