"""A run for people: a few lines on a terminal, or one line."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from selfplay.batch.progress.figures import (
    format_count,
    format_dollars,
    format_duration,
    format_share,
    format_share_of,
    label_of,
    outcome_label,
)
from selfplay.batch.progress.results import UNGRADED, Outcomes, reused_share
from selfplay.batch.progress.status import RunTotals, ServerStatus, WorkerStatus
from selfplay.core.terminal_text import sanitize
from selfplay.core.trace import StopReason

MAX_SERVERS = 5
"""Servers that are shown, the slowest."""
MAX_TROUBLES = 3
"""Units that are shown with why they are parked or failed, and models' errors."""
BAR_WIDTH = 40


def render_totals(totals: RunTotals, *, seconds: float | None = None, is_full: bool = False) -> RenderableType:
    """All of it. `seconds`: how long this session has lasted; `is_full`: with what is of interest afterwards."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, content in _render_rows(totals, seconds):
        grid.add_row(label, content)
    if is_full:
        for label, content in _render_final_rows(totals):
            grid.add_row(label, content)
    return Group(_render_bar(totals), grid)


def summarise_in_line(totals: RunTotals) -> str:
    """The most important of it."""
    units, results = totals.units, totals.results
    parts = [
        f"{units.ended} of {units.all} ended",
        f"{results.found} found ({format_share(results.found_share)})",
        f"{units.running} running",
    ]
    parts += [f"{n} {name}" for name, n in _count_troubles(totals).items() if n]
    if totals.steps_per_minute is not None:
        parts.append(f"{format_count(totals.steps_per_minute)} steps/min")
    parts.append(f"{format_count(totals.usage.total_tokens)} tokens")
    if totals.cost_usd:
        parts.append(format_dollars(totals.cost_usd))
    if totals.eta_s is not None:
        parts.append(f"{format_duration(totals.eta_s)} to go")
    return ", ".join(parts)


def describe_ending(totals: RunTotals) -> str:
    """What is said when a run is being ended."""
    return f"{totals.reason}: {totals.in_flight} calls in flight are finished and written, then it ends"


def describe_second_interrupt() -> str:
    """What the next Ctrl-C does then."""
    return "; Ctrl-C now leaves at once"


def _render_bar(totals: RunTotals) -> RenderableType:
    units = totals.units
    done = units.ended + units.unusable
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(sanitize(totals.folder), style="bold"),
        ProgressBar(total=max(1, units.all), completed=done, width=BAR_WIDTH),
        Text(f"{done:,} of {units.all:,}"),
    )
    return grid


def _render_rows(totals: RunTotals, seconds: float | None) -> Iterator[tuple[str, RenderableType]]:
    if totals.reason:
        more = describe_second_interrupt() if seconds is not None else ""
        text = describe_ending(totals) + more if totals.is_running else totals.reason
        yield "ending", Text(sanitize(text), style="yellow")
    yield "attempts", _render_states(totals)
    yield "outcomes", _render_outcomes(totals.results.outcomes, totals.results.units)
    for why, number in list(totals.results.model_errors.items())[:MAX_TROUBLES]:
        yield "model error", Text(sanitize(f"{number:,} ended with: {why}"), style="yellow")
    yield "pace", _render_pace(totals, seconds)
    yield "tokens", _render_tokens(totals)
    yield "money", _render_money(totals)
    if totals.results.retries:
        yield "retries", Text(f"{totals.results.retries:,} attempts at calls failed and were made again")
    for server in totals.servers[:MAX_SERVERS]:
        yield "server", _render_server(server)
    if len(totals.workers) > 1 or any(not w.is_alive and not w.has_left for w in totals.workers):
        for worker in totals.workers:
            yield "worker", _render_worker(worker)
    for kind, reasons in (("parked", totals.parked), ("failed", totals.failed), ("unusable", totals.unusable)):
        for unit, why in list(reasons.items())[:MAX_TROUBLES]:
            yield kind, Text(sanitize(f"{unit}: {_last_line(why)}"), style="yellow")
        if len(reasons) > MAX_TROUBLES:
            yield "", Text(f"and {len(reasons) - MAX_TROUBLES:,} more {kind}", style="dim")


def _render_states(totals: RunTotals) -> Text:
    units = totals.units
    text = f"{units.running:,} running, {units.waiting:,} waiting, {units.ended:,} ended"
    return Text(text + "".join(f", {n:,} {name}" for name, n in _count_troubles(totals).items() if n))


def _count_troubles(totals: RunTotals) -> dict[str, int]:
    units = totals.units
    return {"parked": units.parked, "failed": units.failed, "unusable": units.unusable}


def _render_outcomes(outcomes: Outcomes, units: int) -> Text:
    if not units:
        return Text("none yet", style="dim")
    parts: list[tuple[str, str]] = []
    for reason, number in outcomes.items():
        style = "bold green" if reason is StopReason.FOUND else ""
        parts.append((f"{outcome_label(reason)} {number:,} ({format_share_of(number, units)})", style))
    return Text(", ").join(Text(*part) for part in parts)


def _render_pace(totals: RunTotals, seconds: float | None) -> Text:
    parts: list[str] = []
    if totals.units_per_minute is not None:
        parts.append(
            f"{totals.units_per_minute:,.1f} attempts and {format_count(totals.steps_per_minute or 0)} steps a minute"
        )
    if totals.is_running:
        parts.append(f"{totals.in_flight} calls in flight")
        parts.append(
            f"about {format_duration(totals.eta_s)} to go" if totals.eta_s is not None else "no end in sight yet"
        )
    elif seconds is None:
        parts.append("nobody plays now")
    if seconds is not None:
        parts.append(f"{format_duration(seconds)} so far")
    return Text(", ".join(parts))


def _render_tokens(totals: RunTotals) -> Text:
    usage, results = totals.usage, totals.results
    about = "about " if usage.is_approximate else ""
    text = f"{about}{format_count(usage.input_tokens)} in, {format_count(usage.output_tokens)} out"
    text += f"; {format_share(reused_share(usage))} of the input reused from a cache"
    if results.reusable_share is not None:
        text += f", {format_share(results.reusable_share)} could be"
    return Text(text)


def _render_money(totals: RunTotals) -> Text:
    text = format_dollars(totals.cost_usd)
    if totals.projected_usd is not None and totals.units.left:
        text += f", about {format_dollars(totals.projected_usd)} when all have ended"
    if totals.results.cost_per_found_usd:
        text += f"; {format_dollars(totals.results.cost_per_found_usd)} for each found"
    if totals.unpriced:
        text += f"; without the {' and the '.join(totals.unpriced)}, whose price is not known"
    return Text(text)


def _render_server(server: ServerStatus) -> Text:
    parts = [f"{server.seat} {server.url}".strip(), f"{server.in_flight} of {server.limit} in flight"]
    if server.latency_p50_s is not None and server.latency_p95_s is not None:
        parts.append(f"{server.latency_p50_s:.1f} s, slow ones {server.latency_p95_s:.1f} s")
    if server.waiting or server.waited_s:
        parts.append(f"{server.waiting} wait, {format_duration(server.waited_s)} waited in all")
    if server.rate_limited:
        parts.append(f"said {server.rate_limited:,} times to slow down")
    if server.failures:
        parts.append(f"{server.failures:,} failures")
    if server.breaker != "closed":
        parts.append("out of reach" if server.breaker == "open" else "tried again now")
    is_well = server.breaker == "closed" and not server.paused_s
    return Text(sanitize(", ".join(parts)), style="" if is_well else "yellow")


def _render_worker(worker: WorkerStatus) -> Text:
    if worker.is_alive:
        return Text(sanitize(f"{worker.name}: {worker.running} running, {worker.calls:,} calls"))
    if worker.has_left:
        return Text(sanitize(f"{worker.name}: left" + (f", {worker.reason}" if worker.reason else "")), style="dim")
    return Text(sanitize(f"{worker.name}: dead, its last sign is {format_duration(worker.age_s)} old"), style="red")


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _render_final_rows(totals: RunTotals) -> Iterator[tuple[str, RenderableType]]:
    results = totals.results
    if not results.units:
        return
    yield (
        "steps",
        Text(f"{results.steps:,}, {results.hints:,} hints, {results.refused:,} proposals refused by the gate"),
    )
    for kind, groups in (("leak grade", results.grades), ("targets", results.targets)):
        if any(key != UNGRADED for key in groups):
            yield (
                kind,
                Text(
                    ", ".join(f"{label_of(str(key))}: {_format_share_found(counts)}" for key, counts in groups.items())
                ),
            )
    yield "tools", Text(sanitize(", ".join(f"{name} {number:,}" for name, number in results.tools.items())))


def _format_share_found(outcomes: Outcomes) -> str:
    units = sum(outcomes.values())
    return f"{format_share_of(outcomes.get(StopReason.FOUND, 0), units)} of {units:,}"
