"""What the rest of a run will take: money, tokens and time, from units that have come to an end.

The range is that of a bootstrap: of many samples drawn anew from the units that were measured, the middle 80 %. With
few units it is too narrow rather than too wide, and it knows nothing of tasks unlike all that were measured.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from selfplay.batch.episode_tally import Prices, tally_of
from selfplay.batch.ledger import UnitLine
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.servers import limits_of
from selfplay.batch.settings import BatchSettings
from selfplay.core.errors import JournalError
from selfplay.core.message import Noun
from selfplay.journal.events import Event, Seat, read_events

MOST_MEASURED = 300
"""Units whose journals are read."""
DRAWS = 300
TAIL_SHARE = 0.1
"""Of the draws, that lie beyond each end of the range."""

SEATS: tuple[Seat, ...] = ("player", "supervisor", "judge")

T = TypeVar("T")


class EstimateRange(Noun):
    """An expected value, and what it may well be."""

    low: float
    expected: float
    high: float


class RunEstimate(Noun):
    """What is known of the rest of a run before it is played."""

    measured: int
    """Units that were measured; without any there are no figures."""
    left: int
    """Units that have not come to an end."""
    spent_usd: float
    """By the units that have."""
    spent_tokens: int
    """Likewise."""
    cost_usd: EstimateRange | None = None
    """For all that are left."""
    tokens: EstimateRange | None = None
    calls: EstimateRange | None = None
    wall_s: EstimateRange | None = None
    """If all goes on as fast as it did: from the attempts' wall clock, and from the processor time that they took."""
    bound_by: str = ""
    """What the wall-clock time hangs on."""
    unpriced: tuple[Seat, ...] = ()
    """Seats whose price is not known: the money is without them."""


@dataclass(slots=True)
class UnitMeasurement:
    """What one unit took."""

    cost_usd: float = 0.0
    seconds: float = 0.0
    """By the wall clock; of one that was not played in one go, in calls and tools."""
    processor_s: float = 0.0
    """Of the process that played it, for the engine's own work and the tools."""
    calls: Counter[Seat] = field(default_factory=Counter[Seat])
    tokens: Counter[Seat] = field(default_factory=Counter[Seat])
    call_s: dict[Seat, float] = field(default_factory=dict[Seat, float])

    def add_episode(self, events: Sequence[Event], prices: Prices) -> None:
        """Take an episode of the unit's."""
        tally = tally_of(events, prices)
        self.cost_usd += tally.spent.cost_usd
        self.seconds += tally.seconds
        for event in events:
            if event["event"] == "call":
                seat: Seat = event["seat"]
                usage = event.get("reply", {}).get("usage", {})
                self.calls[seat] += 1
                self.tokens[seat] += usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
                self.call_s[seat] = self.call_s.get(seat, 0.0) + event["seconds"]


def sample_evenly(items: Sequence[T], count: int) -> list[T]:
    """So many of them at most, evenly from the first to the last."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def measure_units(folder: RunFolder, lines: Iterable[UnitLine], prices: Prices) -> list[UnitMeasurement]:
    """What units took that came to an end, those included that were not usable. Blocking."""
    found: list[UnitMeasurement] = []
    for line in sample_evenly(sorted(lines, key=lambda line: line.unit), MOST_MEASURED):
        unit = UnitMeasurement()
        with suppress(JournalError):  # it was moved away, or is damaged: the others suffice
            for episode in line.episodes:
                unit.add_episode(list(read_events(folder.root / episode.path)), prices)
            unit.seconds = unit.seconds if line.wall_s is None else line.wall_s
            unit.processor_s = line.processor_s or 0.0
            found.append(unit)
    return found


def estimate_rest(known: RunEstimate, measured: Sequence[UnitMeasurement], settings: BatchSettings) -> RunEstimate:
    """`known` with figures for the units that are left. The same units give the same figures."""
    left = known.left
    if not measured or not left:
        return known
    draws = [_resample(measured, Random(number)) for number in range(DRAWS)]  # noqa: S311  a statistic, guards nothing

    def total(value: Callable[[UnitMeasurement], float]) -> EstimateRange:
        mean = statistics.fmean(map(value, measured))
        totals = sorted(left * statistics.fmean(map(value, draw)) for draw in draws)
        return _make_range(totals, left * mean)

    bounds = _find_time_bounds(measured, left, settings)
    name, expected = max(bounds.items(), key=lambda bound: bound[1])
    walls = sorted(max(_find_time_bounds(draw, left, settings).values()) for draw in draws)
    return known.model_copy(
        update={
            "cost_usd": total(lambda unit: unit.cost_usd),
            "tokens": total(lambda unit: unit.tokens.total()),
            "calls": total(lambda unit: unit.calls.total()),
            "wall_s": _make_range(walls, expected),
            "bound_by": name,
        }
    )


def _resample(measured: Sequence[UnitMeasurement], random: Random) -> list[UnitMeasurement]:
    return random.choices(measured, k=len(measured))


def _make_range(ordered: Sequence[float], expected: float) -> EstimateRange:
    low, high = ordered[int(TAIL_SHARE * len(ordered))], ordered[int((1 - TAIL_SHARE) * len(ordered))]
    return EstimateRange(low=min(low, expected), expected=expected, high=max(high, expected))


def _find_time_bounds(measured: Sequence[UnitMeasurement], left: int, settings: BatchSettings) -> dict[str, float]:
    """The seconds that the rest takes at least, by what holds it up."""

    def rest(values: Iterable[float]) -> float:
        return left * statistics.fmean(values)

    longest = max(unit.seconds for unit in measured)
    bounds = {
        "at_once": max(longest, rest(unit.seconds for unit in measured) / min(settings.at_once, left)),
        "the processor": rest(unit.processor_s for unit in measured),
    }
    for seat in SEATS:
        limits = limits_of(settings, seat)
        servers = len(limits.endpoints) or 1
        call_s = rest(unit.call_s.get(seat, 0.0) for unit in measured)
        bounds[f"{seat}.in_flight"] = call_s / (limits.in_flight * servers)
        if limits.requests_per_minute is not None:
            calls = rest(unit.calls[seat] for unit in measured)
            bounds[f"{seat}.requests_per_minute"] = 60 * calls / (limits.requests_per_minute * servers)
        if limits.tokens_per_minute is not None:
            tokens = rest(unit.tokens[seat] for unit in measured)
            bounds[f"{seat}.tokens_per_minute"] = 60 * tokens / (limits.tokens_per_minute * servers)
    return bounds
