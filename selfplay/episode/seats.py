"""From a configuration to models that play: opened once, shared by all episodes, closed at the end."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from selfplay.config import RunConfig, SeatConfig
from selfplay.core.errors import ConfigError, JournalError, ScriptError
from selfplay.episode.episode_setup import Seats
from selfplay.journal.events import Seat, read_events
from selfplay.models.call_hooks import ON_RETRY
from selfplay.models.offline.heuristic import HeuristicJudge, HeuristicPlayer, HeuristicSupervisor
from selfplay.models.offline.recorded import RecordedModel
from selfplay.models.offline.scripted import ScriptedModel
from selfplay.models.prices import FREE, Price, price_of
from selfplay.models.protocol import Model, ModelReply, ModelRequest
from selfplay.models.retry import CLOCK, Clock, FailedAttempt, RetryPolicy, complete_with_retries
from selfplay.repos.hidden_files import is_journal

HEURISTIC_MODELS: dict[Seat, Callable[[], Model]] = {
    "player": HeuristicPlayer,
    "supervisor": HeuristicSupervisor,
    "judge": HeuristicJudge,
}
MODEL_KINDS = "openai:NAME, heuristic, scripted:FILE, recorded:DIR"


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
    """Everybody who can play."""

    player: SeatModel
    supervisor: SeatModel | None
    judge: SeatModel | None = None

    def make_seats(self, *, is_supervised: bool) -> Seats:
        """Who plays one episode."""
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


ModelFactory = Callable[[Seat, SeatConfig], Model]
"""Makes the model that a seat's configuration names. Raises ConfigError."""


def _keep_unwrapped(seat_model: SeatModel) -> SeatModel:
    return seat_model


@asynccontextmanager
async def open_seat_models(
    config: RunConfig, make_model: ModelFactory | None = None, wrap: Callable[[SeatModel], SeatModel] = _keep_unwrapped
) -> AsyncGenerator[SeatModels]:
    """The models of a configuration. Raises ConfigError before anything is asked of them.

    `make` makes them in another way than `model_of`; `dress` may put something around each.
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
    """Close a model; its complaint about unused lines of a script does not stand in front of an earlier error."""
    try:
        await model.aclose()
    except ScriptError:
        if error is None:
            raise


def make_seat_model(
    seat: Seat, config: SeatConfig, run: RunConfig, make_model: ModelFactory | None = None
) -> SeatModel:
    """A seat's model. Raises ConfigError for an unknown model, a missing key, or a limit without a price."""
    price = price_for(config)
    if price is None and run.limits.cost_usd is not None:
        raise ConfigError(
            f"no price is known for the {seat}'s model {config.model_name!r}, so limits.cost_usd can't be kept; "
            f"give [{seat}.price] with input and output in US dollars per million tokens"
        )
    return SeatModel(seat, (make_model or model_from_config)(seat, config), RetryPolicy(tries=config.tries), price)


def price_for(config: SeatConfig) -> Price | None:
    """What a seat's calls cost; None where nobody says it."""
    if config.price is not None:
        given = config.price
        cached = given.input if given.cached_input is None else given.cached_input
        return Price(input=given.input, cached_input=cached, output=given.output)
    if config.model.partition(":")[0] != "openai":
        return FREE
    return price_of(config.model_name, config.base_url)


def model_from_config(seat: Seat, config: SeatConfig) -> Model:
    """The model that a configuration names. Raises ConfigError."""
    kind, _, name = config.model.partition(":")
    match kind, bool(name):
        case "heuristic", False:
            return HEURISTIC_MODELS[seat]()
        case "openai", True:
            return _make_openai_model(name, config)
        case "scripted", True:
            return ScriptedModel.from_file(Path(name))
        case "recorded", True:
            return load_recorded_model(Path(name))
        case _:
            raise ConfigError(f"unknown model {config.model!r} for the {seat}; use one of {MODEL_KINDS}")


def _make_openai_model(name: str, config: SeatConfig) -> Model:
    from selfplay.models.openai.client import OpenAIModel  # noqa: PLC0415  takes most of a second that others need not wait

    return OpenAIModel(name, base_url=config.base_url, api_key_env=config.api_key_env, timeout_s=config.timeout_s)


def load_recorded_model(place: Path) -> RecordedModel:
    """The calls of one journal, or of every journal in a folder and below. Raises ConfigError."""
    paths = [place] if place.is_file() else [path for path in sorted(place.rglob("*.jsonl")) if is_journal(path)]
    replies = [found for path in paths for found in _read_replies(path)]
    if not replies:
        raise ConfigError(f"recorded:{place}: no journal with model calls there")
    return RecordedModel(replies, name=f"recorded:{place}")


def _read_replies(path: Path) -> Iterator[tuple[str, ModelReply]]:
    try:
        for event in read_events(path):
            if event["event"] == "call" and "reply" in event:
                yield event["key"], ModelReply.model_validate_json(orjson.dumps(event["reply"]))
    except JournalError as error:
        raise ConfigError(f"recorded:{path}: {error}") from error
