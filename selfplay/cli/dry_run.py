"""`selfplay batch --dry-run N`: play a few units for real, and say what the others will take."""

from collections.abc import Callable
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from selfplay.batch.episode_tally import unpriced_seats
from selfplay.batch.progress.estimate import EstimateRange, RunEstimate, estimate_rest, measure_units, sample_evenly
from selfplay.batch.progress.figures import format_count, format_dollars, format_duration
from selfplay.batch.run import RunSession
from selfplay.batch.settings import BudgetLimits
from selfplay.batch.start import RunOrder, open_run

FEW = 20
"""Units below which a range says little."""


def sample_of(order: RunOrder, number: int) -> RunOrder:
    """The same order for so many of its tasks, evenly from the first to the last, each once."""
    few = order.settings.model_copy(update={"samples": 1})
    return replace(order, tasks=sample_evenly(order.tasks, number), settings=few)


def estimate_of(order: RunOrder) -> RunEstimate:
    """What is left of an order, as far as its units tell that have come to an end. Plays nothing.

    Raises ConfigError, RunError, StorageError, as a start of the run would.
    """
    opening = open_run(order)
    ended = opening.ledgers.units
    episodes = [episode for line in ended.values() for episode in line.episodes]
    measured = measure_units(order.folder, ended.values(), opening.prices) if episodes else []
    known = RunEstimate(
        measured=len(measured),
        left=sum(unit.id not in ended for unit in opening.units),
        spent_usd=sum(episode.cost_usd for episode in episodes),
        spent_tokens=sum(episode.usage.total_tokens for episode in episodes),
        unpriced=unpriced_seats(order.config),
    )
    return estimate_rest(known, measured, order.settings)


def announce_sample(number: int, console: Console) -> None:
    """Say what is about to happen."""
    attempts = "1 attempt is" if number == 1 else f"{number} attempts are"
    console.print(
        f"{attempts} played for real, kept as part of the run, and paid for; the others are estimated from them"
    )


def print_estimate(known: RunEstimate, session: RunSession | None, budget: BudgetLimits, console: Console) -> None:
    """The estimate, for people."""
    if session is not None and (session.reason or session.failed):
        why = session.reason or next(iter(session.failed.values()))
        console.print(Text(f"the sample did not come to its end: {why}", style="yellow"))
    if known.cost_usd is None or known.tokens is None or known.calls is None or known.wall_s is None:
        nothing = "no attempt was played to its end: nothing to estimate from"
        console.print(nothing if known.left else "nothing is left to play")
        return
    console.print(f"{known.left:,} attempts left, as {known.measured:,} that ended tell:")
    console.print(_estimate_table(known.cost_usd, known.tokens, known.calls, known.wall_s))
    for note in _estimate_notes(known, known.cost_usd, known.tokens, budget):
        console.print(Text(note, style="yellow"))


def _estimate_table(cost: EstimateRange, tokens: EstimateRange, calls: EstimateRange, wall: EstimateRange) -> Table:
    table = Table("", "low", "expected", "high", box=None)
    rows: tuple[tuple[str, EstimateRange, Callable[[float], str]], ...] = (
        ("money", cost, format_dollars),
        ("tokens", tokens, format_count),
        ("calls", calls, format_count),
        ("time", wall, format_duration),
    )
    for name, value, written in rows:
        table.add_row(name, written(value.low), written(value.expected), written(value.high))
    return table


def _estimate_notes(known: RunEstimate, cost: EstimateRange, tokens: EstimateRange, budget: BudgetLimits) -> list[str]:
    notes = [f"the time hangs on {known.bound_by}; it goes by the clock of these attempts, waits included"]
    if known.unpriced:
        notes.append(f"money is without the {' and the '.join(known.unpriced)}, whose price is not known")
    if known.measured < FEW:
        notes.append(f"{known.measured} attempts say little of the range; --dry-run {FEW} says more")
    if budget.cost_usd is not None and known.spent_usd + cost.expected > budget.cost_usd:
        notes.append(
            f"the budget of {format_dollars(budget.cost_usd)} is expected to end the run before its last attempt"
        )
    if budget.tokens is not None and known.spent_tokens + tokens.expected > budget.tokens:
        notes.append(
            f"the budget of {format_count(budget.tokens)} tokens is expected to end the run before its last attempt"
        )
    return notes
