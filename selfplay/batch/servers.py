"""The servers of a run's seats, with their limits."""

from dataclasses import asdict, dataclass, field
from typing import Any

from selfplay.batch.settings import BatchSettings, EndpointSettings, SeatLimits
from selfplay.config import RunConfig, SeatConfig, key_names_in
from selfplay.core.errors import ConfigError
from selfplay.episode.model_kinds import find_offered_kind, model_from_config, price_for
from selfplay.journal.events import Seat
from selfplay.models.openai.endpoint import find_endpoint
from selfplay.models.pool.pooled_model import EndpointLimits, EndpointSpec, PooledModel
from selfplay.models.prices import price_of
from selfplay.models.protocol import Model
from selfplay.models.retry import CLOCK, Clock


@dataclass(slots=True)
class SeatServers:
    """Makes the models of a run, for `selfplay.episode.seats.open_seat_models`, and says how their servers do."""

    settings: BatchSettings
    clock: Clock = CLOCK
    pools: list[tuple[Seat, PooledModel]] = field(default_factory=list[tuple[Seat, PooledModel]])

    def make_model(self, seat: Seat, config: SeatConfig) -> Model:
        """A seat's model: on its servers and within their limits, where it has servers. Raises ConfigError."""
        if not _has_servers(config):
            return model_from_config(seat, config)
        limits = limits_of(self.settings, seat)
        bounds = EndpointLimits(limits.in_flight, limits.requests_per_minute, limits.tokens_per_minute)
        servers = [
            EndpointSpec(find_endpoint(at.base_url, at.api_key_env).url, model_from_config(seat, at), bounds)
            for at in (_at_endpoint(config, place) for place in limits.endpoints or (None,))
        ]
        pool = PooledModel(servers, self.clock)
        self.pools.append((seat, pool))
        return pool

    def describe(self) -> dict[str, Any]:
        """How the servers do, for a worker's heartbeat."""
        servers = [{"seat": seat, **asdict(stats)} for seat, pool in self.pools for stats in pool.stats()]
        return {"servers": servers, "key_names": list(key_names_in(self.settings.model_dump()))}

    @property
    def waiting_calls(self) -> int:
        """Calls that wait for their turn."""
        return sum(stats.waiting for _, pool in self.pools for stats in pool.stats())


def limits_of(settings: BatchSettings, seat: Seat) -> SeatLimits:
    """The limits of a seat's servers."""
    limits: dict[Seat, SeatLimits] = {
        "player": settings.player,
        "supervisor": settings.supervisor,
        "judge": settings.judge,
    }
    return limits[seat]


def require_one_price(config: RunConfig, settings: BatchSettings) -> None:
    """Raises ConfigError for a seat on servers of other prices than its own, where no `price` settles which holds."""
    seats: dict[Seat, SeatConfig | None] = {
        "player": config.player,
        "supervisor": config.supervisor,
        "judge": config.judge,
    }
    for seat, seat_config in seats.items():
        if seat_config is None or seat_config.price is not None or not _has_servers(seat_config):
            continue
        for place in limits_of(settings, seat).endpoints:
            if price_of(seat_config.model_name, place.base_url) != price_for(seat_config):
                raise ConfigError(
                    f"{place.base_url}: the price of {seat_config.model_name!r} there is not the one that [{seat}] "
                    f"says by its base_url; give [{seat}.price] with input and output in US dollars per million "
                    "tokens (0 for servers of your own)"
                )


def _has_servers(config: SeatConfig) -> bool:
    kind = find_offered_kind(config)
    return kind is not None and kind.has_servers


def _at_endpoint(config: SeatConfig, endpoint_settings: EndpointSettings | None) -> SeatConfig:
    if endpoint_settings is None:
        return config
    return config.model_copy(
        update={"base_url": endpoint_settings.base_url, "api_key_env": endpoint_settings.api_key_env}
    )
