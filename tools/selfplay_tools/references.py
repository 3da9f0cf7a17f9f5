"""`find_references`: where a name is used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import Field

from selfplay_tools.code import Code, code_of, last_part, texts_holding, tidy, unsearched
from selfplay_tools.definitions import Definition
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.languages import language_of
from selfplay_tools.lexing import is_lexed, quiet_text
from selfplay_tools.likely import word
from selfplay_tools.linear import Regex, compiled
from selfplay_tools.output import ROOM, clip, compose, counted, quoted
from selfplay_tools.places import Scope, link_remark, scope_of
from selfplay_tools.searched import Span
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

    def takes(self, lines: int) -> bool:
        """Whether any of a file's lines would be shown."""
        return bool(lines) and not self.is_full and len(self.shown) < self.limit and self.total + lines > self.offset

    def count(self, lines: int) -> None:
        """Count a file's lines, of which none is shown."""
        self.files += bool(lines)
        self.total += lines

    def add(self, path: str, note: str, uses: Sequence[Use]) -> None:
        """Count a file's lines, and take those that belong on the page."""
        self.files += bool(uses)
        heading = [*([""] if self.rows else []), f"{path}{note}"]
        for use in uses:
            self.total += 1
            if self.total <= self.offset or self.is_full:
                continue
            rows = [*heading, use.row]
            cost = sum(len(row) + 1 for row in rows)
            self.is_full = len(self.shown) == self.limit or (cost > self.room and bool(self.shown))
            if self.is_full:
                continue
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
    regex = compiled(word(name))
    read = 0
    for span in texts_holding(snapshot, scope, name):
        (path,) = span.paths
        read += span.ends[0] - span.starts[0]
        if page.left > COUNTED_ON or (read > MAX_READ_BYTES and scope.only is None):
            return path
        try:
            _add(page, _Place(snapshot, path, span, name), regex)
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


def _add(page: _Page, file: _Place, regex: Regex) -> None:
    """Count the file's lines that hold the name as code; those that are shown say what they stand in."""
    start, end = file.span.starts[0], file.span.ends[0]
    source = file.span.buffer[start:end]
    places = [place for place, _ in regex.spans(source)]
    if not places:
        return
    language = language_of(file.path, source)
    if language is None:
        page.add(file.path, NOT_PARSED, _rows(file, places, Code(None)))
        return
    if not is_lexed(language.name):
        code = code_of(file.snapshot, file.path, with_quiet=True)
        quiet, note = code.quiet, "" if code.quiet else NOT_PARSED
        places = [place for place in places if not (quiet and quiet.hold(place))]
        page.add(file.path, note, _rows(file, places, code))
        return
    quiet = quiet_text(language.name, source, places[-1] + 1)
    places = [place for place in places if not quiet.hold(place)]
    lines = {number for number, _ in file.span.text(0).numbered(start + place for place in places)}
    if page.takes(len(lines)):
        page.add(file.path, "", _rows(file, places, code_of(file.snapshot, file.path)))
    else:
        page.count(len(lines))


def _rows(file: _Place, places: Sequence[int], code: Code) -> list[Use]:
    """The lines that hold the name there, each once."""
    lines, start = file.span.text(0), file.span.starts[0]
    defined = {one.line for one in code.definitions if one.name == file.name}
    uses: dict[int, Use] = {}
    for at, place in lines.numbered(start + place for place in places):
        if at in uses:
            continue
        around = _around(code.definitions, at + 1)
        mark = "def" if at + 1 in defined else f"in {around.qualified}" if around else ""
        uses[at] = Use(at + 1, lines.column(at, place), lines[at], mark)
    return list(uses.values())


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
