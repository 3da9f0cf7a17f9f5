"""What can be wrong with a row, and how a row's texts are walked."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, cast

from selfplay.core.message import Noun


class RowProblemKind(StrEnum):
    """What a row is refused for."""

    SHAPE = "shape"
    """A key, role or type that the format does not have; a null where there must be none."""
    TEXT = "text"
    """A lone surrogate or a NUL: some reader on the way breaks on it."""
    ORDER = "order"
    """System, task, then turns and results; no two turns of the model in a row."""
    ENDING = "ending"
    """The last message is not the model's."""
    PAIRING = "pairing"
    """A call without its result, or a result without its call."""
    ARGUMENTS = "arguments"
    """Arguments that are no object, or not what the tool's schema asks for; a tool that is not offered."""
    WEIGHT = "weight"
    """Nothing in the row is learned, or weights that fit no turn."""
    SUPERVISION = "supervision"
    """Words of the supervisor or of the engine."""


class RowProblem(Noun):
    """One thing that is wrong with a row."""

    kind: RowProblemKind
    where: str
    """`messages[3].tool_calls[0]`; empty for the row as a whole."""
    text: str


def walk_strings(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a JSON value, keys included, each with its place."""
    match value:
        case str():
            yield where, value
        case Mapping():
            for key, inner in cast("Mapping[str, Any]", value).items():
                yield where, key
                yield from walk_strings(inner, f"{where}.{key}".lstrip("."))
        case list() | tuple():
            for i, inner in enumerate(cast("list[Any]", value)):
                yield from walk_strings(inner, f"{where}[{i}]")
        case _:
            return
