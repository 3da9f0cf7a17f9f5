"""The configuration of a run. Each setting is documented here, and defined nowhere else."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, TypeVar, cast, get_args
from urllib.parse import parse_qs, urlsplit

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from selfplay.core.errors import ConfigError
from selfplay.core.json_rows import explain_errors
from selfplay.core.wire import Channel, ReasoningKey
from selfplay.models.keys import KEY_LIKE
from selfplay.models.offline import OFFLINE_KINDS
from selfplay_tools.output import LEAST_CHARS, MAX_CHARS, MAX_LINES, MAX_ROWS

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ADDRESS_QUERY = frozenset({"api-version"})
"""Parameters that an address may have; any other may be a key."""
VerdictMode = Literal["auto", "json_schema", "tool", "text"]
HintPolicy = Literal["every_step", "when_stuck", "after_miss", "never"]

ENGINE_FIELDS = frozenset({"model", "messages", "tools", "tool_choice", "response_format", "stream", "n"})
"""Fields of a request that the engine sets, and no configuration."""
SAMPLING_KEYS = frozenset({"temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop"})
"""Fields that belong into a seat's `sampling`, and are often written beside it."""
KEY_FIELDS = frozenset({"api_key", "apikey", "x_api_key", "authorization", "access_token", "extra_headers"})
"""Fields by which proxies take a key in a request's body."""


