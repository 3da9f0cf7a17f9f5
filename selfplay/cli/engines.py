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


def engine_of(name: Engine, ray: RaySettings, say: Callable[[str], None]) -> Play:
    """The engine of this name. Raises ConfigError for settings that are another one's."""
    if name == "ray":
        return partial(carry_out_on_ray, ray=ray, say=say)
    if ray != RaySettings():
        raise ConfigError("--ray-address, --ray-actors and --sink say something only with --engine ray")
    return carry_out
