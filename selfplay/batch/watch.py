"""What a run reports: events to watches while it goes on, and how one session of it went."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from selfplay.batch.ledger import UnitLine
from selfplay.batch.units import WorkUnit
from selfplay.core.errors import SelfplayError
from selfplay.journal.events import Event


@runtime_checkable
class RunWatch(Protocol):
    """Receives what happens in a run. Called within the event loop, so a method must not take long."""

    def on_run_opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """The run begins; `state` returns at any time how this worker is doing."""

    def on_unit_started(self, unit: WorkUnit) -> None:
        """A unit is begun or taken up."""

    def on_event(self, unit: WorkUnit, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  an EventWatcher
        """An event of one of the unit's journals."""

    def on_unit_parked(self, unit: WorkUnit, error: Exception, wait_s: float) -> None:
        """A unit waits for a model that is out of reach."""

    def on_unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """A unit can't be played in this session."""

    def on_unit_ended(self, line: UnitLine) -> None:
        """A unit came to an end, here or in another worker."""


class NullWatch:
    """Ignores everything; the base of watches that need some of the events only."""

    def on_run_opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """Ignore it."""

    def on_unit_started(self, unit: WorkUnit) -> None:
        """Ignore it."""

    def on_event(self, unit: WorkUnit, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  see RunWatch
        """Ignore it."""

    def on_unit_parked(self, unit: WorkUnit, error: Exception, wait_s: float) -> None:
        """Ignore it."""

    def on_unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """Ignore it."""

    def on_unit_ended(self, line: UnitLine) -> None:
        """Ignore it."""


@dataclass(slots=True)
class RunSession:
    """How one start of the command went."""

    reason: str = ""
    """Why it ended before all units did; empty if all did, or failed."""
    error: SelfplayError | None = None
    """The error that concerned all units, if there was one."""
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """Units that could not be played in this session, and why. The next start tries them again."""
    unfinished_count: int = 0
    """Units that did not come to an end."""
    unplayable: str = ""
    """Why none of the units can be played: the task of each does not fit its repository. Empty if one was played."""


def find_unplayable_reason(units: Iterable[str], ended: Mapping[str, UnitLine]) -> str:
    """Why the first of these units' tasks is unusable, if all turned out to be; empty if one did not."""
    lines = [ended.get(unit) for unit in units]
    unusable = [line.detail for line in lines if line is not None and line.outcome == "unusable"]
    return unusable[0] if unusable and len(unusable) == len(lines) else ""


class CombinedWatch:
    """Passes everything on to several watches. One that raises is called no more: a watch is no part of the run."""

    def __init__(self, *watches: RunWatch) -> None:
        self._watches = list(watches)

    def on_run_opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """Notify all."""
        self._notify(lambda watch: watch.on_run_opened(state))

    def on_unit_started(self, unit: WorkUnit) -> None:
        """Notify all."""
        self._notify(lambda watch: watch.on_unit_started(unit))

    def on_event(self, unit: WorkUnit, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  see RunWatch
        """Notify all."""
        self._notify(lambda watch: watch.on_event(unit, event, is_recorded))

    def on_unit_parked(self, unit: WorkUnit, error: Exception, wait_s: float) -> None:
        """Notify all."""
        self._notify(lambda watch: watch.on_unit_parked(unit, error, wait_s))

    def on_unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """Notify all."""
        self._notify(lambda watch: watch.on_unit_failed(unit, error))

    def on_unit_ended(self, line: UnitLine) -> None:
        """Notify all."""
        self._notify(lambda watch: watch.on_unit_ended(line))

    def _notify(self, call: Callable[[RunWatch], None]) -> None:
        for watch in tuple(self._watches):
            try:
                call(watch)
            except Exception:  # noqa: BLE001  see the class
                self._watches.remove(watch)
