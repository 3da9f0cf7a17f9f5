"""Between a model's words and a language server's positions, both ways.

A path, a line and what stands on that line become a position in a file; answers become rows for a model: lines of the
snapshot, and what lies outside of it by name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pydantic import Field

from selfplay_tools.code.code_file import code_of
from selfplay_tools.code.definitions import Definition
from selfplay_tools.errors import BadArgument
from selfplay_tools.lsp.workspace import Workspace
from selfplay_tools.output import clip, format_count, quote
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import resolve_file
from selfplay_tools.tools.tool import ToolArguments

NAME_CHARS = 200
_STANDARD = re.compile(r".*/(?:typeshed[\w-]*/stdlib|lib/python3[.\d]*(?!/(?:site|dist)-packages))/(?P<rest>.+)")
_LIBRARY = re.compile(r".*/(?:typeshed[\w-]*/stubs|site-packages|dist-packages|node_modules)/(?P<rest>.+)")
_ADDRESS = re.compile(r"\bfile:/[^\s)>\]\"'`]*")


@dataclass(frozen=True, slots=True, order=True)
class SnapshotLine:
    """A line of the snapshot."""

    path: str
    line: int
    """1-based."""


@dataclass(frozen=True, slots=True)
class FoundLines:
    """What an answer names: each once, sorted."""

    lines: Sequence[SnapshotLine]
    outside: Sequence[str]
    """In words, without paths of this machine."""


def parse_locations(answer: object, workspace: Workspace) -> FoundLines:
    """The places in an answer to a request for definitions or references."""
    root = workspace.root.as_posix()
    lines: set[SnapshotLine] = set()
    outside: set[str] = set()
    for uri, line in _list_locations(answer):
        path = unquote(urlsplit(uri).path)
        inside = path.removeprefix(f"{root}/")
        if inside in workspace.paths:
            lines.add(SnapshotLine(inside, line + 1))
        else:
            outside.add(_name_outside_file(path))
    return FoundLines(sorted(lines), sorted(outside))


def _list_locations(answer: object) -> Iterator[tuple[str, int]]:
    """Addresses and 0-based lines."""
    match answer:
        case types.Location():
            yield answer.uri, answer.range.start.line
        case types.LocationLink():
            yield answer.target_uri, answer.target_selection_range.start.line
        case list() | tuple():
            for one in cast("Sequence[object]", answer):
                yield from _list_locations(one)
        case _:
            return


def _name_outside_file(path: str) -> str:
    """What a file outside is, without where it is: `json/__init__.pyi (standard library)`."""
    for pattern, what in ((_STANDARD, "standard library"), (_LIBRARY, "a library")):
        if found := pattern.fullmatch(path):
            return f"{clip(found['rest'], width=NAME_CHARS)} ({what})"
    return f"{clip(path.rpartition('/')[2], width=NAME_CHARS)} (elsewhere)"


def format_row(snapshot: Snapshot, place: SnapshotLine, row_chars: int) -> str | None:
    """`path:line: text  [in what]`; None for a line that does not exist: the server was mistaken."""
    lines = snapshot.text(place.path).lines
    if place.line > len(lines):
        return None
    mark = _describe_context(code_of(snapshot, place.path).definitions, place.line)
    text = clip(lines[place.line - 1].strip(), width=row_chars)
    return f"{place.path}:{place.line}: {text}" + (f"  [{mark}]" if mark else "")


def _describe_context(definitions: Iterable[Definition], line: int) -> str:
    """What is defined on the line, or the innermost definition of several lines that it stands in."""
    around: Definition | None = None
    for one in definitions:
        if one.line == line:
            return f"{one.kind} {one.qualified}"
        is_inside = one.first <= line <= one.last and one.first < one.last
        if is_inside and (around is None or one.last - one.first <= around.last - around.first):
            around = one
    return f"in {around.qualified}" if around else ""


def extract_hover_text(answer: object) -> str:
    """What a hover says, as the server wrote it; empty where it says nothing."""
    if not isinstance(answer, types.Hover):
        return ""
    match answer.contents:
        case types.MarkupContent(value=value) | types.MarkedStringWithLanguage(value=value) | str(value):
            return value.strip()
        case several:
            return "\n\n".join(one if isinstance(one, str) else one.value for one in several).strip()


def hide_machine_paths(text: str, workspace: Workspace) -> str:
    """The text with the files' paths as the snapshot has them, and without other addresses of this machine."""
    root = workspace.root
    text = text.replace(f"{root.as_uri()}/", "").replace(f"{root}/", "").replace(str(root), ".")
    text = text.replace(str(workspace.folder), "…")
    home = str(Path.home())
    return _ADDRESS.sub("…", text.replace(home, "…") if len(home) > 1 else text)


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
    """The whole file, as it is sent to the server."""


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

    Raises BadArgument where the line, or the symbol on it, does not exist; and what `resolve_file` raises.
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
