"""A run as it goes on: a picture on a terminal that is drawn anew now and then, or else a line now and then."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from rich.console import Console
from rich.live import Live
from rich.text import Text

from selfplay.batch.layout import RunFolder
from selfplay.batch.ledger import Ledgers, UnitLine
from selfplay.batch.rate import Rate
from selfplay.batch.run import BatchWatch, Unwatched
from selfplay.batch.screen import ending, leaving, line, screen
from selfplay.batch.status import Known, Sign, Totals, totals_of
from selfplay.batch.totals import Count
from selfplay.batch.units import Unit
from selfplay.events import Event
from selfplay.models.protocol import Usage

DRAW_S = 0.5
"""Seconds between two pictures."""
LINE_S = 30.0
"""Seconds between two lines, where there is no terminal."""


@dataclass(slots=True)
class Tracker(Unwatched):
    """Keeps count of a run while it goes on; each event costs next to nothing."""

    folder: RunFolder
    unpriced: tuple[str, ...] = ()
    began_at: float = field(default_factory=time.monotonic)
    rate: Rate = field(init=False)
    count: Count = field(default_factory=Count)
    ended_units: dict[str, UnitLine] = field(default_factory=dict[str, UnitLine])
    own_units: set[str] = field(default_factory=set[str])
    """Units that this worker began or took up, whose steps it hears of."""
    state: Callable[[], dict[str, Any]] = dict
    is_over: bool = False
    """True after the session."""

    def __post_init__(self) -> None:
        self.rate = Rate(self.began_at)

    def opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """Begin with what earlier sessions brought to an end."""
        self.state = state
        ledgers = Ledgers(self.folder)
        ledgers.refresh()
        for each in ledgers.units.values():
            self._count(each)

    def started(self, unit: Unit) -> None:
        """Know it for one's own."""
        self.own_units.add(unit.id)

    def heard(self, unit: Unit, event: Event, is_recorded: bool) -> None:  # noqa: ARG002, FBT001  see BatchWatch
        """Count steps."""
        if event["event"] == "step" and not is_recorded:
            self.rate.add(time.monotonic(), steps=1)

    def ended(self, line: UnitLine) -> None:
        """Count a unit."""
        if line.unit not in self.ended_units:
            others = 0 if line.unit in self.own_units else line.steps
            self.rate.add(time.monotonic(), units=1, steps=others)
            self._count(line)

    def _count(self, line: UnitLine) -> None:
        self.ended_units[line.unit] = line
        self.count.add(line)

    @property
    def seconds(self) -> float:
        """How long this session has lasted."""
        return time.monotonic() - self.began_at

    def totals(self) -> Totals:
        """How the run stands, as far as this worker knows: of others, what they brought to an end."""
        state = self.state()
        results = self.count.results()
        used = Usage(**state["usage"]) if "usage" in state else Usage()
        known = Known(
            folder=self.folder,
            ended=self.ended_units,
            count=self.count,
            signs=[Sign({**state, "is_over": self.is_over}, is_alive=not self.is_over)],
            usage=max(used, results.usage, key=lambda usage: usage.total_tokens),
            cost_usd=max(state.get("cost_usd", 0.0), results.cost_usd),
            unpriced=self.unpriced,
        )
        return totals_of(known, self.rate.per_minute(time.monotonic()))


class LiveView:
    """Draws what a tracker knows. Whatever becomes of the terminal, the run goes on."""

    def __init__(self, console: Console, tracker: Tracker, *, line_s: float = LINE_S) -> None:
        self._console, self._tracker, self._line_s = console, tracker, line_s
        self._threads = anyio.CapacityLimiter(1)
        self._is_gone = console.quiet
        self._told = ""
        self._lined_at = tracker.began_at

    async def show(self) -> None:
        """Go on until cancelled."""
        if self._is_gone:
            return
        if self._console.is_terminal:
            await self._show_pictures()
        while not self._is_gone:
            await self._tell_lines()
            await anyio.sleep(DRAW_S)

    async def _show_pictures(self) -> None:
        live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        await self._write(live.start)
        try:
            while not self._is_gone:
                picture = screen(self._tracker.totals(), seconds=self._tracker.seconds)
                await self._write(lambda picture=picture: live.update(picture, refresh=True))
                await anyio.sleep(DRAW_S)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._write(live.stop)

    async def _tell_lines(self) -> None:
        totals = self._tracker.totals()
        if totals.reason and totals.reason != self._told:
            self._told = totals.reason
            await self._print(ending(totals) + leaving())
        elif time.monotonic() - self._lined_at >= self._line_s:
            self._lined_at = time.monotonic()
            await self._print(line(totals))

    async def _print(self, text: str) -> None:
        await self._write(lambda: self._console.print(Text(text), soft_wrap=True))

    async def _write(self, write: Callable[[], object]) -> None:
        """In a thread: a terminal that takes nothing must not hold up the run. One that fails gets nothing more."""
        try:
            await anyio.to_thread.run_sync(write, abandon_on_cancel=True, limiter=self._threads)
        except (Exception, SystemExit):  # noqa: BLE001  a terminal that went away: rich makes an exit of it
            self._is_gone = True


class Several:
    """Watches that don't know of each other. One that fails is not told again: what it does is no part of the run."""

    def __init__(self, *watches: BatchWatch) -> None:
        self._watches = list(watches)

    def opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """Tell all."""
        self._tell(lambda watch: watch.opened(state))

    def started(self, unit: Unit) -> None:
        """Tell all."""
        self._tell(lambda watch: watch.started(unit))

    def heard(self, unit: Unit, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  see BatchWatch
        """Tell all."""
        self._tell(lambda watch: watch.heard(unit, event, is_recorded))

    def parked(self, unit: Unit, error: Exception, wait_s: float) -> None:
        """Tell all."""
        self._tell(lambda watch: watch.parked(unit, error, wait_s))

    def failed(self, unit: Unit, error: Exception) -> None:
        """Tell all."""
        self._tell(lambda watch: watch.failed(unit, error))

    def ended(self, line: UnitLine) -> None:
        """Tell all."""
        self._tell(lambda watch: watch.ended(line))

    def _tell(self, how: Callable[[BatchWatch], None]) -> None:
        for watch in tuple(self._watches):
            try:
                how(watch)
            except Exception:  # noqa: BLE001  see the class
                self._watches.remove(watch)
