"""How a run is carried out: the table `[batch]` of a configuration. None of it makes another episode."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfplay.config import Address, ConfigSection, Count, KeyName, Positive, read_toml, validate_section


class EndpointSettings(ConfigSection):
    """One server that a seat's model runs on."""

    base_url: Address
    """Up to and including `/v1`."""
    api_key_env: KeyName = "OPENAI_API_KEY"
    """Name of the environment variable that holds its key."""


class SeatLimits(ConfigSection):
    """What a seat's servers may be asked, each of them."""

    endpoints: tuple[EndpointSettings, ...] = ()
    """Servers of the same model. A conversation begins on the one with most room and stays there while that works. By
    default the seat's own `base_url`."""
    in_flight: Count = 64
    """Calls at once at most: halved when a server refuses all of them (429), and raised again as calls succeed."""
    requests_per_minute: Count | None = None
    """In no 60 seconds more; what the server's headers say is kept besides."""
    tokens_per_minute: Count | None = None
    """Input and output; likewise."""


class BudgetLimits(ConfigSection):
    """What a run may use, in all its sessions together. At the limit it ends cleanly, and can go on with more."""

    cost_usd: Positive | None = None
    """Money for all calls; not passed, as far as no call costs more than any before it. See `unknown_price`."""
    tokens: Count | None = None
    """Input and output of all calls."""
    time_s: Positive | None = None
    """Wall-clock seconds of one session of the command."""
    unknown_price: Literal["error", "ignore"] = "error"
    """`ignore`: calls of a model without a known price cost nothing, and the totals say so."""


class BatchSettings(ConfigSection):
    """How a run is carried out."""

    at_once: Count = 64
    """Episodes played at the same time."""
    samples: Count = 1
    """Attempts at each task, each of its own. A seed in the player's `sampling` is raised by one for each."""
    threads: Annotated[int, Field(ge=1, le=64)] = 4
    """Tools and gate run in at most so many threads."""
    patience_s: Positive = 3600.0
    """How long servers that are out of reach are waited for before the command ends (exit code 3)."""
    player: SeatLimits = SeatLimits()
    supervisor: SeatLimits = SeatLimits()
    judge: SeatLimits = SeatLimits()
    budget: BudgetLimits = BudgetLimits()
    otel: bool = False
    """The same as `otel` among the tracers."""
    tracers: tuple[str, ...] = ()
    """What receives the run's events: `otel` (OpenTelemetry spans; needs the extra `otel`, OTEL_* variables say where
    they go), the name of an entry point of the group `selfplay.tracers`, or `package.module:factory`."""
    otel_content: bool = False
    """Spans with the texts of replies and results, which hold the tasks' answers; otherwise names and numbers only."""


def load_batch_settings(path: Path | None) -> BatchSettings:
    """The table `[batch]` of a TOML file. Raises ConfigError with the file and the key."""
    return (
        BatchSettings()
        if path is None
        else validate_section(BatchSettings, read_toml(path).get("batch", {}), f"{path}: batch")
    )