def _refuse_credentials(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an http(s) address, such as http://localhost:8000/v1")
    if parts.username or parts.password:
        raise ValueError("holds credentials, which would land in traces; use api_key_env")
    if extra := sorted(parse_qs(parts.query, keep_blank_values=True).keys() - ADDRESS_QUERY):
        raise ValueError(f"holds the parameter {extra[0]!r}, which would land in traces; use api_key_env for a key")
    return url


def _refuse_engine_fields(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    own = sorted(ENGINE_FIELDS & fields.keys())
    if own:
        raise ValueError(f"{', '.join(own)} is set by the engine; take it out")
    if (key := _find_key(fields)) is not None:
        raise ValueError(f"{key!r} looks like a key, which would land in traces; use api_key_env")
    try:  # sorted, so that the same fields in another order are the same request
        return orjson.loads(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
    except orjson.JSONEncodeError as error:
        raise ValueError(f"can't be sent as JSON: {error}") from None


def _find_key(value: JsonValue, name: str = "") -> str | None:
    """The name of the first field that holds a key, by its own name or by what stands in it."""
    if isinstance(value, str):
        return name if KEY_LIKE.search(value) else None
    if isinstance(value, list):
        return next(filter(None, (_find_key(one, name) for one in value)), None)
    if not isinstance(value, dict):
        return None
    named = next((n for n in value if n.lower().replace("-", "_") in KEY_FIELDS), None)
    return named or next(filter(None, (_find_key(one, n) for n, one in value.items())), None)


def _require_variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
        raise ValueError("not the name of an environment variable (letters, digits, _); the key itself stands in it")
    return name


def _require_model_name(model: str) -> str:
    if model.partition(":")[0] == "openai" and not model.partition(":")[2].strip():
        raise ValueError("which model? write openai:NAME, with the name that the server knows it by")
    return model


KeyName = Annotated[str, AfterValidator(_require_variable_name)]
"""Name of an environment variable; a key itself does not look like one."""
Address = Annotated[str, AfterValidator(_refuse_credentials)]
RequestFields = Annotated[dict[str, JsonValue], AfterValidator(_refuse_engine_fields)]


class ConfigSection(BaseModel):
    """Base of the sections of a configuration: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


SectionType = TypeVar("SectionType", bound=ConfigSection)


class PriceConfig(ConfigSection):
    """What a seat's tokens cost, in US dollars per million."""

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    """Input that the server reused from its prefix cache; by default as `input`."""


class SeatConfig(ConfigSection):
    """The model of a seat, and how it is asked."""

    model: Annotated[str, AfterValidator(_require_model_name)] = "heuristic"
    """`openai:NAME` (any OpenAI-compatible server), `heuristic`, `scripted:FILE`, `recorded:DIR`, `KIND` or `KIND:NAME`
    of an installed package, or `package.module:factory`; see `selfplay.episode.model_kinds`."""
    base_url: Address | None = None
    """The server's address up to and including `/v1`; by default the vendor's own."""
    api_key_env: KeyName = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key. The key itself has no place in a configuration."""
    sampling: RequestFields = Field(default_factory=dict)
    """Sent as they are: temperature, top_p, max_tokens, seed, ..."""
    extra_body: RequestFields = Field(default_factory=dict)
    """Further fields of the request: chat_template_kwargs, top_k, ..."""
    timeout_s: Positive = 300.0
    """For one attempt at one call, from sending to the reply's last byte."""
    tries: Count = 6
    """Attempts at one call before the episode is parked."""
    history_reasoning: ReasoningKey = "reasoning_content"
    """Player only: the field in which its earlier reasoning, where the server gave it apart, is sent back."""
    price: PriceConfig | None = None
    """By default from the model's name; see `limits.cost_usd`."""
    verdict_mode: VerdictMode = "auto"
    """Supervisor and judge: how an answer is asked for. `auto` tries json_schema, then tool, then text."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_misplaced_keys(cls, given: object) -> object:
        names = {str(name) for name in cast("dict[object, object]", given)} if isinstance(given, dict) else set[str]()
        if "api_key" in names:
            raise ValueError("a key has no place in a file: api_key_env names the environment variable that has it")
        if wrong := sorted(SAMPLING_KEYS & names):
            raise ValueError(f"{wrong[0]!r} has its place in sampling: sampling = {{ {wrong[0]} = ... }}")
        return cast("object", given)

    @property
    def model_name(self) -> str:
        """The name that is sent to a server: what follows the kind, unless it is a file; without that the kind."""
        kind, _, name = self.model.partition(":")
        if "." in kind:
            return self.model
        return name if name and kind not in OFFLINE_KINDS else kind


class JudgeConfig(SeatConfig):
    """The gate's second line: a model that does not know the answer and says which files it would open."""

    samples: Count = 3
    """Guesses without the hint, and as many with it. A seed in `sampling` is raised by one for each."""
    files: Annotated[int, Field(ge=1, le=20)] = 3
    """Files of a guess that count; further ones are left out."""
    max_chars: Annotated[int, Field(ge=1000)] = 60_000
    """Of the search that it is shown; where it is longer, its first steps are left out."""


class HintConfig(ConfigSection):
    """When and how hints are given."""

    policy: HintPolicy = "every_step"
    """`every_step`; `when_stuck`: when the player repeats itself, goes in circles, sees nothing new or makes no
    progress; `after_miss`: only in a further attempt, where the unhinted ones have failed; `never`: no supervisor."""
    channel: Channel = "user"
    """`user`: a message of its own; `tool`: the marked last part of the last tool result, for reasoning models whose
    chat template drops earlier reasoning at each user turn."""
    stuck_after: Count = 3
    """Steps without progress, since the last progress or hint, before the player counts as stuck."""
    barren_after: Count = 2
    """Steps in a row that show nothing new before the player counts as stuck."""
    budget: Annotated[int, Field(ge=0)] | None = None
    """Hints of an episode, the engine's own feedback included; by default unlimited."""
    unhinted_attempts: Count = 1
    """`after_miss` only: attempts without hints before the hinted one. A seed in the player's `sampling` is raised by
    one for each."""
    attempts: Count = 3
    """Proposals per step before refusals end it."""
    fallback: Literal["feedback", "none"] = "feedback"
    """What is sent when every proposal was refused: whether the last step helped, or nothing."""
    escalate_after: Count = 2
    """Hints without progress, since the last target was found, before the next level."""


class EpisodeLimits(ConfigSection):
    """When an episode ends without an answer."""

    steps: Count = 40
    """Turns the player may take, hinted ones included."""
    tokens: Count | None = None
    """Input and output of all calls together."""
    time_s: Positive | None = None
    """Seconds spent in calls and tools. Failed attempts, waits for a server and interruptions do not count."""
    cost_usd: Positive | None = None
    """US dollars for all calls. Needs a known price for each seat."""
    verdict_tries: Count = 3
    """Attempts at a verdict that can be read, per step."""
    idle_turns: Count = 3
    """Turns in a row without any search before the player counts as having given up."""
    calls_per_turn: Count = 8
    """Calls carried out in one turn; further ones are refused, each with a result of its own."""
    conversation_chars: Count | None = None
    """Characters of the messages of a request to the player, as they are sent, calls and JSON included. The episode
    ends when the next request would have more. Part of the contract."""
    announce: bool = False
    """Whether the player's system prompt says how many turns and calls per turn there are. The sentence is part of the
    production prompt, and the numbers are part of the contract."""


class AskWebConfig(ConfigSection):
    """The tool `ask_web`: the model that answers the player's questions about the world outside the repository.

    Its answers can't be reproduced, they may hold the very change that a task is about, and what they cost is not
    counted in `limits.cost_usd`.
    """

    model: Annotated[str, Field(min_length=1)]
    """A model that searches by itself, at any server of the chat completions protocol."""
    base_url: Address
    """The address to which `/chat/completions` is added."""
    api_key_env: KeyName = "ASK_WEB_API_KEY"
    """Name of the environment variable that holds the key."""
    extra_body: RequestFields = Field(default_factory=dict)
    """Further fields of the request: web_search_options, search_domain_filter, ..."""
    timeout_s: Positive = 60.0
    """For one attempt at one question."""
    tries: Count = 3
    """Attempts before the result says that the web can't be asked."""


class LanguageServerConfig(ConfigSection):
    """One language server. For Python nothing needs to be set: the extra `lsp` brings its server."""

    command: tuple[str, ...] = ()
    """Program and arguments; it speaks the protocol over standard input and output."""
    files: tuple[str, ...] = ()
    """Patterns of file names. Those files of a snapshot are laid out for the server, and no others."""
    settings: dict[str, JsonValue] | None = None
    """The answer to the server's request for its configuration."""
    ready: tuple[str, ...] = ()
    """Words of a log message that the server writes when it has loaded; by default it is asked when it reports no work
    in progress. For Python they are known."""
    pass_env: tuple[str, ...] = ()
    """Names of environment variables that the server gets; all others are kept from it, PATH too."""


class LspConfig(ConfigSection):
    """The tools `goto_definition`, `lsp_references` and `hover`, answered by language servers on this machine."""

    servers: Annotated[dict[str, LanguageServerConfig], Field(min_length=1)] = {"python": LanguageServerConfig()}
    """By the protocol's language id: python, go, rust, typescript, ..."""
    timeout_s: Positive = 60.0
    """For a server's start, and for each request."""
    memory_mb: Annotated[int, Field(ge=256)] = 4096
    """Of each server process, where the system can bound it."""
    cpu_s: Count = 3600
    """Processor seconds of one server process, after which it is started anew."""


class SemanticSearchConfig(ConfigSection):
    """The tool `semantic_search`: which model turns code into vectors."""

    model: Annotated[str, Field(min_length=1)]
    """With `base_url` a model of that server; without, a sentence-transformers model by name or folder, run here."""
    base_url: Address | None = None
    """The address to which `/embeddings` is added, at any server of OpenAI's embeddings protocol."""
    api_key_env: KeyName = "SEMANTIC_SEARCH_API_KEY"
    """Name of the environment variable that holds the key."""
    dimensions: Count | None = None
    """Components of a vector, for models that let one choose; by default as many as the model gives."""
    question_prefix: str = ""
    """Put before a question, for models that want an instruction there."""
    code_prefix: str = ""
    """Put before code, likewise."""
    batch_size: Annotated[int, Field(ge=1, le=256)] = 64
    """Texts that are embedded at once."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    """Requests at once; without `base_url` of no effect."""
    max_pieces: Count = 2_000
    """Pieces of code that one call may embed; where more are missing the call says that they must be built ahead."""
    max_store_mb: Count = 4_096
    """Disk space for the vectors of a repository; the least recently used are removed first."""
    timeout_s: Positive = 60.0
    """For one attempt at one request."""
    tries: Count = 3
    """Attempts before the call fails, and the player goes on without it."""


class ToolsConfig(ConfigSection):
    """Which tools the player has, and how long their results may be. All of it becomes part of the contract."""

    ask_web: AskWebConfig | None = None
    """Off by default."""
    semantic_search: SemanticSearchConfig | None = None
    """Off by default."""
    lsp: LspConfig | None = None
    """Off by default."""
    extra: tuple[str, ...] = ()
    """Tools of other packages: `package.module:name` of a `Tool` or of what returns tools when it is called, or the
    name of an entry point of the group `selfplay.tools`. Their code is run."""
    only: tuple[str, ...] | None = None
    """Names of those tools that are offered, in this order, `finish` among them; by default all."""
    max_result_chars: Annotated[int, Field(ge=LEAST_CHARS, le=200_000)] = MAX_CHARS
    """Characters of a result."""
    max_lines: Annotated[int, Field(ge=1, le=10_000)] = MAX_LINES
    """Lines that one call of `read_file` may ask for."""
    max_rows: Annotated[int, Field(ge=1, le=MAX_ROWS)] = MAX_ROWS
    """What one result lists at most: matching lines, files, paths, definitions. Tools have bounds of their own too."""


class McpConfig(ConfigSection):
    """Which MCP server the tasks of the environment `mcp` are played with."""

    command: tuple[str, ...] = ()
    """Starts a server that speaks over standard input and output; one process per episode."""
    url: Address | None = None
    """A server's address, for streamable HTTP; instead of `command`."""
    env: tuple[KeyName, ...] = ()
    """Names of environment variables that the command is given beside PATH and the like. No value is written down."""
    only: tuple[str, ...] = ()
    """Tools that the player has, in this order; by default all that the server offers."""
    replay: Literal["recorded", "repeated"] = "repeated"
    """When an episode is resumed: `repeated` makes recorded calls again and compares, for servers that keep a state;
    `recorded` takes results from the journal, for servers whose tools change nothing."""
    timeout_s: Positive = 60.0
    """For one call."""

    @model_validator(mode="after")
    def _names_one_server(self) -> "McpConfig":
        if bool(self.command) == (self.url is not None):
            raise ValueError("name one server: command, or url")
        return self


class RunConfig(ConfigSection):
    """Everything that shapes an episode, and where and how patiently its models are asked.

    `episode_shaping_values` takes the latter out.
    """

    player: SeatConfig = SeatConfig()
    supervisor: SeatConfig = SeatConfig()
    judge: JudgeConfig | None = None
    """Off by default."""
    hints: HintConfig = HintConfig()
    limits: EpisodeLimits = EpisodeLimits()
    tools: ToolsConfig = ToolsConfig()
    mcp: McpConfig | None = None
    """For tasks of the environment `mcp`."""


SEATS = ("player", "supervisor", "judge")
CONNECTION_KEYS = frozenset({"base_url", "api_key_env", "timeout_s", "tries"})
"""Keys of a seat about where its model runs and how patiently it is asked. They are part of no request."""


def episode_shaping_values(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The values of a configuration that shape an episode: the same model at another server is the same model."""
    shaped: dict[str, JsonValue] = {}
    for name, section in config.items():
        if name in SEATS and isinstance(section, dict):
            kept = {key: value for key, value in section.items() if key not in CONNECTION_KEYS}
            shaped |= {name: kept} if kept or name == "judge" else {}
        else:
            shaped[name] = section
    return shaped


OTHER_TABLES = ("clean", "batch")
"""Tables of the same file that shape no episode: how traces are cleaned, how a run is carried out."""


def load_config(path: Path) -> RunConfig:
    """A TOML file as configuration, without its tables for others. Raises ConfigError with the file and the key."""
    values = read_toml(path)
    for table in OTHER_TABLES:
        values.pop(table, None)
    return validate_section(RunConfig, values, path)


def read_toml(path: Path) -> dict[str, object]:
    """The content of a TOML file. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def keys_of(section: type[BaseModel], place: tuple[str, ...] = ()) -> dict[tuple[int | str, ...], tuple[str, ...]]:
    """The keys of a table and of the tables in it, by their place."""
    known: dict[tuple[int | str, ...], tuple[str, ...]] = {place: tuple(section.model_fields)}
    for name, about in section.model_fields.items():
        for kind in (about.annotation, *get_args(about.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                known |= keys_of(kind, (*place, name))
    return known


_KEY_NAME = TypeAdapter(KeyName)


def key_names_in(values: object) -> Iterator[KeyName]:
    """Every environment variable that values of a configuration, in any table, name as a key's."""
    match values:
        case dict():
            for name, value in cast("dict[object, object]", values).items():
                if name == "api_key_env":
                    with suppress(ValidationError):
                        yield _KEY_NAME.validate_python(value)
                yield from key_names_in(value)
        case list() | tuple():
            for value in cast("Sequence[object]", values):
                yield from key_names_in(value)
        case _:
            pass


def validate_section(section: type[SectionType], values: object, where: object) -> SectionType:
    """Values as a section. Raises ConfigError with where they stand and the key."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain_errors(error, keys_of(section))}") from None
