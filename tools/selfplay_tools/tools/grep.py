"""`grep`: lines that match a regular expression."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from pydantic import Field

from selfplay_tools.index.patterns import LinePattern, MatchedText
from selfplay_tools.output import DEFAULT_LIMITS, ResultLimits, compose, format_count, quote
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import SearchScope, link_remark, scope_of, skipped_remark
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.tools.match_page import FileHits, MatchPage
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments, bound_argument

MAX_MATCHES = 200
COUNTED_ON = 100
"""Matching lines that are still counted after the last one shown."""
COUNTED_FILES = 500
"""Files of the snapshot, in path order after the first one with a line that is not shown, in which they are counted."""


class Grep(ToolArguments):
    """Arguments of `grep`."""

    pattern: str = Field(min_length=1, description="Regular expression (RE2 syntax).")
    path: str = Field("", description="Folder or file; empty for all.")
    glob: str = Field("", description='Only these files, as in find_files: "*.py".')
    ignore_case: bool = False
    context: int = Field(0, ge=0, le=10, description="Lines around each match.")
    limit: int = Field(50, ge=1, le=MAX_MATCHES)
    offset: int = Field(0, ge=0, description="Matching lines skipped.")


def grep(snapshot: Snapshot, arguments: Grep, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """Matching lines grouped by file, with their numbers, the lines around them and the definitions they lie in."""
    pattern = LinePattern(arguments.pattern, arguments.ignore_case)
    scope = scope_of(snapshot, arguments.path, arguments.glob)
    link = link_remark(arguments.path, scope.root)
    unsearched = list(_describe_unsearched(snapshot, scope, limits))
    page = MatchPage(
        offset=arguments.offset,
        limit=arguments.limit,
        context=arguments.context,
        room=limits.room_beside([*link, *unsearched]),
        path_chars=limits.path_chars,
    )
    is_counted = _fill_page(page, snapshot, scope, pattern, limits.row_chars)
    if not page.total:
        remarks = [*link, *_explain_nothing(snapshot, arguments, scope), *unsearched]
        return CallResult(compose(_format_nothing(arguments, scope), (), remarks))
    remarks = [*link, *_list_remarks(page, limits, is_counted=is_counted), *unsearched]
    return CallResult(
        compose(_format_head(arguments, scope, page, is_counted=is_counted), page.rows, remarks), shown=page.shown
    )


def _fill_page(page: MatchPage, snapshot: Snapshot, scope: SearchScope, pattern: LinePattern, row_chars: int) -> bool:
    """Put matching lines on the page, and count on; whether all that there are were counted."""
    most = page.offset + page.limit + COUNTED_ON + 1
    until = None
    for span in _find_spans(snapshot, scope, pattern):
        if until and span.paths[0] > until:
            return False
        for found in pattern.find_texts(span):
            path = span.paths[found.which]
            if until and path > until:
                return False
            matches = islice(found.matches, most - page.total)
            if page.is_full:
                page.count_on(sum(1 for _ in matches))
            else:
                page.add(_make_hits(found, matches, row_chars))
                until = _last_counted_path(snapshot, scope, path) if page.is_full else None
            if page.count_left > COUNTED_ON:
                return False
    return until is None


def _last_counted_path(snapshot: Snapshot, scope: SearchScope, path: str) -> str | None:
    """The last path in which matching lines are counted if those from `path` on do not fit; None for all of the scope.

    It depends on the snapshot's paths alone, so that what is counted is the same whatever is indexed.
    """
    entries = snapshot.entries
    at = bisect_left(entries, path, key=lambda entry: entry.path) + COUNTED_FILES
    is_inside = at < len(entries) - 1 and (not scope.root or entries[at + 1].path.startswith(f"{scope.root}/"))
    return entries[at].path if is_inside else None


def _find_spans(snapshot: Snapshot, scope: SearchScope, pattern: LinePattern) -> Iterable[TextSpan]:
    """Texts that may have a matching line, in path order."""
    if scope.only is not None:
        return (snapshot.text_span(scope.only),)
    return snapshot.index.find_spans(pattern.need, scope.selection)


def _make_hits(found: MatchedText, matches: Iterator[int], row_chars: int) -> FileHits:
    span, which = found.span, found.which
    lines = span.lines_of(which)
    return FileHits(
        span.paths[which],
        lines,
        {number: lines.column_of(number, place) for number, place in lines.number_places(matches)},
        row_chars,
    )


def _format_head(arguments: Grep, scope: SearchScope, page: MatchPage, *, is_counted: bool) -> str:
    least = "" if is_counted else "at least "
    lines, files = format_count(page.total, "matching line"), format_count(page.files, "file")
    return f"{least}{lines} in {least}{files} for {quote(arguments.pattern)} {scope.description}"


def _list_remarks(page: MatchPage, limits: ResultLimits, *, is_counted: bool) -> Iterator[str]:
    if page.has_clipped:
        yield f"a line of over {limits.row_chars} characters is cut; [+n] stands for n of them"
    if page.is_bare:
        yield "no room for the lines around the first match: read_file shows them"
    if not page.count:
        yield f"offset={page.offset} is beyond the last matching line"
    elif page.count_left:
        more = format_count(page.count_left, "more matching line")
        least = "" if is_counted else "at least "
        yield f"{least}{more}: grep with offset={page.offset + page.count}, or narrow it with path, glob or pattern"


def _describe_unsearched(snapshot: Snapshot, scope: SearchScope, limits: ResultLimits) -> Iterator[str]:
    yield from skipped_remark(scope, limits.named)
    if scope.only is not None and not (text := snapshot.text(scope.only)).is_whole:
        yield f"only the first {format_count(len(text.lines), 'line')} of this large file were searched"


def _format_nothing(arguments: Grep, scope: SearchScope) -> str:
    searched = format_count(scope.count, "file")
    return f"No line matches {quote(arguments.pattern)} {scope.description} ({searched} searched)."


def _explain_nothing(snapshot: Snapshot, arguments: Grep, scope: SearchScope) -> Iterator[str]:
    if "\n" in arguments.pattern or "\\n" in arguments.pattern:
        yield "each line is matched on its own: a pattern with a line end in it matches nothing"
    if "\\|" in arguments.pattern:
        yield "\\| is the character |; alternatives are parted by | alone"
    if scope.only is not None and snapshot.text(scope.only).is_binary:
        yield "the file is binary: it has no text to search"


def make_grep(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[Grep]:
    """The tool for results within these limits."""
    return Tool(
        name="grep",
        description=(
            "Search file contents line by line with a regular expression (no look-around, no back-references). Use it "
            "for exact names and strings. Returns `line:text` rows by file, in path order, files that define the match "
            "first on a page; `line=text` begins what they lie in, `line-text` is context."
        ),
        arguments=bound_argument(Grep, "limit", min(MAX_MATCHES, limits.max_rows)),
        run=partial(grep, limits=limits),
        limits=limits,
        remake=make_grep,
    )


GREP = make_grep()
