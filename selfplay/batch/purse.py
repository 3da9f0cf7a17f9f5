"""What a run has used, over all its sessions, against its budget; and the model that pays from it."""

from dataclasses import dataclass, field

from selfplay.batch.drain import Drain
from selfplay.batch.settings import Budget
from selfplay.batch.tally import Prices
from selfplay.config import RunConfig, SeatConfig
from selfplay.errors import ConfigError
from selfplay.journal import Seat
from selfplay.models.prices import Price, cost_usd
from selfplay.models.protocol import Model, Reply, Request, Usage

BUDGET = "the budget is used up"
"""How the reason of a run begins that ended for it."""


@dataclass(slots=True)
class Purse:
    """Money and tokens of a run, of this worker and of what others had used before it began."""

    budget: Budget
    cost_usd: float = 0.0
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    """Of this worker."""
    in_flight: int = 0
    """Calls that were made and not answered yet."""

    def pay(self, usage: Usage, price: Price | None) -> None:
        """Take what a call cost."""
        self.calls += 1
        self.usage += usage
        self.cost_usd += 0.0 if price is None else cost_usd(usage, price)

    def lacking(self) -> str | None:
        """Which limit of the budget is reached, in words; None as long as none is."""
        if self.budget.cost_usd is not None and self.cost_usd >= self.budget.cost_usd:
            return f"{BUDGET}: {self.cost_usd:.4f} USD of {self.budget.cost_usd:g} USD spent"
        if self.budget.tokens is not None and self.usage.total_tokens >= self.budget.tokens:
            return f"{BUDGET}: {self.usage.total_tokens:,} tokens of {self.budget.tokens:,} used"
        return None


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
        if lacking := self.purse.lacking():
            self.drain.begin(lacking)
        self.drain.check()
        self.purse.in_flight += 1
        try:
            reply = await self.model.complete(request)
        finally:
            self.purse.in_flight -= 1
        self.purse.pay(reply.usage, self.price)
        return reply

    async def aclose(self) -> None:
        """Close the model."""
        await self.model.aclose()


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
