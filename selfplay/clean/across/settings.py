"""What makes a trace unfit beside the other traces, or for the model that is to be trained."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfplay.config import ConfigSection, KeyName

DEFAULT_KEY_NAMES: tuple[KeyName, ...] = ("OPENAI_API_KEY", "ASK_WEB_API_KEY", "SEMANTIC_SEARCH_API_KEY")
"""Where seats and tools take their keys from unless somebody says otherwise."""


class AcrossSettings(ConfigSection):
    """Checks that look at conversations as rows: among each other, and with the trainer's eyes."""

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
