"""What a run is configured with. A knob documents itself here and has no other home."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from selfplay.errors import ConfigError
from selfplay.rows import explain
from selfplay.wire import Channel, ReasoningKey

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ADDRESS_QUERY = frozenset({"api-version"})
"""Parameters that an address may hold; anything else there may be a key."""
VerdictMode = Literal["auto", "json_schema", "tool", "text"]
Policy = Literal["every_step", "when_stuck", "after_miss", "never"]


class Section(BaseModel):
    """Base of the sections of a configuration: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceConfig(Section):
    """What a seat's tokens cost, in US dollars per million."""

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    """Input that the server reused from its prefix cache; by default as `input`."""


class SeatConfig(Section):
    """Who plays a part, and how it is asked."""

    model: str = "heuristic"
    """`openai:NAME` (any OpenAI-compatible server), `heuristic`, `scripted:FILE`, `recorded:DIR`."""
    base_url: str | None = None
    """The server's address up to and including `/v1`; by default the vendor's own."""
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")] = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key. The key itself has no place in a configuration."""
    sampling: dict[str, JsonValue] = Field(default_factory=dict)
    """Sent as they are: temperature, top_p, max_tokens, seed, ..."""
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Further fields of the request: chat_template_kwargs, top_k, ..."""
    timeout_s: Positive = 300.0
    """For one attempt at one call, from sending to the reply's last byte."""
    tries: Count = 6
    """Attempts at one call before the episode is parked."""
    history_reasoning: ReasoningKey = "reasoning_content"
    """Player only: how its earlier reasoning, where the server gave it apart, goes back with the conversation."""
    price: PriceConfig | None = None
    """By default from the model's name; see `limits.cost_usd`."""
    verdict_mode: VerdictMode = "auto"
    """Supervisor only: how a verdict is asked for. `auto` tries json_schema, then tool, then text."""

    @field_validator("base_url")
    @classmethod
    def _has_no_credentials(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("not an http(s) address, such as http://localhost:8000/v1")
        if parts.username or parts.password:
            raise ValueError("holds credentials, which would land in traces; use api_key_env")
        if extra := sorted(parse_qs(parts.query, keep_blank_values=True).keys() - ADDRESS_QUERY):
            raise ValueError(f"holds the parameter {extra[0]!r}, which would land in traces; use api_key_env for a key")
        return url

    @field_validator("sampling", "extra_body")
    @classmethod
    def _leaves_the_engine_its_own(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        own = sorted({"model", "messages", "tools", "tool_choice", "response_format", "stream", "n"} & value.keys())
        if own:
            raise ValueError(f"{', '.join(own)} is set by the engine; take it out")
        try:  # sorted, so that the same fields in another order are the same request
            return orjson.loads(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        except orjson.JSONEncodeError as error:
            raise ValueError(f"can't be sent as JSON: {error}") from None

    @property
    def model_name(self) -> str:
        """The name that is sent to the server."""
        kind, _, name = self.model.partition(":")
        return name if kind == "openai" else kind


class HintConfig(Section):
    """When and how the supervisor speaks."""

    policy: Policy = "every_step"
    """`every_step`; `when_stuck`: after `stuck_after` steps without a target, or a repeated call; `after_miss`: only
    in a second attempt, where an unhinted first one has failed; `never`: no supervisor at all."""
    channel: Channel = "user"
    """`user`: a message of its own; `tool`: the marked last part of the last tool result, for reasoning models whose
    chat template drops earlier reasoning at each user turn."""
    stuck_after: Count = 3
    """Steps without a target found before the player counts as stuck."""
    attempts: Count = 3
    """Proposals per step before the gate's refusals end it."""
    fallback: Literal["feedback", "none"] = "feedback"
    """What is sent when every proposal was refused: whether the last step helped, or nothing."""
    escalate_after: Count = 2
    """Hints without a target found before the next level."""


class Limits(Section):
    """When an episode ends without an answer."""

    steps: Count = 40
    """Turns the player may take, hinted ones included."""
    tokens: Count | None = None
    """Input and output of all calls together."""
    time_s: Positive | None = None
    """Seconds spent in calls and tools. Failed attempts, waits for a server and interruptions do not count."""
    cost_usd: Positive | None = None
    """Money for all calls. Needs a known price for each seat."""
    verdict_tries: Count = 3
    """Attempts at a verdict that can be read, per step."""
    idle_turns: Count = 3
    """Turns in a row without any search before the player counts as having given up."""
    calls_per_turn: Count = 8
    """Calls carried out in one turn; further ones are refused."""


class RunConfig(Section):
    """Everything that shapes an episode."""

    player: SeatConfig = SeatConfig()
    supervisor: SeatConfig = SeatConfig()
    hints: HintConfig = HintConfig()
    limits: Limits = Limits()


def load_config(path: Path) -> RunConfig:
    """A TOML file as configuration. Raises ConfigError with the file and the key."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        return RunConfig.model_validate(values)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, tuple(RunConfig.model_fields))}") from None
