"""`selfplay batch --dry-run N`: play a few units for real, and say what the others will take."""

from collections.abc import Callable
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from selfplay.batch.estimate import Estimate, Range, estimate, measure, spread
from selfplay.batch.figures import count, dollars, duration
from selfplay.batch.run import Session
from selfplay.batch.settings import Budget
from selfplay.batch.start import Order, open_run
from selfplay.batch.tally import unpriced_seats

FEW = 20
"""Units below which a range says little."""


def sample_of(order: Order, number: int) -> Order:
    """The same order for so many of its tasks, evenly from the first to the last, each once."""
    few = order.settings.model_copy(update={"samples": 1})
    return replace(order, tasks=spread(order.tasks, number), settings=few)


def estimate_of(order: Order) -> Estimate:
    """What is left of an order, as far as its units tell that have come to an end. Plays nothing.

    Raises ConfigError, RunError, StorageError, as a start of the run would.
    """
    opening = open_run(order)
    ended = opening.ledgers.units
    episodes = [episode for line in ended.values() for episode in line.episodes]
    measured = measure(order.folder, ended.values(), opening.prices) if episodes else []
    known = Estimate(
        measured=len(measured),
        left=sum(unit.id not in ended for unit in opening.units),
        spent_usd=sum(episode.cost_usd for episode in episodes),
        spent_tokens=sum(episode.usage.total_tokens for episode in episodes),
        unpriced=unpriced_seats(order.config),
    )
    return estimate(known, measured, order.settings)


def warn(number: int, console: Console) -> None:
    """Say what is about to happen."""
    attempts = "1 attempt is" if number == 1 else f"{number} attempts are"
    console.print(
        f"{attempts} played for real, kept as part of the run, and paid for; the others are estimated from them"
    )


def show(known: Estimate, session: Session | None, budget: Budget, console: Console) -> None:
    """The estimate, for people."""
    if session is not None and (session.reason or session.failed):
        why = session.reason or next(iter(session.failed.values()))
        console.print(Text(f"the sample did not come to its end: {why}", style="yellow"))
    if known.cost_usd is None or known.tokens is None or known.calls is None or known.wall_s is None:
        nothing = "no attempt was played to its end: nothing to estimate from"
        console.print(nothing if known.left else "nothing is left to play")
        return
    console.print(f"{known.left:,} attempts left, as {known.measured:,} that ended tell:")
    console.print(_table(known.cost_usd, known.tokens, known.calls, known.wall_s))
    for note in _notes(known, known.cost_usd, known.tokens, budget):
        console.print(Text(note, style="yellow"))


def _table(cost: Range, tokens: Range, calls: Range, wall: Range) -> Table:
    table = Table("", "low", "expected", "high", box=None)
    rows: tuple[tuple[str, Range, Callable[[float], str]], ...] = (
        ("money", cost, dollars),
        ("tokens", tokens, count),
        ("calls", calls, count),
        ("time", wall, duration),
    )
    for name, value, written in rows:
        table.add_row(name, written(value.low), written(value.expected), written(value.high))
    return table


def _notes(known: Estimate, cost: Range, tokens: Range, budget: Budget) -> list[str]:
    notes = [f"the time hangs on {known.bound_by}; it goes by the clock of these attempts, waits included"]
    if known.unpriced:
        notes.append(f"money is without the {' and the '.join(known.unpriced)}, whose price is not known")
    if known.measured < FEW:
        notes.append(f"{known.measured} attempts say little of the range; --dry-run {FEW} says more")
    if budget.cost_usd is not None and known.spent_usd + cost.expected > budget.cost_usd:
        notes.append(f"the budget of {dollars(budget.cost_usd)} is expected to end the run before its last attempt")
    if budget.tokens is not None and known.spent_tokens + tokens.expected > budget.tokens:
        notes.append(f"the budget of {count(budget.tokens)} tokens is expected to end the run before its last attempt")
    return notes
