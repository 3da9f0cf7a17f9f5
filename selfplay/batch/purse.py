"""What a run has used, over all its sessions and workers, against its budget; and the model that pays from it.

A call is made only where the budget has room for it and for all that are in flight, each taken to cost as much as the
dearest one so far, and all together no less than their requests say (`selfplay.models.usage.expected`): so the first
ones are bounded too. One that is alone in flight is made whatever its request says, which is but an estimate. What
other workers spend is known from their signs of life.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import anyio

from selfplay.batch.drain import Drain
from selfplay.batch.layout import RunFolder
from selfplay.batch.settings import Budget
from selfplay.batch.tally import Prices
from selfplay.batch.worker import BEAT_S, read_state
from selfplay.config import RunConfig, SeatConfig
from selfplay.errors import ConfigError
from selfplay.events import Seat
from selfplay.models.prices import Price, cost_usd
from selfplay.models.protocol import Model, Reply, Request, Usage
from selfplay.models.usage import expected

BUDGET = "the budget is used up"
"""How the reason of a run begins that ended for it."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Money and tokens."""

    cost_usd: float = 0.0
    tokens: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.cost_usd + other.cost_usd, self.tokens + other.tokens)

    def __sub__(self, other: "Spent") -> "Spent":
        """What is more of it; never less than nothing."""
        return Spent(max(0.0, self.cost_usd - other.cost_usd), max(0.0, self.tokens - other.tokens))

    def largest(self, other: "Spent") -> "Spent":
        """The larger of each."""
        return Spent(max(self.cost_usd, other.cost_usd), max(self.tokens, other.tokens))


@dataclass(slots=True)
class Purse:
    """Money and tokens of a run: of this worker, and of all workers before it began."""

    budget: Budget
    cost_usd: float = 0.0
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    """Of this worker."""
    in_flight: int = 0
    """Calls that were made and not answered yet."""
    promised: Spent = Spent()
    """What these take, as far as their requests say."""
    own: Spent = Spent()
    """By this worker in this session."""
    others: Spent = Spent()
    """By other workers since this one began, as far as it is known."""
    dearest: Spent = Spent()
    """What one call took at most."""
    _returned: anyio.Event | None = None
    """Made by the first who waits for it."""

    def pay(self, usage: Usage, price: Price | None) -> None:
        """Take what a call cost."""
        cost = Spent(0.0 if price is None else cost_usd(usage, price), usage.total_tokens)
        self.calls += 1
        self.usage += usage
        self.cost_usd += cost.cost_usd
        self.own += cost
        self.dearest = self.dearest.largest(cost)

    def remember(self, usage: Usage, cost_usd: float, calls: int) -> None:
        """Take what an episode cost before this worker began. Its calls grew, the last about twice the mean."""
        self.usage += usage
        self.cost_usd += cost_usd
        if calls:
            self.dearest = self.dearest.largest(Spent(2 * cost_usd / calls, 2 * usage.total_tokens / calls))

    def expected(self, request: Request, price: Price | None) -> Spent:
        """What a call takes as far as its request says; nothing where neither money nor tokens are limited."""
        if self.budget.cost_usd is None and self.budget.tokens is None:
            return Spent()
        usage = expected(request)
        return Spent(0.0 if price is None else cost_usd(usage, price), usage.total_tokens)

    def lacking(self, call: Spent = Spent()) -> str | None:
        """Which limit of the budget leaves no room for one more call like that, in words; None as long as none does."""
        need = self._need(call)
        usd, limit_usd = self.cost_usd + self.others.cost_usd, self.budget.cost_usd
        if limit_usd is not None and _is_over(usd, need.cost_usd, limit_usd):
            more = "" if usd >= limit_usd else f", and a call may cost {self.dearest.cost_usd:.4f}"
            return f"{BUDGET}: {usd:.4f} USD of {limit_usd:g} USD spent{more}"
        tokens, limit = self.usage.total_tokens + self.others.tokens, self.budget.tokens
        if limit is not None and _is_over(tokens, need.tokens, limit):
            more = "" if tokens >= limit else f", and a call may take {self.dearest.tokens:,.0f}"
            return f"{BUDGET}: {tokens:,.0f} tokens of {limit:,} used{more}"
        return None

    def _need(self, call: Spent) -> Spent:
        """What that call and all in flight may take."""
        if not self.in_flight:
            return self.dearest
        calls = self.in_flight + 1
        return (self.promised + call).largest(Spent(calls * self.dearest.cost_usd, calls * self.dearest.tokens))

    def go_out(self, call: Spent) -> None:
        """A call of which so much is expected is in flight."""
        self.in_flight += 1
        self.promised += call

    def come_back(self, call: Spent) -> None:
        """It is in flight no more, however it ended."""
        self.in_flight -= 1
        self.promised = self.promised - call if self.in_flight else Spent()  # sums of money are not exact
        if self._returned is not None:
            self._returned.set()
            self._returned = None

    async def until_one_is_back(self) -> None:
        """Wait until a call that is in flight has come back."""
        if self._returned is None:
            self._returned = anyio.Event()
        await self._returned.wait()


