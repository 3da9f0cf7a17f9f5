"""From a language server's answers to rows for a model: places in the snapshot, and what lies outside of it by name."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from selfplay_tools.code.code_file import code_of
from selfplay_tools.code.definitions import Definition
from selfplay_tools.lsp.workspace import Workspace
from selfplay_tools.output import clip
from selfplay_tools.protocols import Snapshot

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
