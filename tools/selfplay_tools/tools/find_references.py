"""`find_references`: where a name is used."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from pydantic import Field

from selfplay_tools.code.code_file import (
    code_of,
    describe_unsearched,
    find_definitions_around,
    find_texts_with,
    last_part_of,
    tidy_symbol,
)
from selfplay_tools.code.definitions import Definition
from selfplay_tools.code.languages import language_of
from selfplay_tools.code.lexer import can_lex, select_in_code
from selfplay_tools.code.likely_definitions import find_whole_words
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.output import DEFAULT_LIMITS, ResultLimits, clip, compose, format_count, quote
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import SearchScope, link_remark, scope_of
from selfplay_tools.text.lines import TextLines, TextSpan
from selfplay_tools.tools.tool import CallResult, ShownRange, Tool, ToolArguments, bound_argument

MAX_USES = 200
COUNTED_ON = 200
"""Lines that are still counted after the last one shown."""
MAX_READ_BYTES = 32 << 20
"""Of files that hold the word and are looked into by one call, in path order."""
NOT_PARSED = "  (not parsed: any text)"


class FindReferences(ToolArguments):
    """Arguments of `find_references`."""

    name: str = Field(min_length=1, description="Exact name.")
    path: str = Field("", description="Folder or file; empty for all.")
    limit: int = Field(50, ge=1, le=MAX_USES, description="Lines to show.")
    offset: int = Field(0, ge=0, description="Lines to skip.")


@dataclass(frozen=True, slots=True)
class NameUse:
    """A line that holds the name."""

    line: int
    """1-based."""
    column: int
    """Characters of the line before the first occurrence."""
    text: str
    mark: str
    """How the line uses the name: `def`, `in Outer.function`, or empty at the top of a file."""

    def format_row(self, row_chars: int) -> str:
        """The line as it is shown."""
        return f"{self.line}:{clip(self.text, self.column, row_chars)}" + (f"  [{self.mark}]" if self.mark else "")


@dataclass(slots=True)
class _UsePage:
    """Lines from `offset` on, at most `limit` and what fits."""

    offset: int
    limit: int
    room: int
    row_chars: int
    total: int = 0
    files: int = 0
    rows: list[str] = field(default_factory=list[str])
    shown: list[ShownRange] = field(default_factory=list[ShownRange])
    is_full: bool = False

    def slice_wanted(self, lines: int) -> slice:
        """Which of a file's lines would be shown, if there is room."""
        first = max(self.offset - self.total, 0)
        return slice(first, 0 if self.is_full else min(lines, first + self.limit - len(self.shown)))

    def add(self, path: str, note: str, lines: int, uses: Iterable[NameUse]) -> None:
        """Count a file's lines, and take those that are wanted."""
        self.files += bool(lines)
        self.total += lines
        heading = [*([""] if self.rows else []), f"{path}{note}"]
        for use in uses:
            rows = [*heading, use.format_row(self.row_chars)]
            cost = sum(len(row) + 1 for row in rows)
            self.is_full = cost > self.room and bool(self.shown)
            if self.is_full:
                return
            heading = []
            self.rows += rows
            self.room -= cost
            self.shown.append(ShownRange(path=path, first=use.line, last=use.line, how="match"))

    @property
    def count_left(self) -> int:
        """Lines counted after the last one on the page."""
        return max(self.total - self.offset - len(self.shown), 0)


