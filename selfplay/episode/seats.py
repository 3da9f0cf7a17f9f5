"""The models of a configuration's seats: opened once, shared by all episodes, closed at the end."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from selfplay.config import RunConfig, SeatConfig
from selfplay.core.errors import ConfigError, ScriptError
from selfplay.episode.episode_setup import Seats
from selfplay.episode.model_kinds import ModelFactory, model_from_config, model_kind_of, price_for
from selfplay.journal.events import Seat
from selfplay.models.prices import Price
from selfplay.models.protocol import ON_RETRY, Model, ModelReply, ModelRequest
from selfplay.models.retry import CLOCK, Clock, FailedAttempt, RetryPolicy, complete_with_retries


@dataclass(frozen=True, slots=True)
class SeatModel:
    """A seat with the model that fills it."""

    seat: Seat
    model: Model
    policy: RetryPolicy
    price: Price | None
    clock: Clock = CLOCK

    async def ask(self, request: ModelRequest) -> ModelReply:
        """A reply, after as many attempts as it takes; `ON_RETRY` is called after each failed one."""
        return await complete_with_retries(
            self.model, request, self.policy, on_retry=self._report_retry, clock=self.clock
        )

    def _report_retry(self, retry: FailedAttempt) -> None:
        if (hook := ON_RETRY.get()) is not None:
            hook(self.seat, retry.attempt, str(retry.error), retry.wait_s)


@dataclass(frozen=True, slots=True)
class SeatModels:
    """The seats that are filled."""

    player: SeatModel
    supervisor: SeatModel | None
    judge: SeatModel | None = None

    def make_seats(self, *, is_supervised: bool) -> Seats:
        """The seats of one episode."""
        supervisor = self.supervisor if is_supervised else None
        judge = self.judge if is_supervised else None
        return Seats(
            player=self.player.ask,
            supervisor=supervisor.ask if supervisor else None,
            judge=judge.ask if judge else None,
            player_price=self.player.price,
            supervisor_price=supervisor.price if supervisor else None,
            judge_price=judge.price if judge else None,
        )


def _keep_unwrapped(seat_model: SeatModel) -> SeatModel:
    return seat_model


@asynccontextmanager
async def open_seat_models(
    config: RunConfig,
    make_model: ModelFactory = model_from_config,
    wrap: Callable[[SeatModel], SeatModel] = _keep_unwrapped,
) -> AsyncGenerator[SeatModels]:
    """The models of a configuration. Raises ConfigError before anything is asked of them.

    `make_model` makes each model; `wrap` may put something around it.
    """
    async with AsyncExitStack() as stack:

        def open_seat(seat: Seat, seat_config: SeatConfig) -> SeatModel:
            made = wrap(make_seat_model(seat, seat_config, config, make_model))
            stack.push_async_exit(partial(_close_model, made.model))
            return made

        player = open_seat("player", config.player)
        if config.hints.policy == "never":
            yield SeatModels(player, None)
            return
        supervisor = open_seat("supervisor", config.supervisor)
        yield SeatModels(player, supervisor, open_seat("judge", config.judge) if config.judge else None)


async def _close_model(model: Model, _: object, error: BaseException | None, __: object) -> None:
    """Close a model; unused lines of its script are an error only where there was no other."""
    try:
        await model.aclose()
    except ScriptError:
        if error is None:
            raise


def make_seat_model(
    seat: Seat, config: SeatConfig, run: RunConfig, make_model: ModelFactory = model_from_config
) -> SeatModel:
    """A seat's model. Raises ConfigError for an unknown model, a missing key, or a limit without a price."""
    model_kind_of(seat, config)
    price = price_for(config)
    if price is None and run.limits.cost_usd is not None:
        raise ConfigError(
            f"no price is known for the {seat}'s model {config.model_name!r}, so limits.cost_usd can't be kept; "
            f"give [{seat}.price] with input and output in US dollars per million tokens"
        )
    return SeatModel(seat, make_model(seat, config), RetryPolicy(tries=config.tries), price)
