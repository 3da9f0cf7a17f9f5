"""How a run stands: everything that the live view, `selfplay status` and the report show."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from selfplay.batch.ledger import UnitLine
from selfplay.batch.progress.results import ResultsCounter, RunResults
from selfplay.batch.run_folder import RunFolder
from selfplay.core.message import Noun
from selfplay.core.usage import Usage
from selfplay.journal.events import iso_now

WINDOW_S = 300.0
LEAST_S = 1.0


@dataclass(slots=True)
class PaceMeter:
    """Counts in buckets of a second. All times are seconds of one clock, and don't go back."""

    began_at: float
    _buckets: deque[list[float]] = field(default_factory=deque[list[float]])

    def add(self, at: float, *, units: int = 0, steps: int = 0) -> None:
        """Note what was done at that time."""
        if not self._buckets or at >= self._buckets[-1][0] + 1:
            self._buckets.append([at, 0, 0])
        self._buckets[-1][1] += units
        self._buckets[-1][2] += steps

    def per_minute(self, now: float) -> tuple[float, float]:
        """Units and steps per minute, of the last minutes."""
        while self._buckets and self._buckets[0][0] < now - WINDOW_S:
            self._buckets.popleft()
        minutes = max(LEAST_S, min(WINDOW_S, now - self.began_at)) / 60
        units = sum(bucket[1] for bucket in self._buckets)
        steps = sum(bucket[2] for bucket in self._buckets)
        return units / minutes, steps / minutes


class UnitCounts(Noun):
    """Units by state. The states are disjoint, and together all there are."""

    waiting: int = 0
    """As the present start names them, or the last one: a task that was taken out of the file waits no more."""
    running: int = 0
    parked: int = 0
    """Their model is out of reach; they are tried again in a while."""
    failed: int = 0
    """They could not be played in this session; the next start tries them again."""
    unusable: int = 0
    """Their task does not fit its repository."""
    ended: int = 0
    """Played to their end."""

    @property
    def all(self) -> int:
        """All there are."""
        return self.waiting + self.left_without_waiting + self.unusable + self.ended

    @property
    def left_without_waiting(self) -> int:
        """Those that were begun and have not ended."""
        return self.running + self.parked + self.failed

    @property
    def left(self) -> int:
        """Those that have not come to an end."""
        return self.waiting + self.left_without_waiting


class WorkerStatus(Noun):
    """A process that plays, or played."""

    name: str
    pid: int
    is_alive: bool
    has_left: bool
    """It ended in order. One that is not alive and has not left is dead."""
    age_s: float
    """Seconds since its last heartbeat."""
    running: int
    parked: int
    failed: int
    calls: int
    in_flight: int
    reason: str
    """Why it ends or ended before all units did."""


class ServerStatus(BaseModel):
    """How a model's server is doing, as `selfplay.models` counts it; of several workers added up."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    seat: str = ""
    url: str
    in_flight: int = 0
    limit: int = 0
    waiting: int = 0
    calls: int = 0
    rate_limited: int = 0
    failures: int = 0
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    waited_s: float = 0.0
    paused_s: float = 0.0
    breaker: str = "closed"

    def add(self, other: "ServerStatus") -> "ServerStatus":
        """Both workers' together; latencies are the slower worker's."""
        sums = ("in_flight", "limit", "waiting", "calls", "rate_limited", "failures", "waited_s")
        most = ("paused_s", "latency_p50_s", "latency_p95_s")
        update: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in sums}
        for name in most:
            update[name] = max((v for v in (getattr(self, name), getattr(other, name)) if v is not None), default=None)
        is_open = self.breaker != "closed"
        return self.model_copy(update={**update, "breaker": self.breaker if is_open else other.breaker})


class RunTotals(Noun):
    """How a run stands."""

    folder: str
    at: str
    units: UnitCounts
    results: RunResults
    """Of the units that ended."""
    usage: Usage
    """Of all calls, those of units that have not ended too."""
    cost_usd: float
    """Likewise."""
    unpriced: tuple[str, ...] = ()
    """Seats whose calls are not in it, since their price is not known."""
    projected_usd: float | None = None
    """What all units will have cost, as the mean one that was begun: one that goes on is taken to be halfway."""
    units_per_minute: float | None = None
    steps_per_minute: float | None = None
    """Both of the last minutes; None when no worker plays."""
    eta_s: float | None = None
    in_flight: int = 0
    """Calls that wait for their reply."""
    reason: str = ""
    """Why the run is being ended, or ended before all units did."""
    parked: dict[str, str]
    """Units, and why each is parked."""
    failed: dict[str, str]
    """Units, and why each failed."""
    unusable: dict[str, str]
    """Units, and why the task of each does not fit its repository."""
    workers: tuple[WorkerStatus, ...]
    servers: tuple[ServerStatus, ...]

    @property
    def is_running(self) -> bool:
        """True while a worker lives."""
        return any(worker.is_alive for worker in self.workers)


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """A worker's state, and whether it lives."""

    state: Mapping[str, Any]
    age_s: float = 0.0
    is_alive: bool = True

    def summarise(self) -> WorkerStatus:
        """In short."""
        state = self.state
        return WorkerStatus(
            name=str(state.get("worker", "")),
            pid=int(state.get("pid", 0)),
            is_alive=self.is_alive,
            has_left=bool(state.get("is_over")),
            age_s=round(self.age_s, 1),
            running=int(state.get("running", 0)),
            parked=len(state.get("parked", ())),
            failed=len(state.get("failed", ())),
            calls=int(state.get("calls", 0)),
            in_flight=int(state.get("in_flight", 0)),
            reason=str(state.get("reason", "")),
        )


