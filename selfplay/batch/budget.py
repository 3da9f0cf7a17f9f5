"""The budget of a run: where it is counted and enforced, over all sessions and workers.

`[batch.budget]` of the configuration sets the limits (`settings.BudgetLimits`). `BudgetLedger` holds what was spent and
what calls in flight may still take; `BudgetedModel` wraps each seat's model and makes a call only where the budget has
room; `OtherWorkersSpending` reads what other workers spend from their heartbeats. At a start `start.load_budget_ledger`
counts what earlier sessions spent. `time_s`, the limit of one session's time, is `graceful_stop.stop_after`. On a Ray
cluster the driver adds up the actors (`ray.fleet`).

A call is made only where the budget has room for it and for all that are in flight. Each is taken to cost as much as
the most expensive one so far, and all together no less than their requests say
(`selfplay.models.token_counts.predict_usage`), so the first ones are bounded too. A call that is alone in flight is
made whatever its request says, which is only an estimate.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import anyio

from selfplay.batch.episode_tally import Prices
from selfplay.batch.graceful_stop import BUDGET_REASON, GracefulStop
from selfplay.batch.heartbeat import BEAT_S, read_worker_state
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BudgetLimits
from selfplay.config import RunConfig, SeatConfig
from selfplay.core.errors import ConfigError
from selfplay.core.usage import Spending
from selfplay.episode.model_kinds import model_kind_of
from selfplay.journal.events import Seat
from selfplay.models.prices import Price, spending_of
from selfplay.models.protocol import Model, ModelReply, ModelRequest
from selfplay.models.token_counts import predict_usage


@dataclass(frozen=True, slots=True)
class BudgetAmount:
    """Money and tokens, as budgets limit them; of what is expected, fractions of a token too."""

    cost_usd: float = 0.0
    tokens: float = 0.0

    def __add__(self, other: "BudgetAmount") -> "BudgetAmount":
        """Both together."""
        return BudgetAmount(self.cost_usd + other.cost_usd, self.tokens + other.tokens)

    def __sub__(self, other: "BudgetAmount") -> "BudgetAmount":
        """The difference of each; at least 0."""
        return BudgetAmount(max(0.0, self.cost_usd - other.cost_usd), max(0.0, self.tokens - other.tokens))

    def scaled(self, factor: float) -> "BudgetAmount":
        """So many times each."""
        return BudgetAmount(factor * self.cost_usd, factor * self.tokens)

    def max_with(self, other: "BudgetAmount") -> "BudgetAmount":
        """The larger of each."""
        return BudgetAmount(max(self.cost_usd, other.cost_usd), max(self.tokens, other.tokens))


def amount_of(spent: Spending) -> BudgetAmount:
    """What it takes of a budget."""
    return BudgetAmount(spent.cost_usd, spent.usage.total_tokens)


@dataclass(slots=True)
class BudgetLedger:
    """Money and tokens of a run: of this worker, and of all workers before it began."""

    budget: BudgetLimits
    spent: Spending = field(default_factory=Spending)
    calls: int = 0
    """Calls of this worker."""
    in_flight: int = 0
    """Calls that were made and not answered yet."""
    reserved: BudgetAmount = BudgetAmount()
    """What the calls in flight take, as far as their requests say."""
    own: BudgetAmount = BudgetAmount()
    """Spent by this worker in this session."""
    others: BudgetAmount = BudgetAmount()
    """Spent by other workers since this one began, as of their last heartbeats."""
    costliest: BudgetAmount = BudgetAmount()
    """The most that one call took so far."""
    _call_finished: anyio.Event | None = None
    """Made by the first task that waits for it."""

    def charge(self, spent: Spending) -> None:
        """Count what a call cost."""
        amount = amount_of(spent)
        self.calls += 1
        self.spent += spent
        self.own += amount
        self.costliest = self.costliest.max_with(amount)

    def add_earlier(self, spent: Spending, calls: int) -> None:
        """Count what an episode cost before this worker began. Its calls grew: the last cost about twice the mean."""
        self.spent += spent
        if calls:
            self.costliest = self.costliest.max_with(amount_of(spent).scaled(2 / calls))

    def estimate_call(self, request: ModelRequest, price: Price | None) -> BudgetAmount:
        """What a call takes as far as its request says; nothing where neither money nor tokens are limited."""
        if self.budget.cost_usd is None and self.budget.tokens is None:
            return BudgetAmount()
        return amount_of(spending_of(predict_usage(request), price))

    def explain_shortage(self, call: BudgetAmount = BudgetAmount()) -> str | None:
        """Which limit leaves no room for one more such call, in words; None while there is room."""
        need = self._max_cost_with(call)
        usd, limit_usd = self.spent.cost_usd + self.others.cost_usd, self.budget.cost_usd
        if limit_usd is not None and _is_over(usd, need.cost_usd, limit_usd):
            more = "" if usd >= limit_usd else f", and a call may cost {self.costliest.cost_usd:.4f}"
            return f"{BUDGET_REASON}: {usd:.4f} USD of {limit_usd:g} USD spent{more}"
        tokens, limit = self.spent.usage.total_tokens + self.others.tokens, self.budget.tokens
        if limit is not None and _is_over(tokens, need.tokens, limit):
            more = "" if tokens >= limit else f", and a call may take {self.costliest.tokens:,.0f}"
            return f"{BUDGET_REASON}: {tokens:,.0f} tokens of {limit:,} used{more}"
        return None

    def _max_cost_with(self, call: BudgetAmount) -> BudgetAmount:
        """What this call and all in flight may cost at most."""
        if not self.in_flight:
            return self.costliest
        calls = self.in_flight + 1
        return (self.reserved + call).max_with(self.costliest.scaled(calls))

    def start_call(self, call: BudgetAmount) -> None:
        """Count a call as in flight, and reserve what it is expected to take."""
        self.in_flight += 1
        self.reserved += call

    def finish_call(self, call: BudgetAmount) -> None:
        """Release what was reserved for a call, however it ended."""
        self.in_flight -= 1
        self.reserved = self.reserved - call if self.in_flight else BudgetAmount()  # sums of money are not exact
        if self._call_finished is not None:
            self._call_finished.set()
            self._call_finished = None

    async def wait_for_finished_call(self) -> None:
        """Wait until a call that is in flight has come back."""
        if self._call_finished is None:
            self._call_finished = anyio.Event()
        await self._call_finished.wait()


def _is_over(spent: float, need: float, limit: float) -> bool:
    return spent >= limit or spent + need > limit


@dataclass(frozen=True, slots=True)
class BudgetedModel:
    """A model that is called only while the run goes on and its budget lasts; each call is charged to the budget."""

    model: Model
    price: Price | None
    budget_ledger: BudgetLedger
    graceful_stop: GracefulStop

    @property
    def name(self) -> str:
        """The model's own."""
        return self.model.name

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer once. Raises RunEnding instead where the run is ending, or the budget is used up."""
        call = self.budget_ledger.estimate_call(request, self.price)
        await self._wait_for_room(call)
        self.budget_ledger.start_call(call)
        try:
            reply = await self.model.complete(request)
            self.budget_ledger.charge(spending_of(reply.usage, self.price))
        finally:
            self.budget_ledger.finish_call(call)
        return reply

    async def _wait_for_room(self, call: BudgetAmount) -> None:
        """Calls in flight may cost less than assumed: the budget is used up only when none is in flight any more."""
        self.graceful_stop.raise_if_begun()
        while lacking := self.budget_ledger.explain_shortage(call):
            if not self.budget_ledger.in_flight:
                self.graceful_stop.begin(lacking)
            self.graceful_stop.raise_if_begun()
            await self.budget_ledger.wait_for_finished_call()
        self.graceful_stop.raise_if_begun()

    async def aclose(self) -> None:
        """Close the model."""
        await self.model.aclose()


class OtherWorkersSpending:
    """What other workers of a run spend from now on. Blocking.

    Make it before what was spent until now is counted: a call in between is then counted twice, and none is missed.
    """

    def __init__(self, folder: RunFolder, worker: str) -> None:
        self._folder, self._worker = folder.workers, worker
        self._initial_costs = dict(self._read_costs())

    def total(self) -> BudgetAmount:
        """As of their last heartbeats: what a killed worker spent in its last seconds is missing."""
        return sum(
            (now - self._initial_costs.get(worker, BudgetAmount()) for worker, now in self._read_costs()),
            BudgetAmount(),
        )

    def _read_costs(self) -> Iterator[tuple[str, BudgetAmount]]:
        for path in sorted(self._folder.glob("*.json")):
            state = read_worker_state(path) if path.stem != self._worker else None
            if state is not None:
                yield path.stem, _parse_cost(state.get("spent"))


def _parse_cost(value: object) -> BudgetAmount:
    values = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    usd, tokens = values.get("cost_usd"), values.get("tokens")
    return BudgetAmount(*(float(v) if isinstance(v, int | float) else 0.0 for v in (usd, tokens)))


async def track_other_workers(others: OtherWorkersSpending, budget_ledger: BudgetLedger) -> None:
    """Update a budget ledger with what others spend, until cancelled: at most 2 BEAT_S behind them."""
    while True:
        budget_ledger.others = await anyio.to_thread.run_sync(others.total)
        await anyio.sleep(BEAT_S)


def require_prices(config: RunConfig, prices: Prices, budget: BudgetLimits) -> None:
    """Raises ConfigError for a seat whose kind or price is not known, where an unknown price is not to be ignored."""
    seats: dict[Seat, SeatConfig | None] = {"player": config.player, "judge": config.judge}
    if config.hints.policy != "never":
        seats["supervisor"] = config.supervisor
    for seat, seat_config in seats.items():
        if seat_config is not None and prices.get(seat) is None and budget.unknown_price == "error":
            model_kind_of(seat, seat_config)
            raise ConfigError(
                f"no price is known for the {seat}'s model {seat_config.model_name!r}; give [{seat}.price] with input "
                "and output in US dollars per million tokens (0 for a server of your own), or say "
                'unknown_price = "ignore" in [batch.budget]'
            )
