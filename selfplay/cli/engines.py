"""What `selfplay batch` plays with: this process, or actors on a cluster."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

from selfplay.batch.ray_start import RaySettings, carry_out_on_ray
from selfplay.batch.run import BatchWatch, Session
from selfplay.batch.start import Order, carry_out
from selfplay.errors import ConfigError

Engine = Literal["local", "ray"]
Play = Callable[[Order, BatchWatch], Awaitable[Session]]
"""Carries out an order while a watcher is told of it."""


def engine_of(name: Engine, address: str, actors: int | None, say: Callable[[str], None]) -> Play:
    """The engine of this name. Raises ConfigError for settings that are another one's."""
    if name == "ray":
        return partial(carry_out_on_ray, ray=RaySettings(address, actors), say=say)
    if address or actors is not None:
        raise ConfigError("--ray-address and --ray-actors say something only with --engine ray")
    return carry_out