def _is_over(spent: float, need: float, limit: float) -> bool:
    return spent >= limit or spent + need > limit


@dataclass(frozen=True, slots=True)
class PayingModel:
    """A model that is asked only while the run goes on and its budget lasts, and whose calls are paid for."""

    model: Model
    price: Price | None
    purse: Purse
    drain: Drain

    @property
    def name(self) -> str:
        """The model's own."""
        return self.model.name

    async def complete(self, request: Request) -> Reply:
        """Answer once. Raises RunEnding instead where the run is being ended, or the budget is used up."""
        call = self.purse.expected(request, self.price)
        await self._until_there_is_room(call)
        self.purse.go_out(call)
        try:
            reply = await self.model.complete(request)
            self.purse.pay(reply.usage, self.price)
        finally:
            self.purse.come_back(call)
        return reply

    async def _until_there_is_room(self, call: Spent) -> None:
        """Calls in flight may turn out cheaper than feared: the budget is used up only when none is left."""
        self.drain.check()
        while lacking := self.purse.lacking(call):
            if not self.purse.in_flight:
                self.drain.begin(lacking)
            self.drain.check()
            await self.purse.until_one_is_back()
        self.drain.check()

    async def aclose(self) -> None:
        """Close the model."""
        await self.model.aclose()


class Others:
    """What other workers of a run spend from now on. Blocking.

    Make it before it is counted what was spent until now: a call in between is counted twice then, and none is missed.
    """

    def __init__(self, folder: RunFolder, worker: str) -> None:
        self._folder, self._worker = folder.workers, worker
        self._before = dict(self._told())

    def spent(self) -> Spent:
        """As far as they have told; a worker that was killed has not told of its last seconds."""
        return sum((now - self._before.get(worker, Spent()) for worker, now in self._told()), Spent())

    def _told(self) -> Iterator[tuple[str, Spent]]:
        for path in sorted(self._folder.glob("*.json")):
            state = read_state(path) if path.stem != self._worker else None
            if state is not None:
                yield path.stem, _spent(state.get("spent"))


def _spent(told: object) -> Spent:
    values = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    usd, tokens = values.get("cost_usd"), values.get("tokens")
    return Spent(*(float(v) if isinstance(v, int | float) else 0.0 for v in (usd, tokens)))


async def follow(others: Others, purse: Purse) -> None:
    """Keep a purse informed of what others spend, for ever: at most 2 BEAT_S behind them."""
    while True:
        purse.others = await anyio.to_thread.run_sync(others.spent)
        await anyio.sleep(BEAT_S)


def require_prices(config: RunConfig, prices: Prices, budget: Budget) -> None:
    """Raises ConfigError for a seat whose price is not known where money is counted and nobody said to ignore it."""
    seats: dict[Seat, SeatConfig | None] = {"player": config.player, "judge": config.judge}
    if config.hints.policy != "never":
        seats["supervisor"] = config.supervisor
    for seat, seat_config in seats.items():
        if seat_config is not None and prices.get(seat) is None and budget.unknown_price == "error":
            raise ConfigError(
                f"no price is known for the {seat}'s model {seat_config.model_name!r}; give [{seat}.price] with input "
                "and output in US dollars per million tokens (0 for a server of your own), or say "
                'unknown_price = "ignore" in [batch.budget]'
            )
