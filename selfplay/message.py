"""Messages of a conversation, with where each came from.

`Origin` is set when a message is born and never changes; stripping hints is a filter on it.
"""

from enum import StrEnum
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """Base of everything that is stored: strict, frozen, no unknown keys. Load with `model_validate_json` only."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Origin(StrEnum):
    """Whose words a message carries."""

    PROMPT = "prompt"
    """The system prompt."""
    TASK = "task"
    PLAYER = "player"
    TOOL = "tool"
    HINT = "hint"
    """The supervisor's, let through by the gate."""
    NUDGE = "nudge"
    """The engine's own: "call a tool or finish"."""
    SUPERVISOR = "supervisor"
    """A verdict, in the supervisor's own conversation."""
    REPORT = "report"
    """What the engine tells the supervisor or the judge of a step, in a conversation of their own."""
    JUDGE = "judge"
    """What the gate's judge answered, in a conversation of its own."""


class ToolCall(Noun):
    """One call that a model asked for."""

    id: str
    name: str
    arguments: str
    """Exactly as the model wrote them; JSON if the model did well."""
    is_cut: bool = False
    """True when the reply ended at its length limit: such a call is never carried out."""

    def parsed(self) -> dict[str, Any] | None:
        """The arguments as an object, or None where they are not one."""
        try:
            value = orjson.loads(self.arguments)
        except orjson.JSONDecodeError:
            return None
        return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


class Message(Noun):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    origin: Origin
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    """The model's reasoning where its server gives it apart from the content."""
    tool_call_id: str | None = None
    """Set on tool messages: the call that this answers."""
    name: str | None = None
    """Set on tool messages: the tool's name."""
