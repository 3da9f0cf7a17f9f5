"""A task: what the player gets (`Brief`) and what only the supervisor knows (`Answer`)."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, field_validator, model_validator

from selfplay.core.message import ExtendedNoun, Noun

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


class Condition(Noun):
    """One condition on a call and its result. Data, never code."""

    at: str = "text"
    """What is looked at: the result's text; a value in it, read as JSON (`structured.document.id`); or an argument of
    the call (`arguments.url`)."""
    op: Literal["contains", "is", "prefix", "glob", "matches"] = "contains"
    """How it is compared with `value`, upper and lower case kept apart; `matches` takes a regular expression (RE2)."""
    value: NonEmptyText

    @field_validator("at")
    @classmethod
    def _require_known_place(cls, at: str) -> str:
        head, _, name = at.partition(".")
        if at != "text" and not (head in {"arguments", "structured"} and name.strip()):
            raise ValueError(f"{at!r} is none of text, structured.NAME and arguments.NAME")
        return at


class Goal(Noun):
    """What has to be reached where goals are no files: a call whose result, or argument, meets each condition."""

    id: NonEmptyText
    """A short name, unique in its task."""
    about: str = ""
    """A description, for the supervisor."""
    tool: str | None = None
    """The tool that has to be called; None for any."""
    where: Annotated[tuple[Condition, ...], Field(min_length=1)]
    secrets: tuple[NonEmptyText, ...] = ()
    """Names that no hint may give, beside the values of the conditions."""

    def __str__(self) -> str:
        return self.id


FIND_FILES = "find_files"
"""The environment of a task that names none."""


class Brief(ExtendedNoun):
    """What player and supervisor may both know."""

    later_fields: ClassVar[frozenset[str]] = frozenset({"environment"})

    id: NonEmptyText
    environment: NonEmptyText = FIND_FILES
    """What the task is played in, by name: see `selfplay.environments`."""
    repo: str = ""
    """A path, a URL, or a name under `repos/`; empty where the environment has no repository."""
    commit: str = ""
    """A revision; `worktree` for a directory as it is on disk."""
    prompt: NonEmptyText
    """The task in the words that the player gets."""


class Answer(ExtendedNoun):
    """What only the supervisor may know: files to find, or goals of another environment."""

    later_fields: ClassVar[frozenset[str]] = frozenset({"goals"})

    targets: tuple[Target, ...] = ()
    goals: tuple[Goal, ...] = ()
    patch: str | None = None
    """The reference change, as a unified diff."""

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not self.targets and not self.goals:
            raise ValueError("name a target, or a goal")
        return self

    @property
    def all_goals(self) -> tuple[Target | Goal, ...]:
        """Everything that has to be found, in order; what a trace calls the n-th target is the n-th of these."""
        return (*self.targets, *self.goals)

    @property
    def paths(self) -> tuple[str, ...]:
        """The targets' files, each once, in order."""
        return tuple(dict.fromkeys(t.path for t in self.targets))


class Task(Noun):
    """Brief and answer. The loop holds it; the player never does."""

    brief: Brief
    answer: Answer
    meta: dict[str, JsonValue] = Field(default_factory=dict)
    """The user's own; kept, and not read by the engine."""
