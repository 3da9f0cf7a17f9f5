"""`goto_definition`, `lsp_references`, `hover`: what a language server knows of a name in its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TypeVar

from pydantic import Field

from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.lsp.connection import ServerConnection, ServerFailed
from selfplay_tools.lsp.locations import (
    FoundLines,
    SnapshotLine,
    SymbolAtLine,
    SymbolPlace,
    extract_hover_text,
    format_row,
    hide_machine_paths,
    locate_symbol,
    parse_locations,
)
from selfplay_tools.lsp.server_pool import LspRequest, ServerPool
from selfplay_tools.lsp.servers import LanguageServer
from selfplay_tools.output import DEFAULT_LIMITS, ResultLimits, compose_fitting, format_count, quote, shorten
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.tool import AnyTool, CallResult, ShownRange, Tool, bound_argument

MAX_DEFINITIONS = 20
MAX_REFERENCES = 200
MAX_OUTSIDE = 5
"""Files outside of the snapshot that are named."""
HOVER_CHARS = 4_000
T = TypeVar("T")


class GotoDefinition(SymbolAtLine):
    """Arguments of `goto_definition`."""


class LspReferences(SymbolAtLine):
    """Arguments of `lsp_references`."""

    limit: int = Field(50, ge=1, le=MAX_REFERENCES, description="Lines to show.")
    offset: int = Field(0, ge=0, description="Lines to skip.")


class Hover(SymbolAtLine):
    """Arguments of `hover`."""


def make_lsp_tools(servers: Sequence[LanguageServer], pool: ServerPool | None = None) -> tuple[AnyTool, ...]:
    """The tools that ask these servers, each about its files. Raises NotUsable where a program is missing.

    Names, descriptions and schemas are the same for every server. Processes start when they are first needed, and end
    when the snapshot is closed. `pool` holds them: by default that of this process.
    """
    for server in servers:
        server.find_program()
    calls = _LspCalls(tuple(servers), pool or _shared_pool())
    return (_make_goto_definition(calls), _make_lsp_references(calls), _make_hover(calls))


def _make_goto_definition(calls: "_LspCalls", limits: ResultLimits = DEFAULT_LIMITS) -> AnyTool:
    return Tool(
        name="goto_definition",
        description=(
            "Ask the language server where the name at this place is defined: it follows imports, inheritance and "
            "types, and so tells apart definitions of the same name. Returns path:line rows."
        ),
        arguments=GotoDefinition,
        run=replace(calls, limits=limits).goto_definition,
        is_reproducible=False,  # a time limit, and a server whose version may change, stand behind the answer
        limits=limits,
        remake=partial(_make_goto_definition, calls),
    )


def _make_lsp_references(calls: "_LspCalls", limits: ResultLimits = DEFAULT_LIMITS) -> AnyTool:
    return Tool(
        name="lsp_references",
        description=(
            "Ask the language server for every use of exactly the thing that is named at this place, and of "
            "nothing else of the same name. Returns path:line rows in path order, each with what it stands in."
        ),
        arguments=bound_argument(LspReferences, "limit", min(MAX_REFERENCES, limits.max_rows)),
        run=replace(calls, limits=limits).find_references,
        is_reproducible=False,
        limits=limits,
        remake=partial(_make_lsp_references, calls),
    )


def _make_hover(calls: "_LspCalls", limits: ResultLimits = DEFAULT_LIMITS) -> AnyTool:
    return Tool(
        name="hover",
        description=(
            "Ask the language server what the name at this place is: its kind, its type or signature as inferred, "
            "its documentation."
        ),
        arguments=Hover,
        run=replace(calls, limits=limits).hover,
        is_reproducible=False,
        limits=limits,
        remake=partial(_make_hover, calls),
    )


@cache
def _shared_pool() -> ServerPool:
    return ServerPool()


@dataclass(frozen=True, slots=True)
class _LspCalls:
    servers: tuple[LanguageServer, ...]
    pool: ServerPool
    limits: ResultLimits = DEFAULT_LIMITS

    def goto_definition(self, snapshot: Snapshot, arguments: GotoDefinition) -> CallResult:
        """Where it is defined."""
        place = locate_symbol(snapshot, arguments)

        async def request(connection: ServerConnection) -> FoundLines:
            return parse_locations(await connection.request_definition(place.position), connection.workspace)

        found = self._ask(snapshot, place, request)
        if isinstance(found, CallResult):
            return found
        return self._describe_lines(snapshot, place, found, "definition", MAX_DEFINITIONS)

    def find_references(self, snapshot: Snapshot, arguments: LspReferences) -> CallResult:
        """Where it is used."""
        place = locate_symbol(snapshot, arguments)

        async def request(connection: ServerConnection) -> FoundLines:
            return parse_locations(await connection.request_references(place.position), connection.workspace)

        found = self._ask(snapshot, place, request)
        if isinstance(found, CallResult):
            return found
        return self._describe_lines(snapshot, place, found, "reference", arguments.limit, offset=arguments.offset)

    def hover(self, snapshot: Snapshot, arguments: Hover) -> CallResult:
        """What it is."""
        place = locate_symbol(snapshot, arguments)

        async def request(connection: ServerConnection) -> str:
            return hide_machine_paths(
                extract_hover_text(await connection.request_hover(place.position)), connection.workspace
            )

        text = self._ask(snapshot, place, request)
        if isinstance(text, CallResult):
            return text
        if not text:
            return CallResult(f"The language server has nothing to say about {quote(place.name)} ({place.where}).")
        return CallResult(f"{quote(place.name)} ({place.where})\n{shorten(text, min(HOVER_CHARS, self.limits.room))}")

    def _ask(self, snapshot: Snapshot, place: SymbolPlace, request: LspRequest[T]) -> T | CallResult:
        path = place.position.path
        server = next((one for one in self.servers if one.serves(path)), None)
        if server is None:
            known = ", ".join(pattern for one in self.servers for pattern in one.files)
            raise BadArgument(f"no language server knows {path!r}, only {known}; use find_symbol, find_references")
        try:
            return self.pool.ask(snapshot, server, request)
        except ServerFailed as failure:
            others = "Go on without it: find_symbol, find_references, grep."
            return CallResult(f"The language server could not be asked: {failure}\n{others}", ok=False)

    def _describe_lines(
        self, snapshot: Snapshot, place: SymbolPlace, found: FoundLines, noun: str, limit: int, *, offset: int = 0
    ) -> CallResult:
        """The rows of the places, as many as fit, and in words what is left out or lies outside."""
        lines = found.lines[offset : offset + min(limit, self.limits.max_rows)]
        width = self.limits.row_chars
        rows = [(line, text) for line in lines if (text := _format_row_if_readable(snapshot, line, width))]
        text, count = compose_fitting(
            [text for _, text in rows],
            self.limits,
            lambda count: (_format_head(place, found, noun), _list_remarks(found, noun, offset, count)),
        )
        shown = tuple(ShownRange(path=r.path, first=r.line, last=r.line, how="match") for r, _ in rows[:count])
        return CallResult(text, shown=shown)


def _format_head(place: SymbolPlace, found: FoundLines, noun: str) -> str:
    if not found.lines:
        where = "in this repository " if found.outside else ""
        return f"The language server finds no {noun} {where}of {quote(place.name)} ({place.where})."
    files = len({line.path for line in found.lines})
    lines = f"{format_count(len(found.lines), 'line')} in {format_count(files, 'file')}"
    return f"{noun.capitalize()}s of {quote(place.name)} ({place.where}): {lines}"


def _list_remarks(found: FoundLines, noun: str, offset: int, count: int) -> Iterator[str]:
    if offset and offset >= len(found.lines):
        yield f"offset={offset} is beyond the last line"
    elif (left := len(found.lines) - offset - count) > 0:
        advice = f": lsp_references with offset={offset + count}" if noun == "reference" else ""
        yield f"{format_count(left, 'more line')}{advice}"
    if found.outside:
        more = f", and {len(found.outside) - MAX_OUTSIDE:,} more" if len(found.outside) > MAX_OUTSIDE else ""
        yield f"outside this repository: {', '.join(found.outside[:MAX_OUTSIDE])}{more}"


def _format_row_if_readable(snapshot: Snapshot, place: SnapshotLine, row_chars: int) -> str | None:
    try:
        return format_row(snapshot, place, row_chars)
    except NotReadable:  # it changed on disk since the snapshot was taken
        return None
