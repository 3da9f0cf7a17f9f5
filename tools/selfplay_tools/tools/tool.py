"""What a tool is, what a call of it returns, and what of the repository a result showed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar

from annotated_types import Le
from pydantic import BaseModel, ConfigDict, Field, create_model

from selfplay_tools.output import DEFAULT_LIMITS, ResultLimits
from selfplay_tools.protocols import Snapshot

HowShown = Literal["read", "match", "outline"]


class ToolArguments(BaseModel):
    """Base of every tool's arguments: strict, frozen, no unknown names."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


A = TypeVar("A", bound=ToolArguments)


class ShownRange(BaseModel):
    """Lines of a file that a result put before the player's eyes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    path: str
    first: int
    """1-based, inclusive. `first=1, last=0` for a file that was opened and has no lines."""
    last: int
    how: HowShown
    """`read`: its text as such; `match`: single lines of a search; `outline`: its definitions' first lines."""


class AnswerFile(BaseModel):
    """One file of the player's answer."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call returns. `text` is all that the player gets."""

    text: str
    ok: bool = True
    """False when the call could not be carried out: `text` then says what was wrong and what to do."""
    shown: tuple[ShownRange, ...] = ()
    answer: tuple[AnswerFile, ...] | None = None
    """Set by `finish` only: real paths, most relevant first."""


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """One thing the player can do."""

    name: str
    description: str
    """Written for a model: what it does, when to use it, what comes back."""
    arguments: type[A]
    run: Callable[[Snapshot, A], CallResult] = field(repr=False)
    """Blocking; raises ToolsError for what the player got wrong, which `Toolbox.run` turns into a result."""
    is_reproducible: bool = True
    """The same snapshot and arguments always give the same text. False for a tool that asks the world outside."""
    limits: ResultLimits = DEFAULT_LIMITS
    """What its schema promises and its results keep to."""
    remake: "Callable[[ResultLimits], Tool[A]] | None" = field(default=None, repr=False)
    """Makes the same tool for other limits; None for one that knows of none: the toolbox cuts what is too long."""


AnyTool = Tool[Any]


@lru_cache(maxsize=1_000)
def tool_within(tool: AnyTool, limits: ResultLimits) -> AnyTool:
    """The tool with these limits; the same object each time, and `tool` itself where it has them or knows of none."""
    return tool if tool.remake is None or tool.limits == limits else tool.remake(limits)


def bound_argument(arguments: type[A], name: str, most: int) -> type[A]:
    """The arguments with an integer that is at most `most`, its default too; the same class where it is so already."""
    info = arguments.model_fields[name]
    if any(isinstance(bound, Le) and bound.le == most for bound in info.metadata):
        return arguments
    bounded = Field(min(info.default, most), ge=1, le=most, description=info.description)
    fields: dict[str, Any] = {name: (int, bounded)}
    return create_model(arguments.__name__, __base__=arguments, __doc__=arguments.__doc__, **fields)