def find_references(snapshot: Snapshot, arguments: FindReferences, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """Lines that hold the name as code, in path order, each with the definition it stands in."""
    name = last_part_of(tidy_symbol(arguments.name))
    if not name or any(map(str.isspace, name)):
        raise BadArgument(f"{quote(arguments.name)} is not a name; use grep for patterns and search for words")
    scope = scope_of(snapshot, arguments.path)
    link, unsearched = link_remark(arguments.path, scope.root), describe_unsearched(scope, limits.named)
    page = _UsePage(arguments.offset, arguments.limit, limits.room_beside([*link, *unsearched]), limits.row_chars)
    beyond = _fill_page(snapshot, scope, name, page)
    remarks = [*link, *_list_remarks(page, beyond, arguments, name), *unsearched]
    if not page.total:
        head = f"{quote(name)} is not used as code {scope.description} ({format_count(scope.count, 'file')} searched)."
        return CallResult(compose(head, (), [*remarks, "grep also looks into comments and strings"]))
    over = "over " if beyond else ""
    lines, files = format_count(page.total, "line"), format_count(page.files, "file")
    head = f"{over}{lines} with {quote(name)} in {over}{files} {scope.description}, comments and strings aside"
    return CallResult(compose(head, page.rows, remarks), shown=tuple(page.shown))


def _fill_page(snapshot: Snapshot, scope: SearchScope, name: str, page: _UsePage) -> str:
    """Fill the page; the path of the first file that was not looked into, or nothing."""
    read = 0
    for span in find_texts_with(snapshot, scope, name):
        (path,) = span.paths
        read += span.ends[0] - span.starts[0]
        if page.count_left > COUNTED_ON or (read > MAX_READ_BYTES and scope.only is None):
            return path
        try:
            _add_file(page, _SearchedFile(snapshot, path, span, name))
        except NotReadable:  # it changed on disk since the snapshot was taken
            if scope.only is not None:
                raise
    return ""


@dataclass(frozen=True, slots=True)
class _SearchedFile:
    """A file that holds the name."""

    snapshot: Snapshot
    path: str
    span: TextSpan
    name: str


def _add_file(page: _UsePage, file: _SearchedFile) -> None:
    """Count the file's lines that hold the name as code; those that are shown say what they stand in."""
    start, end = file.span.starts[0], file.span.ends[0]
    source = file.span.buffer[start:end]
    places = list(find_whole_words(source, file.name))
    if not places:
        return
    places, note = _select_in_code(file, source, places)
    lines: dict[int, int] = {}
    text = file.span.lines_of(0)
    for number, place in text.number_places(start + place for place in places):
        lines.setdefault(number, place)
    shown = list(lines.items())[page.slice_wanted(len(lines))]
    at = [] if note else [place - start for _, place in shown]
    definitions = find_definitions_around(file.snapshot, file.path, source, at) if at else ()
    page.add(file.path, note, len(lines), _make_uses(file, text, shown, definitions))


def _select_in_code(file: _SearchedFile, source: bytes, places: Sequence[int]) -> tuple[Sequence[int], str]:
    """Those of the places that are no comment or string, and a note where that is not known."""
    language = language_of(file.path, source)
    if language and can_lex(language.name):
        return list(select_in_code(language.name, source, places)), ""
    quiet = code_of(file.snapshot, file.path, with_non_code=True).non_code if language else None
    return ([place for place in places if not quiet.contains(place)], "") if quiet else (places, NOT_PARSED)


def _make_uses(
    file: _SearchedFile, text: TextLines, shown: Iterable[tuple[int, int]], definitions: Sequence[Definition]
) -> Iterator[NameUse]:
    """Lines by their numbers, from 0, and the places of the name in them."""
    defined = {one.line for one in definitions if one.name == file.name}
    for number, place in shown:
        around = _find_innermost(definitions, number + 1)
        mark = "def" if number + 1 in defined else f"in {around.qualified}" if around else ""
        yield NameUse(number + 1, text.column_of(number, place), text[number], mark)


def _find_innermost(definitions: Sequence[Definition], line: int) -> Definition | None:
    """The innermost definition of several lines that the line stands in."""
    holding_it = (one for one in definitions if one.first <= line <= one.last and one.first < one.last)
    return min(holding_it, key=lambda one: (one.last - one.first, -one.first), default=None)


def _list_remarks(page: _UsePage, beyond: str, arguments: FindReferences, name: str) -> Iterator[str]:
    if tidy_symbol(arguments.name) != name:
        yield f"uses of any {name}: what it belongs to can't be told from the text"
    if page.total and not page.shown:
        yield f"offset={arguments.offset} is beyond the last line"
    elif page.count_left:
        over = "over " if beyond else ""
        more = format_count(page.count_left, "more line")
        yield f"{over}{more}: find_references with offset={page.offset + len(page.shown)}, or narrow it with path"
    elif beyond:
        yield f"too many files hold this word: those from {beyond} on were not looked into; give a path"


def make_find_references(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[FindReferences]:
    """The tool for results within these limits."""
    return Tool(
        name="find_references",
        description=(
            "Find the lines that use a name as code (not in comments or strings), grouped by file in path order; [def] "
            "marks its definitions, [in f] says what a line stands in. Use it to see who calls or imports something."
        ),
        arguments=bound_argument(FindReferences, "limit", min(MAX_USES, limits.max_rows)),
        run=partial(find_references, limits=limits),
        limits=limits,
        remake=make_find_references,
    )


FIND_REFERENCES = make_find_references()
