"""`find_references`: where a name is used."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import Field

from selfplay_tools.code import code_of, definitions_around, last_part, texts_holding, tidy, unsearched
from selfplay_tools.definitions import Definition
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.languages import language_of
from selfplay_tools.lexing import in_code, is_lexed
from selfplay_tools.likely import words_in
from selfplay_tools.output import ROOM, clip, compose, counted, quoted
from selfplay_tools.places import Scope, link_remark, scope_of
from selfplay_tools.searched import Lines, Span
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.tool import Arguments, Result, Shown, Tool

ROW_CHARS = 300
COUNTED_ON = 200
"""Lines that are still counted after the last one shown."""
MAX_READ_BYTES = 32 << 20
"""Of files that hold the word and are looked into by one call, in path order."""
NOT_PARSED = "  (not parsed: any text)"


class FindReferences(Arguments):
    """Arguments of `find_references`."""

    name: str = Field(min_length=1, description="Exact name.")
    path: str = Field("", description="Folder or file; empty for all.")
    limit: int = Field(50, ge=1, le=200, description="Lines to show.")
    offset: int = Field(0, ge=0, description="Lines to skip.")


@dataclass(frozen=True, slots=True)
class Use:
    """A line that holds the name."""

    line: int
    """1-based."""
    column: int
    """Characters of the line before the first occurrence."""
    text: str
    mark: str
    """What the line is to the name: `def`, `in Outer.function`, or empty at the top of a file."""

    @property
    def row(self) -> str:
        """The line as it is shown."""
        return f"{self.line}:{clip(self.text, self.column, ROW_CHARS)}" + (f"  [{self.mark}]" if self.mark else "")


@dataclass(slots=True)
class _Page:
    """Lines from `offset` on, at most `limit` and what fits."""

    offset: int
    limit: int
    total: int = 0
    files: int = 0
    rows: list[str] = field(default_factory=list[str])
    shown: list[Shown] = field(default_factory=list[Shown])
    room: int = ROOM
    is_full: bool = False

    def wanted(self, lines: int) -> slice:
        """Which of a file's lines would be shown, if there is room."""
        first = max(self.offset - self.total, 0)
        return slice(first, 0 if self.is_full else min(lines, first + self.limit - len(self.shown)))

    def add(self, path: str, note: str, lines: int, uses: Iterable[Use]) -> None:
        """Count a file's lines, and take those that are wanted."""
        self.files += bool(lines)
        self.total += lines
        heading = [*([""] if self.rows else []), f"{path}{note}"]
        for use in uses:
            rows = [*heading, use.row]
            cost = sum(len(row) + 1 for row in rows)
            self.is_full = cost > self.room and bool(self.shown)
            if self.is_full:
                return
            heading = []
            self.rows += rows
            self.room -= cost
            self.shown.append(Shown(path=path, first=use.line, last=use.line, how="match"))

    @property
    def left(self) -> int:
        """Lines counted after the last one on the page."""
        return max(self.total - self.offset - len(self.shown), 0)


def find_references(snapshot: Snapshot, arguments: FindReferences) -> Result:
    """Lines that hold the name as code, in path order, each with the definition it stands in."""
    name = last_part(tidy(arguments.name))
    if not name or any(map(str.isspace, name)):
        raise BadArgument(f"{quoted(arguments.name)} is not a name; use grep for patterns and search for words")
    scope = scope_of(snapshot, arguments.path)
    page = _Page(arguments.offset, arguments.limit)
    beyond = _collect(snapshot, scope, name, page)
    remarks = [*link_remark(arguments.path, scope.root), *_remarks(scope, page, beyond, arguments, name)]
    if not page.total:
        head = f"{quoted(name)} is not used as code {scope.place} ({counted(scope.count, 'file')} searched)."
        return Result(compose(head, (), [*remarks, "grep also looks into comments and strings"]))
    over = "over " if beyond else ""
    lines, files = counted(page.total, "line"), counted(page.files, "file")
    head = f"{over}{lines} with {quoted(name)} in {over}{files} {scope.place}, comments and strings aside"
    return Result(compose(head, page.rows, remarks), shown=tuple(page.shown))


