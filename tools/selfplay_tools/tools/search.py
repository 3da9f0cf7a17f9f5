"""`search`: files ranked by the words of a query."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.index.query_terms import terms_of
from selfplay_tools.output import compose, count_fitting, format_count, format_names, quote
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import SearchScope, link_remark, scope_of, skipped_remark
from selfplay_tools.text.lines import TextLines
from selfplay_tools.tools.match_page import ROW_CHARS, FileHits, FileRows
from selfplay_tools.tools.snippets import select_snippets
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments

_NO_LINES = TextLines(b"", 0, 0)


class Search(ToolArguments):
    """Arguments of `search`."""

    query: str = Field(min_length=1, description="Words, in any order.")
    path: str = Field("", description="Folder to look in; empty for all.")
    limit: int = Field(10, ge=1, le=50)


def search(snapshot: Snapshot, arguments: Search) -> CallResult:
    """The best files, each with its best lines."""
    words = [term.word for term in terms_of(arguments.query)]
    if not words:
        raise BadArgument(f"the query {quote(arguments.query)} has no words; use grep for signs and numbers")
    scope = scope_of(snapshot, arguments.path)
    ranked = snapshot.index.rank(
        (arguments.query,), arguments.limit, scope.selection or snapshot.index.select(scope.root)
    )
    hits = select_snippets([(path, _read_lines(snapshot, path)) for path, _ in ranked.best], words)
    groups = [_make_rows(hit) for hit in hits]
    blocks = ["\n".join([f"{rank}. {group.hits.path}", *group.rows]) for rank, group in enumerate(groups, 1)]
    count = count_fitting(blocks)
    remarks = [
        *link_remark(arguments.path, scope.root),
        *_list_remarks(snapshot, words, scope, ranked.total, groups[:count]),
    ]
    shown = tuple(shown for group in groups[:count] for shown in group.shown)
    return CallResult(compose(_format_head(words, scope, ranked.total, count), blocks[:count], remarks), shown=shown)


def _read_lines(snapshot: Snapshot, path: str) -> TextLines:
    try:
        return snapshot.text_span(path).lines_of(0)
    except NotReadable:  # it changed on disk since it was ranked
        return _NO_LINES


def _make_rows(hits: FileHits) -> FileRows:
    group = FileRows(hits)
    for line, window in hits.list_windows(context=0, skipped=0):
        heads = group.list_heads(line, line)
        group.add(group.format_rows(heads, window, with_gaps=False), line, heads, window)
    return group


def _format_head(words: Sequence[str], scope: SearchScope, total: int, shown: int) -> str:
    terms = ", ".join(words)
    if not total:
        return f"No file {scope.description} holds any of: {terms} ({format_count(scope.count, 'file')} searched)."
    return f"{format_count(total, 'file')} {scope.description} with any of: {terms}; the best {shown}:"


def _list_remarks(
    snapshot: Snapshot, words: Sequence[str], scope: SearchScope, total: int, groups: Sequence[FileRows]
) -> Iterator[str]:
    nowhere = snapshot.index.find_unknown(words)
    if nowhere:
        yield f"in no file at all: {format_names(nowhere)}"
    if any(group.has_clipped for group in groups):
        yield f"a line of over {ROW_CHARS} characters is cut; [+n] stands for n of them"
    if total > len(groups):
        yield f"{format_count(total - len(groups), 'more file')}: search with a larger limit, a path, or rarer words"
    yield from skipped_remark(scope)


SEARCH = Tool(
    name="search",
    description=(
        "Rank files by keywords; case does not matter, and `header` also finds ServerHeaders. Use it when the exact "
        "name is unknown. Returns the best files, each with its best lines as grep shows them."
    ),
    arguments=Search,
    run=search,
)
