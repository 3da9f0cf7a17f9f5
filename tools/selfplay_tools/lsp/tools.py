"""`goto_definition`, `lsp_references`, `hover`: what a language server knows of a name in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from pydantic import Field

from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.lsp.pool import Pool, Request
from selfplay_tools.lsp.positions import AtSymbol, Place, place_of
from selfplay_tools.lsp.rows import Found, Spot, found_in, hover_text, row, without_machine_paths
from selfplay_tools.lsp.servers import LanguageServer
from selfplay_tools.lsp.wire import Connection, ServerFailed
from selfplay_tools.output import compose, counted, fitting, quoted, shorten
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.tool import AnyTool, Result, Shown, Tool

MAX_DEFINITIONS = 20
MAX_OUTSIDE = 5
"""Files outside of the snapshot that are named."""
HOVER_CHARS = 4_000
T = TypeVar("T")


class GotoDefinition(AtSymbol):
    """Arguments of `goto_definition`."""


class LspReferences(AtSymbol):
    """Arguments of `lsp_references`."""

    limit: int = Field(50, ge=1, le=200, description="Lines to show.")
    offset: int = Field(0, ge=0, description="Lines to skip.")


class Hover(AtSymbol):
    """Arguments of `hover`."""


def lsp_tools(servers: Sequence[LanguageServer], pool: Pool | None = None) -> tuple[AnyTool, ...]:
    """The tools that ask these servers, each about its files. Raises NotUsable where a program is missing.

    Names, descriptions and schemas are the same whoever is asked. Processes start when they are first needed, and end
    when the snapshot is closed. `pool` is where they live: that of this process, if not said otherwise.
    """
    for server in servers:
        server.program()
    asking = _Asking(tuple(servers), pool or _pool())
    return (
        Tool(
            name="goto_definition",
            description=(
                "Ask the language server where the name at this place is defined: it follows imports, inheritance and "
                "types, and so tells apart definitions of the same name. Returns path:line rows."
            ),
            arguments=GotoDefinition,
            run=asking.definition,
            is_reproducible=False,  # a time limit, and a server whose version may change, stand behind the answer
        ),
        Tool(
            name="lsp_references",
            description=(
                "Ask the language server for every use of exactly the thing that is named at this place, and of "
                "nothing else of the same name. Returns path:line rows in path order, each with what it stands in."
            ),
            arguments=LspReferences,
            run=asking.references,
            is_reproducible=False,
        ),
        Tool(
            name="hover",
            description=(
                "Ask the language server what the name at this place is: its kind, its type or signature as inferred, "
                "its documentation."
            ),
            arguments=Hover,
            run=asking.hover,
            is_reproducible=False,
        ),
    )


@cache
def _pool() -> Pool:
    return Pool()


@dataclass(frozen=True, slots=True)
class _Asking:
    servers: tuple[LanguageServer, ...]
    pool: Pool

    def definition(self, snapshot: Snapshot, arguments: GotoDefinition) -> Result:
        """Where it is defined."""
        place = place_of(snapshot, arguments)

        async def request(connection: Connection) -> Found:
            return found_in(await connection.definition(place.position), connection.workspace)

        found = self._ask(snapshot, place, request)
        if isinstance(found, Result):
            return found
        return _told(snapshot, place, found, "definition", MAX_DEFINITIONS)

    def references(self, snapshot: Snapshot, arguments: LspReferences) -> Result:
        """Where it is used."""
        place = place_of(snapshot, arguments)

        async def request(connection: Connection) -> Found:
            return found_in(await connection.references(place.position), connection.workspace)

        found = self._ask(snapshot, place, request)
        if isinstance(found, Result):
            return found
        return _told(snapshot, place, found, "reference", arguments.limit, offset=arguments.offset)

    def hover(self, snapshot: Snapshot, arguments: Hover) -> Result:
        """What it is."""
        place = place_of(snapshot, arguments)

        async def request(connection: Connection) -> str:
            return without_machine_paths(hover_text(await connection.hover(place.position)), connection.workspace)

        said = self._ask(snapshot, place, request)
        if isinstance(said, Result):
            return said
        if not said:
            return Result(f"The language server has nothing to say about {quoted(place.name)} ({place.where}).")
        return Result(f"{quoted(place.name)} ({place.where})\n{shorten(said, HOVER_CHARS)}")

    def _ask(self, snapshot: Snapshot, place: Place, request: Request[T]) -> T | Result:
        path = place.position.path
        server = next((one for one in self.servers if one.serves(path)), None)
        if server is None:
            known = ", ".join(pattern for one in self.servers for pattern in one.files)
            raise BadArgument(f"no language server knows {path!r}, only {known}; use find_symbol, find_references")
        try:
            return self.pool.ask(snapshot, server, request)
        except ServerFailed as failure:
            others = "Go on without it: find_symbol, find_references, grep."
            return Result(f"The language server could not be asked: {failure}\n{others}", ok=False)


def _told(snapshot: Snapshot, place: Place, found: Found, noun: str, limit: int, *, offset: int = 0) -> Result:
    """The rows of the places, as many as fit, and in words what is left out or lies outside."""
    spots = found.spots[offset : offset + limit]
    told = [(spot, text) for spot in spots if (text := _row(snapshot, spot))]
    told = told[: fitting([text for _, text in told])]
    remarks: list[str] = []
    if offset and not spots:
        remarks.append(f"offset={offset} is beyond the last line")
    elif (left := len(found.spots) - offset - len(told)) > 0:
        advice = f": lsp_references with offset={offset + len(told)}" if noun == "reference" else ""
        remarks.append(f"{counted(left, 'more line')}{advice}")
    if found.outside:
        more = f", and {len(found.outside) - MAX_OUTSIDE:,} more" if len(found.outside) > MAX_OUTSIDE else ""
        remarks.append(f"outside this repository: {', '.join(found.outside[:MAX_OUTSIDE])}{more}")
    if not found.spots:
        where = "in this repository " if found.outside else ""
        head = f"The language server finds no {noun} {where}of {quoted(place.name)} ({place.where})."
        return Result(compose(head, (), remarks))
    files = len({spot.path for spot in found.spots})
    lines = f"{counted(len(found.spots), 'line')} in {counted(files, 'file')}"
    head = f"{noun.capitalize()}s of {quoted(place.name)} ({place.where}): {lines}"
    shown = tuple(Shown(path=spot.path, first=spot.line, last=spot.line, how="match") for spot, _ in told)
    return Result(compose(head, [text for _, text in told], remarks), shown=shown)


def _row(snapshot: Snapshot, spot: Spot) -> str | None:
    try:
        return row(snapshot, spot)
    except NotReadable:  # it changed on disk since the snapshot was taken
        return None