def _collect(snapshot: Snapshot, scope: Scope, name: str, page: _Page) -> str:
    """Fill the page; the path of the first file that was not looked into, or nothing."""
    read = 0
    for span in texts_holding(snapshot, scope, name):
        (path,) = span.paths
        read += span.ends[0] - span.starts[0]
        if page.left > COUNTED_ON or (read > MAX_READ_BYTES and scope.only is None):
            return path
        try:
            _add(page, _Place(snapshot, path, span, name))
        except NotReadable:  # it changed on disk since the snapshot was taken
            if scope.only is not None:
                raise
    return ""


@dataclass(frozen=True, slots=True)
class _Place:
    """A file that holds the name."""

    snapshot: Snapshot
    path: str
    span: Span
    name: str


def _add(page: _Page, file: _Place) -> None:
    """Count the file's lines that hold the name as code; those that are shown say what they stand in."""
    start, end = file.span.starts[0], file.span.ends[0]
    source = file.span.buffer[start:end]
    places = list(words_in(source, file.name))
    if not places:
        return
    places, note = _in_code(file, source, places)
    lines: dict[int, int] = {}
    text = file.span.text(0)
    for number, place in text.numbered(start + place for place in places):
        lines.setdefault(number, place)
    shown = list(lines.items())[page.wanted(len(lines))]
    at = [] if note else [place - start for _, place in shown]
    definitions = definitions_around(file.snapshot, file.path, source, at) if at else ()
    page.add(file.path, note, len(lines), _uses(file, text, shown, definitions))


def _in_code(file: _Place, source: bytes, places: Sequence[int]) -> tuple[Sequence[int], str]:
    """Those of the places that are no comment or string, and a note if that can't be told."""
    language = language_of(file.path, source)
    if language and is_lexed(language.name):
        return list(in_code(language.name, source, places)), ""
    quiet = code_of(file.snapshot, file.path, with_quiet=True).quiet if language else None
    return ([place for place in places if not quiet.hold(place)], "") if quiet else (places, NOT_PARSED)


def _uses(
    file: _Place, text: Lines, shown: Iterable[tuple[int, int]], definitions: Sequence[Definition]
) -> Iterator[Use]:
    """Lines by their numbers, from 0, and the places of the name in them."""
    defined = {one.line for one in definitions if one.name == file.name}
    for number, place in shown:
        around = _around(definitions, number + 1)
        mark = "def" if number + 1 in defined else f"in {around.qualified}" if around else ""
        yield Use(number + 1, text.column(number, place), text[number], mark)


def _around(definitions: Sequence[Definition], line: int) -> Definition | None:
    """The innermost definition of several lines that the line stands in."""
    holding_it = (one for one in definitions if one.first <= line <= one.last and one.first < one.last)
    return min(holding_it, key=lambda one: (one.last - one.first, -one.first), default=None)


def _remarks(scope: Scope, page: _Page, beyond: str, arguments: FindReferences, name: str) -> Iterator[str]:
    if tidy(arguments.name) != name:
        yield f"uses of any {name}: what it belongs to can't be told from the text"
    if page.total and not page.shown:
        yield f"offset={arguments.offset} is beyond the last line"
    elif page.left:
        over = "over " if beyond else ""
        more = counted(page.left, "more line")
        yield f"{over}{more}: find_references with offset={page.offset + len(page.shown)}, or narrow it with path"
    elif beyond:
        yield f"too many files hold this word: those from {beyond} on were not looked into; give a path"
    yield from unsearched(scope)


FIND_REFERENCES = Tool(
    name="find_references",
    description=(
        "Find the lines that use a name as code (not in comments or strings), grouped by file in path order; [def] "
        "marks its definitions, [in f] says what a line stands in. Use it to see who calls or imports something."
    ),
    arguments=FindReferences,
    run=find_references,
)
