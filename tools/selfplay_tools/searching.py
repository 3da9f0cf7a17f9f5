"""`search`: files ranked by the words of a query."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.output import compose, counted, fitting, listed, quoted
from selfplay_tools.pages import ROW_CHARS, Group, Hits
from selfplay_tools.places import Scope, link_remark, scope_of, skipped_remark
from selfplay_tools.searched import Lines
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.telling import telling_lines
from selfplay_tools.terms import terms_of
from selfplay_tools.tool import Arguments, Result, Tool

_NO_LINES = Lines(b"", 0, 0)


class Search(Arguments):
    """Arguments of `search`."""

    query: str = Field(min_length=1, description="Words, in any order.")
    path: str = Field("", description="Folder to look in; empty for all.")
    limit: int = Field(10, ge=1, le=50)


def search(snapshot: Snapshot, arguments: Search) -> Result:
    """The best files, each with its best lines."""
    words = [term.word for term in terms_of(arguments.query)]
    if not words:
        raise BadArgument(f"the query {quoted(arguments.query)} has no words; use grep for signs and numbers")
    scope = scope_of(snapshot, arguments.path)
    ranked = snapshot.index.rank((arguments.query,), arguments.limit, scope.inside or snapshot.index.within(scope.root))
    hits = telling_lines([(path, _lines(snapshot, path)) for path, _ in ranked.best], words)
    groups = [_group(hit) for hit in hits]
    blocks = ["\n".join([f"{rank}. {group.hits.path}", *group.rows]) for rank, group in enumerate(groups, 1)]
    count = fitting(blocks)
    remarks = [
        *link_remark(arguments.path, scope.root),
        *_remarks(snapshot, words, scope, ranked.total, groups[:count]),
    ]
    shown = tuple(shown for group in groups[:count] for shown in group.shown)
    return Result(compose(_head(words, scope, ranked.total, count), blocks[:count], remarks), shown=shown)


def _lines(snapshot: Snapshot, path: str) -> Lines:
    try:
        return snapshot.source(path).text(0)
    except NotReadable:  # it changed on disk since it was ranked
        return _NO_LINES


def _group(hits: Hits) -> Group:
    group = Group(hits)
    for line, window in hits.windows(context=0, skipped=0):
        heads = group.heads(line, line)
        group.add(group.rows_for(heads, window, with_gaps=False), line, heads, window)
    return group


def _head(words: Sequence[str], scope: Scope, total: int, shown: int) -> str:
    terms = ", ".join(words)
    if not total:
        return f"No file {scope.place} holds any of: {terms} ({counted(scope.count, 'file')} searched)."
    return f"{counted(total, 'file')} {scope.place} with any of: {terms}; the best {shown}:"


def _remarks(
    snapshot: Snapshot, words: Sequence[str], scope: Scope, total: int, groups: Sequence[Group]
) -> Iterator[str]:
    nowhere = snapshot.index.unknown(words)
    if nowhere:
        yield f"in no file at all: {listed(nowhere)}"
    if any(group.has_clipped for group in groups):
        yield f"a line of over {ROW_CHARS} characters is cut; [+n] stands for n of them"
    if total > len(groups):
        yield f"{counted(total - len(groups), 'more file')}: search with a larger limit, a path, or rarer words"
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
