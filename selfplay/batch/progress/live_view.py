"""A run as it goes on: a picture on a terminal that is drawn anew now and then, or else a line now and then."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from rich.console import Console
from rich.live import Live
from rich.text import Text

from selfplay.batch.ledger import UnitLedgers, UnitLine
from selfplay.batch.progress.results import ResultsCounter
from selfplay.batch.progress.screen import describe_ending, describe_second_interrupt, render_totals, summarise_in_line
from selfplay.batch.progress.status import PaceMeter, RunTotals, SignOfLife, TotalsInput, totals_of
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.units import WorkUnit
from selfplay.batch.watch import NullWatch
from selfplay.core.usage import Usage
from selfplay.journal.events import Event

DRAW_S = 0.5
"""Seconds between two pictures."""
LINE_S = 30.0
"""Seconds between two lines, where there is no terminal."""


@dataclass(slots=True)
class RunTracker(NullWatch):
    """Keeps count of a run while it goes on; each event costs next to nothing."""

    folder: RunFolder
    unpriced: tuple[str, ...] = ()
    began_at: float = field(default_factory=time.monotonic)
    rate: PaceMeter = field(init=False)
    count: ResultsCounter = field(default_factory=ResultsCounter)
    ended_units: dict[str, UnitLine] = field(default_factory=dict[str, UnitLine])
    own_units: set[str] = field(default_factory=set[str])
    """Units that this worker began or took up, whose steps it sees."""
    state: Callable[[], dict[str, Any]] = dict
    is_over: bool = False
    """True after the session."""

    def __post_init__(self) -> None:
        self.rate = PaceMeter(self.began_at)

    def on_run_opened(self, state: Callable[[], dict[str, Any]]) -> None:
        """Begin with what earlier sessions brought to an end."""
        self.state = state
        ledgers = UnitLedgers(self.folder)
        ledgers.refresh()
        for each in ledgers.units.values():
            self._count_unit(each)

    def on_unit_started(self, unit: WorkUnit) -> None:
        """Note that this worker plays it."""
        self.own_units.add(unit.id)

    def on_event(self, unit: WorkUnit, event: Event, is_recorded: bool) -> None:  # noqa: ARG002, FBT001  see RunWatch
        """Count steps."""
        if event["event"] == "step" and not is_recorded:
            self.rate.add(time.monotonic(), steps=1)

    def on_unit_ended(self, line: UnitLine) -> None:
        """Count a unit."""
        if line.unit not in self.ended_units:
            others = 0 if line.unit in self.own_units else line.steps
            self.rate.add(time.monotonic(), units=1, steps=others)
            self._count_unit(line)

    def _count_unit(self, line: UnitLine) -> None:
        self.ended_units[line.unit] = line
        self.count.add(line)

    @property
    def seconds(self) -> float:
        """How long this session has lasted."""
        return time.monotonic() - self.began_at

    def count_totals(self) -> RunTotals:
        """How the run stands, as far as this worker knows: of others, what they brought to an end."""
        state = self.state()
        results = self.count.results()
        used = Usage(**state["usage"]) if "usage" in state else Usage()
        known = TotalsInput(
            folder=self.folder,
            ended=self.ended_units,
            count=self.count,
            signs=[SignOfLife({**state, "is_over": self.is_over}, is_alive=not self.is_over)],
            usage=max(used, results.usage, key=lambda usage: usage.total_tokens),
            cost_usd=max(state.get("cost_usd", 0.0), results.cost_usd),
            unpriced=self.unpriced,
        )
        return totals_of(known, self.rate.per_minute(time.monotonic()))


class RunLiveView:
    """Draws what a tracker knows. Whatever becomes of the terminal, the run goes on."""

    def __init__(self, console: Console, tracker: RunTracker, *, line_s: float = LINE_S) -> None:
        self._console, self._tracker, self._line_s = console, tracker, line_s
        self._threads = anyio.CapacityLimiter(1)
        self._is_gone = console.quiet
        self._printed_reason = ""
        self._last_line_at = tracker.began_at

    async def show(self) -> None:
        """Go on until cancelled."""
        if self._is_gone:
            return
        if self._console.is_terminal:
            await self._show_pictures()
        while not self._is_gone:
            await self._print_lines()
            await anyio.sleep(DRAW_S)

    async def _show_pictures(self) -> None:
        live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        await self._write(live.start)
        try:
            while not self._is_gone:
                picture = render_totals(self._tracker.count_totals(), seconds=self._tracker.seconds)
                await self._write(lambda picture=picture: live.update(picture, refresh=True))
                await anyio.sleep(DRAW_S)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._write(live.stop)

    async def _print_lines(self) -> None:
        totals = self._tracker.count_totals()
        if totals.reason and totals.reason != self._printed_reason:
            self._printed_reason = totals.reason
            await self._print(describe_ending(totals) + describe_second_interrupt())
        elif time.monotonic() - self._last_line_at >= self._line_s:
            self._last_line_at = time.monotonic()
            await self._print(summarise_in_line(totals))

    async def _print(self, text: str) -> None:
        await self._write(lambda: self._console.print(Text(text), soft_wrap=True))

    async def _write(self, write: Callable[[], object]) -> None:
        """In a thread: a terminal that takes nothing must not hold up the run. One that fails gets nothing more."""
        try:
            await anyio.to_thread.run_sync(write, abandon_on_cancel=True, limiter=self._threads)
        except (Exception, SystemExit):  # noqa: BLE001  a terminal that went away: rich makes an exit of it
            self._is_gone = True
