"""From a model's words to a place in a file: a path, a line, and what stands on that line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from pydantic import Field

from selfplay_tools.code.code_file import code_of
from selfplay_tools.errors import BadArgument
from selfplay_tools.output import clip, format_count, quote
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import resolve_file
from selfplay_tools.tools.tool import ToolArguments

_NAME = re.compile(r"[\w$]+")
_WORDY = re.compile(r"[\w$]")
_NEAR = 3
"""Lines named where the symbol stands, if it is not on the line that was given."""


class SymbolAtLine(ToolArguments):
    """Arguments that say which occurrence of which name is meant."""

    path: str = Field(min_length=1, description="File.")
    line: int = Field(ge=1, description="Line, from 1, on which the name stands.")
    symbol: str = Field(
        min_length=1,
        max_length=200,
        description="The name, or a longer piece of that line that ends with it, to tell one of several apart.",
    )


@dataclass(frozen=True, slots=True)
class TextPosition:
    """A place in a file."""

    path: str
    line: int
    """0-based."""
    column: int
    """In UTF-16 code units."""
    text: str = field(repr=False)
    """The whole file, as the server is told of it."""


@dataclass(frozen=True, slots=True)
class SymbolPlace:
    """Where a name stands."""

    name: str
    position: TextPosition

    @property
    def where(self) -> str:
        """`path:line`, as people count."""
        return f"{self.position.path}:{self.position.line + 1}"


def locate_symbol(snapshot: Snapshot, arguments: SymbolAtLine) -> SymbolPlace:
    """The place that is meant: of several on the line the first that is code.

    Raises BadArgument where the line, or the symbol on it, does not exist; and what `file_at` raises.
    """
    path = resolve_file(snapshot, arguments.path)
    lines = snapshot.text(path).lines
    if arguments.line > len(lines):
        raise BadArgument(f"{path!r} has no line {arguments.line:,}; it has {format_count(len(lines), 'line')}")
    symbol = arguments.symbol.strip().strip("`")
    names = list(_NAME.finditer(symbol))
    if not names:
        raise BadArgument(f"{quote(arguments.symbol)} holds no name; give a name that stands on that line")
    line = lines[arguments.line - 1]
    starts = [start + names[-1].start() for start in _find_occurrences(line, symbol)]
    if not starts:
        raise BadArgument(_explain_absence(path, lines, arguments.line, symbol))
    column = _find_first_in_code(snapshot, path, lines, arguments.line, starts)
    units = len(line[:column].encode("utf-16-le", "surrogatepass")) // 2
    text = "".join(f"{one}\n" for one in lines)
    return SymbolPlace(names[-1][0], TextPosition(path, arguments.line - 1, units, text))


def _find_occurrences(line: str, symbol: str) -> Iterator[int]:
    """Where the symbol begins on the line, in characters; not inside of longer names."""
    start = line.find(symbol)
    while start >= 0:
        end = start + len(symbol)
        before = start and _WORDY.match(line[start - 1]) and _WORDY.match(symbol[0])
        after = end < len(line) and _WORDY.match(line[end]) and _WORDY.match(symbol[-1])
        if not before and not after:
            yield start
        start = line.find(symbol, start + 1)


def _find_first_in_code(snapshot: Snapshot, path: str, lines: tuple[str, ...], line: int, starts: list[int]) -> int:
    quiet = code_of(snapshot, path, with_non_code=True).non_code
    if quiet is None or len(starts) == 1:
        return starts[0]
    begin = sum(len(one.encode()) + 1 for one in lines[: line - 1])
    in_code = (at for at in starts if not quiet.contains(begin + len(lines[line - 1][:at].encode())))
    return next(in_code, starts[0])


def _explain_absence(path: str, lines: tuple[str, ...], line: int, symbol: str) -> str:
    near = sorted(range(1, len(lines) + 1), key=lambda number: (abs(number - line), number))
    holding = (number for number in near if next(_find_occurrences(lines[number - 1], symbol), None) is not None)
    found = list(islice(holding, _NEAR))
    head = f"{path}:{line} does not hold {quote(symbol)}; it reads: {clip(lines[line - 1].strip(), width=200)}"
    if found:
        return f"{head}\nThe nearest lines of this file with it: {', '.join(map(str, sorted(found)))}"
    return f"{head}\nNo line of this file holds it; use grep or find_references to see where it stands"
