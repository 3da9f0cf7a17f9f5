"""What an episode cost and came to, counted from its journal's events: the same live, resumed, and read afterwards."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from selfplay.batch.ledger import EpisodeLine
from selfplay.config import RunConfig
from selfplay.core.errors import JournalError
from selfplay.core.trace import Trace
from selfplay.core.usage import Spending, Usage
from selfplay.episode.model_kinds import price_for
from selfplay.journal.events import Event, Seat
from selfplay.models.prices import Price, spending_of

Prices = Mapping[Seat, Price | None]


def prices_of(config: RunConfig) -> dict[Seat, Price | None]:
    """What the calls of each seat cost; None where it is not known."""
    seats: dict[Seat, Price | None] = {"player": price_for(config.player), "supervisor": price_for(config.supervisor)}
    return seats if config.judge is None else {**seats, "judge": price_for(config.judge)}


def unpriced_seats(config: RunConfig) -> tuple[Seat, ...]:
    """Seats that take part and whose calls have no known price."""
    is_supervised = config.hints.policy != "never"
    prices = prices_of(config)
    return tuple(seat for seat, price in prices.items() if price is None and (is_supervised or seat == "player"))


@dataclass(slots=True)
class EpisodeTally:
    """What was counted of one episode so far."""

    prices: Prices
    attempt: int = 1
    calls: int = 0
    retries: int = 0
    spent: Spending = field(default_factory=Spending)
    reusable_tokens: int = 0
    seconds: float = 0.0
    _last_calls: dict[Seat, tuple[int, int]] = field(default_factory=dict[Seat, tuple[int, int]])
    """Messages and input tokens of each seat's last call."""

    def consume(self, event: Event) -> None:
        """Count an event. Raises JournalError for one that is not as this program writes it."""
        try:
            self._count_event(event)
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            raise JournalError(f"an event that is not as it was written: {type(error).__name__}") from error

    def _count_event(self, event: Event) -> None:
        self.seconds += event.get("seconds", 0.0)
        match event["event"]:
            case "start":
                self.attempt = event.get("attempt", 1)
            case "retry":
                self.retries += 1
            case "call":
                self.calls += 1
                self._add_usage(event["seat"], event["messages"], event.get("reply", {}).get("usage"))
            case _:
                pass

    def _add_usage(self, seat: Seat, messages: int, used: Mapping[str, Any] | None) -> None:
        if used is None:
            return
        usage = Usage.model_validate_json(orjson.dumps(used))
        self.spent += spending_of(usage, self.prices.get(seat))
        sent, tokens = self._last_calls.get(seat, (0, 0))
        if seat != "judge" and sent <= messages:  # a conversation only grows: what was sent before is sent again
            self.reusable_tokens += min(tokens, usage.input_tokens)
        self._last_calls[seat] = (messages, usage.input_tokens)


def tally_of(events: Iterable[Event], prices: Prices) -> EpisodeTally:
    """All events of a journal, counted."""
    tally = EpisodeTally(prices)
    for event in events:
        tally.consume(event)
    return tally


def make_episode_line(trace: Trace, tally: EpisodeTally, path: Path, root: Path) -> EpisodeLine:
    """An episode that ended, as the ledger keeps it. `path` is its journal, `root` the run's folder."""
    if trace.stop is None:
        raise ValueError(f"{trace.episode} has not ended")
    judgements = [step.judgement for step in trace.steps]
    attempts = [attempt for judgement in judgements for attempt in judgement.attempts]
    return EpisodeLine(
        episode=trace.episode,
        path=path.relative_to(root).as_posix(),
        stop=trace.stop.reason,
        detail=trace.stop.detail.strip().rpartition("\n")[2][:300],
        stratum=trace.stratum,
        attempt=tally.attempt,
        steps=len(trace.steps),
        targets=len(trace.task.answer.all_goals),
        found=len(trace.found_targets),
        hints=sum(judgement.hint is not None for judgement in judgements),
        refused=sum(bool(attempt.findings) for attempt in attempts),
        missing_verdicts=sum(judgement.missing is not None for judgement in judgements),
        qualities=Counter(j.verdict.quality for j in judgements if j.verdict is not None),
        tools=Counter(call.name for step in trace.steps for call in step.action.tool_calls),
        calls=tally.calls,
        retries=tally.retries,
        usage=tally.spent.usage,
        reusable_tokens=tally.reusable_tokens,
        cost_usd=tally.spent.cost_usd,
        seconds=round(tally.seconds, 6),
        digest=trace.digest,
    )
