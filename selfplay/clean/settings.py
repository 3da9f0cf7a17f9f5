"""What cleaning is configured with: the section `[clean]` of a configuration file, and the command line above it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfplay.config import ConfigSection, KeyName, SeatConfig, read_toml, validate_section

DEFAULT_KEY_NAMES: tuple[KeyName, ...] = ("OPENAI_API_KEY", "ASK_WEB_API_KEY", "SEMANTIC_SEARCH_API_KEY")
"""Where seats and tools take their keys from by default."""


class AcrossSettings(ConfigSection):
    """Checks of conversations as rows: compared with each other, and as a trainer reads them."""

    near_duplicates: Annotated[float, Field(gt=0, le=1)] | None = 0.85
    """Similarity from which on two conversations are near duplicates; None keeps all but exact ones."""
    key_names: tuple[KeyName, ...] = DEFAULT_KEY_NAMES
    """Environment variables whose values must stand in no row. Cleaning journals looks for these, for the default ones
    and for those that the runs took their keys from."""
    scanner: Literal["auto", "on", "off"] = "auto"
    """Whether a scanner looks for other secrets: `auto` if it is installed (extra `secrets`), `on` insists on
    it."""
    allowed_rules: tuple[str, ...] = ()
    """Rules of the scanner whose findings are let through, by id (`betterleaks.jwt`): keys that are known to be made
    up."""
    token_families: tuple[str, ...] | None = None
    """Families of special tokens to look for; by default those of `tokenizer` if that is a file, else those of all
    common families that do not stand in ordinary code as well (as `[ARGS]` and `<s>` do)."""
    allowed_tokens: tuple[str, ...] = ()
    """Special tokens that are let through (`<s>`): those that the target's tokenizer does not have."""
    tokenizer: str | None = None
    """The target's: path of its `tokenizer.json`, or `tiktoken:NAME`. Without it lengths are estimates."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Longer conversations are refused; none is ever cut."""
    template_tokens: Annotated[int, Field(ge=0)] = 8
    """Allowance for what the target's chat template puts around each message."""
    benchmarks: tuple[Path, ...] = ()
    """Files with a repository a line (`owner/name`, a URL, either with `@COMMIT`): tasks from there are refused."""
    batch: Annotated[int, Field(ge=1)] = 500
    """Conversations that the scanner is given at once; so many are held in memory."""


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
    is carried by words that the player could see (`selfplay.clean.evidence.graph`), or gives no row in any case. The
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
