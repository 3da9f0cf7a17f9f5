"""What `selfplay batch` plays with: this process, or actors on a cluster."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

from selfplay.batch.ray_start import RaySettings, carry_out_on_ray
from selfplay.batch.run import RunWatch, RunSession
from selfplay.batch.start import RunOrder, carry_out
from selfplay.errors import ConfigError

EngineName = Literal["local", "ray"]
PlayOrder = Callable[[RunOrder, RunWatch], Awaitable[RunSession]]
"""Carries out an order while a watcher is told of it."""


def choose_engine(name: EngineName, ray: RaySettings, say: Callable[[str], None]) -> PlayOrder:
    """The engine of this name. Raises ConfigError for settings that are another one's."""
    if name == "ray":
        return partial(carry_out_on_ray, ray=ray, say=say)
    if ray != RaySettings():
        raise ConfigError("--ray-address, --ray-actors and --sink say something only with --engine ray")
    return carry_out
