"""A task: what the player is told (`Brief`) and what only the supervisor knows (`Answer`)."""

from typing import Annotated, Self

from pydantic import Field, JsonValue, StringConstraints, field_validator, model_validator

from selfplay.core.message import Noun

NonEmptyText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
LineRange = tuple[int, int]
"""First and last line, 1-based, inclusive."""


class Target(Noun):
    """A file, or a part of one, that the task is about."""

    path: str
    symbol: str | None = None
    """A definition in the file: `name`, or `Outer.name`."""
    lines: LineRange | None = None

    @field_validator("path")
    @classmethod
    def _require_relative_path(cls, path: str) -> str:
        if not path or path.startswith("/") or path.endswith("/") or {"", ".", ".."} & set(path.split("/")):
            raise ValueError(f"{path!r} is no path relative to the repository's root")
        return path

    @field_validator("lines")
    @classmethod
    def _require_line_range(cls, lines: LineRange | None) -> LineRange | None:
        if lines is not None and not 1 <= lines[0] <= lines[1]:
            raise ValueError(f"{list(lines)} is no range of lines: [first, last], 1-based, first not after last")
        return lines

    @model_validator(mode="after")
    def _require_symbol_text(self) -> Self:
        if self.symbol is not None and not self.symbol.strip():
            raise ValueError("an empty symbol; leave it out for the whole file")
        return self

    def __str__(self) -> str:
        if self.lines is not None:
            return f"{self.path}:{self.lines[0]}-{self.lines[1]}"
        return f"{self.path}:{self.symbol}" if self.symbol else self.path


class Brief(Noun):
    """What player and supervisor may both know."""

    id: NonEmptyText
    repo: NonEmptyText
    """A path, a URL, or a name under `repos/`."""
    commit: NonEmptyText
    """A revision; `worktree` for a directory as it is on disk."""
    prompt: NonEmptyText
    """The task in the words that the player gets."""


class Answer(Noun):
    """What only the supervisor may know."""

    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    patch: str | None = None
    """The reference change, as a unified diff."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The targets' files, each once, in order."""
        return tuple(dict.fromkeys(t.path for t in self.targets))


class Task(Noun):
    """Brief and answer. The loop holds it; the player never does."""

    brief: Brief
    answer: Answer
    meta: dict[str, JsonValue] = Field(default_factory=dict)
    """The user's own; carried along, read by nobody."""
