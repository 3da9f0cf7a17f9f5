"""From a configuration to models that play: opened once, shared by all episodes, closed at the end."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from selfplay.config import RunConfig, SeatConfig
from selfplay.errors import ConfigError, JournalError, ScriptError
from selfplay.events import Seat, read_events
from selfplay.hiding import is_journal
from selfplay.journal import Journal
from selfplay.models.around import ON_SEND, telling
from selfplay.models.heuristic import HeuristicJudge, HeuristicPlayer, HeuristicSupervisor
from selfplay.models.prices import FREE, Price, price_of
from selfplay.models.protocol import Model, Reply, Request
from selfplay.models.recorded import RecordedModel
from selfplay.models.retry import CLOCK, Clock, Policy, Retry, complete
from selfplay.models.scripted import ScriptedModel
from selfplay.stage import Seats

HEURISTIC: dict[Seat, Callable[[], Model]] = {
    "player": HeuristicPlayer,
    "supervisor": HeuristicSupervisor,
    "judge": HeuristicJudge,
}
KINDS = "openai:NAME, heuristic, scripted:FILE, recorded:DIR"


@dataclass(frozen=True, slots=True)
class Role:
    """A seat with the model that fills it."""

    seat: Seat
    model: Model
    policy: Policy
    price: Price | None
    clock: Clock = CLOCK

    async def ask(self, journal: Journal, request: Request) -> Reply:
        """A reply, after as many tries as it takes; each failed one is noted in the journal."""
        note = partial(self._note, journal)
        with telling(ON_SEND, journal.sent):
            return await complete(self.model, request, self.policy, on_retry=note, clock=self.clock)

    def _note(self, journal: Journal, retry: Retry) -> None:
        journal.retried(self.seat, retry.attempt, str(retry.error), retry.wait_s)


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody who can play."""

    player: Role
    supervisor: Role | None
    judge: Role | None = None

    def seats(self, journal: Journal, *, is_supervised: bool) -> Seats:
        """Who plays one episode."""
        supervisor = self.supervisor if is_supervised else None
        judge = self.judge if is_supervised else None
        return Seats(
            player=partial(self.player.ask, journal),
            supervisor=partial(supervisor.ask, journal) if supervisor else None,
            judge=partial(judge.ask, journal) if judge else None,
            player_price=self.player.price,
            supervisor_price=supervisor.price if supervisor else None,
            judge_price=judge.price if judge else None,
        )


Make = Callable[[Seat, SeatConfig], Model]
"""Makes the model that a seat's configuration names. Raises ConfigError."""


def _as_it_is(role: Role) -> Role:
    return role


@asynccontextmanager
async def open_cast(
    config: RunConfig, make: Make | None = None, dress: Callable[[Role], Role] = _as_it_is
) -> AsyncGenerator[Cast]:
    """The models of a configuration. Raises ConfigError before anything is asked of them.

    `make` makes them in another way than `model_of`; `dress` may put something around each.
    """
    async with AsyncExitStack() as stack:

        def opened(seat: Seat, seat_config: SeatConfig) -> Role:
            made = dress(role(seat, seat_config, config, make))
            stack.push_async_exit(partial(_close, made.model))
            return made

        player = opened("player", config.player)
        if config.hints.policy == "never":
            yield Cast(player, None)
            return
        supervisor = opened("supervisor", config.supervisor)
        yield Cast(player, supervisor, opened("judge", config.judge) if config.judge else None)


async def _close(model: Model, _: object, error: BaseException | None, __: object) -> None:
    """Close a model; its complaint about unused lines of a script does not stand in front of an earlier error."""
    try:
        await model.aclose()
    except ScriptError:
        if error is None:
            raise


def role(seat: Seat, config: SeatConfig, run: RunConfig, make: Make | None = None) -> Role:
    """A seat's model. Raises ConfigError for an unknown model, a missing key, or a limit without a price."""
    price = price_for(config)
    if price is None and run.limits.cost_usd is not None:
        raise ConfigError(
            f"no price is known for the {seat}'s model {config.model_name!r}, so limits.cost_usd can't be kept; "
            f"give [{seat}.price] with input and output in US dollars per million tokens"
        )
    return Role(seat, (make or model_of)(seat, config), Policy(tries=config.tries), price)


def price_for(config: SeatConfig) -> Price | None:
    """What a seat's calls cost; None where nobody says it."""
    if config.price is not None:
        given = config.price
        cached = given.input if given.cached_input is None else given.cached_input
        return Price(input=given.input, cached_input=cached, output=given.output)
    if config.model.partition(":")[0] != "openai":
        return FREE
    return price_of(config.model_name, config.base_url)


def model_of(seat: Seat, config: SeatConfig) -> Model:
    """The model that a configuration names. Raises ConfigError."""
    kind, _, name = config.model.partition(":")
    match kind, bool(name):
        case "heuristic", False:
            return HEURISTIC[seat]()
        case "openai", True:
            return _openai(name, config)
        case "scripted", True:
            return ScriptedModel.from_file(Path(name))
        case "recorded", True:
            return recorded_in(Path(name))
        case _:
            raise ConfigError(f"unknown model {config.model!r} for the {seat}; use one of {KINDS}")


def _openai(name: str, config: SeatConfig) -> Model:
    from selfplay.models.openai import OpenAIModel  # noqa: PLC0415  takes most of a second that others need not wait

    return OpenAIModel(name, base_url=config.base_url, api_key_env=config.api_key_env, timeout_s=config.timeout_s)


def recorded_in(place: Path) -> RecordedModel:
    """The calls of one journal, or of every journal in a folder and below. Raises ConfigError."""
    paths = [place] if place.is_file() else [path for path in sorted(place.rglob("*.jsonl")) if is_journal(path)]
    replies = [found for path in paths for found in _replies(path)]
    if not replies:
        raise ConfigError(f"recorded:{place}: no journal with model calls there")
    return RecordedModel(replies, name=f"recorded:{place}")


def _replies(path: Path) -> Iterator[tuple[str, Reply]]:
    try:
        for event in read_events(path):
            if event["event"] == "call" and "reply" in event:
                yield event["key"], Reply.model_validate_json(orjson.dumps(event["reply"]))
    except JournalError as error:
        raise ConfigError(f"recorded:{path}: {error}") from error
