"""What cleaning is configured with: the section `[clean]` of a configuration file, and the command line above it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfplay.clean.across import AcrossSettings
from selfplay.config import ConfigSection, SeatConfig, read_toml, validate_section

Share = Annotated[float, Field(ge=0, le=1)]


class CleanSettings(ConfigSection):
    """How traces are cleaned."""

    repair: Literal["offline", "models"] = "offline"
    """How words that answer a hint are repaired. `offline` takes the sentences out; `models` first asks the player for
    the turn again without the hint, then for other words."""
    samples: Annotated[int, Field(ge=0)] = 0
    """Turns that the player is asked for at each hinted turn without the hint, for hint reliance and for pairs."""
    pairs: bool = True
    """Whether samples are judged by the supervisor, for preference pairs."""
    extra_files: Share = 0.5
    """The largest share of an answer's files that may be no targets."""
    imprecise_answers: Literal["mask", "drop"] = "mask"
    """What is done with a trace whose answer has more: the search is learned and the answer is not, or it gives no
    row."""
    hinted_queries: Literal["carried", "drop"] = "carried"
    """Where a target was reached by a query with an ordinary word that only a hint had: the trace stays if the query
    is carried by words that the player could see (`selfplay.clean.evidence.query_provenance`), or gives no row in any case. The
    query is not learned. A path, a name or a pattern from a hint always breaks the chain."""
    judge: SeatConfig | None = None
    """A model that looks for echoes beside the wordings. Off by default."""
    prune_dead_ends: bool = False
    """Leave out turns on which no later turn and no target rests."""
    per_task: Annotated[int, Field(ge=1)] | None = None
    """Traces kept of one task, those without hints first; None for all."""
    across: AcrossSettings = AcrossSettings()
    """What is checked across traces."""


def load_clean_settings(path: Path) -> CleanSettings:
    """The section `clean` of a configuration file; the defaults if there is none. Raises ConfigError."""
    return validate_section(CleanSettings, read_toml(path).get("clean", {}), f"{path}: clean")