@dataclass(frozen=True, slots=True)
class TotalsInput:
    """What totals are made of."""

    folder: RunFolder
    ended: Mapping[str, UnitLine]
    """Units that came to an end, by id."""
    count: ResultsCounter
    signs: Sequence[SignOfLife]
    usage: Usage
    cost_usd: float
    unpriced: tuple[str, ...] = ()


def totals_of(known: TotalsInput, rate: tuple[float, float] | None) -> RunTotals:
    """How the run stands. `rate` is units and steps per minute, where a worker plays."""
    signs = select_current(known.signs)
    parked = _collect_reasons(signs, "parked", known.ended)
    failed = {unit: why for unit, why in _collect_reasons(signs, "failed", known.ended).items() if unit not in parked}
    results = known.count.results()
    reported_running = sum(int(sign.state.get("running", 0)) for sign in signs if sign.is_alive)
    known_of = results.units + known.count.unusable + len(parked) + len(failed)
    not_known_of = max(0, _count_ordered_units(signs, len(known.ended)) - known_of)
    running = min(reported_running, not_known_of)  # a heartbeat is seconds old, and what ran then may have ended since
    units = UnitCounts(
        waiting=not_known_of - running,
        running=running,
        parked=len(parked),
        failed=len(failed),
        unusable=known.count.unusable,
        ended=results.units,
    )
    return RunTotals(
        folder=str(known.folder.root),
        at=iso_now(),
        units=units,
        results=results,
        usage=known.usage,
        cost_usd=known.cost_usd,
        unpriced=known.unpriced,
        projected_usd=_project_cost(results, units, known.cost_usd),
        units_per_minute=None if rate is None else rate[0],
        steps_per_minute=None if rate is None else rate[1],
        eta_s=None if rate is None or not rate[0] else units.left / rate[0] * 60,
        in_flight=sum(int(sign.state.get("in_flight", 0)) for sign in signs if sign.is_alive),
        reason=next((str(sign.state["reason"]) for sign in signs if sign.state.get("reason")), ""),
        parked=parked,
        failed=failed,
        unusable={unit: line.detail for unit, line in sorted(known.ended.items()) if line.outcome == "unusable"},
        workers=tuple(sign.summarise() for sign in known.signs),
        servers=tuple(_add_up_servers(signs)),
    )


def select_current(signs: Sequence[SignOfLife]) -> Sequence[SignOfLife]:
    """The workers that know how the run stands: those that live, else the one that was seen last."""
    living = [sign for sign in signs if sign.is_alive]
    return living or sorted(signs, key=lambda sign: sign.age_s)[:1]


def _collect_reasons(signs: Iterable[SignOfLife], name: str, ended: Mapping[str, UnitLine]) -> dict[str, str]:
    reasons = {unit: str(why) for sign in signs for unit, why in dict(sign.state.get(name, {})).items()}
    return {unit: why for unit, why in sorted(reasons.items()) if unit not in ended}


def _count_ordered_units(signs: Iterable[SignOfLife], ended: int) -> int:
    """How many units the run is about: what workers were given to play, and what ended besides."""
    return max([ended, *(int(s.state.get("units", 0)) + int(s.state.get("beyond", 0)) for s in signs)])


def _project_cost(results: RunResults, units: UnitCounts, spent_usd: float) -> float | None:
    if not results.units:
        return None
    begun = results.units + units.left_without_waiting
    at_mean = results.cost_usd / results.units * begun  # short ones end first, so this is the least
    twice = results.cost_usd + 2 * (spent_usd - results.cost_usd)
    return max(at_mean, twice) / begun * (begun + units.waiting)


def _add_up_servers(signs: Iterable[SignOfLife]) -> Iterator[ServerStatus]:
    """All workers' servers, the slowest first."""
    by_name: dict[tuple[str, str], ServerStatus] = {}
    for server in (server for sign in signs for server in _parse_servers(sign.state)):
        key = (server.seat, server.url)
        by_name[key] = by_name[key].add(server) if key in by_name else server
    yield from sorted(by_name.values(), key=lambda server: -(server.latency_p95_s or 0.0))


def _parse_servers(state: Mapping[str, Any]) -> Iterator[ServerStatus]:
    for server in state.get("servers", ()):
        try:
            yield ServerStatus.model_validate(server)
        except ValidationError:  # of another version's worker
            continue
