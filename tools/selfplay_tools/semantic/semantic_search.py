"""`semantic_search`: code by meaning. Off unless a run or a server is configured with a model of embeddings."""

from collections.abc import Iterator
from functools import partial

from pydantic import Field

from selfplay_tools.errors import BadArgument
from selfplay_tools.output import (
    DEFAULT_LIMITS,
    ResultLimits,
    clip,
    compose_fitting,
    count_fitting,
    format_count,
    format_size,
    quote,
)
from selfplay_tools.protocols import Snapshot
from selfplay_tools.semantic.embedders import EmbeddingFailed
from selfplay_tools.semantic.semantic_index import MAX_FILE_BYTES, NearChunk, NearestChunks, SemanticIndex, TooManyTexts
from selfplay_tools.snapshot.scope import SearchScope, link_remark, scope_of
from selfplay_tools.tools.tool import AnyTool, CallResult, ShownRange, Tool, ToolArguments, bound_argument

QUERY_CHARS = 1_000
SNIPPET_CHARS = 1_600
"""As much as a chunk has."""
LINES = 4
"""Of each chunk that a result shows."""
MAX_CHUNKS = 30
INSTEAD = "Go on without it: use search, find_symbol or grep."


class SemanticSearch(ToolArguments):
    """Arguments of `semantic_search`."""

    query: str = Field("", max_length=QUERY_CHARS, description="What the code does, in a sentence.")
    snippet: str = Field(
        "", max_length=SNIPPET_CHARS, description="Code as you expect it to be there; names may be guessed."
    )
    path: str = Field("", description="Folder or file to look in; empty for all.")
    limit: int = Field(10, ge=1, le=MAX_CHUNKS)


def make_semantic_search(index: SemanticIndex, limits: ResultLimits = DEFAULT_LIMITS) -> AnyTool:
    """The tool that searches with one model. Its name, description and schema are the same whichever model it is."""

    def run(snapshot: Snapshot, arguments: SemanticSearch) -> CallResult:
        return run_semantic_search(index, snapshot, arguments, limits)

    return Tool(
        name="semantic_search",
        description=(
            "Find code by what it does, when no word of it is known. Give a query, or write the code that you expect "
            "to find as a snippet, or both. Returns the nearest pieces of code with their first lines, best first; "
            "the nearest may still be far off. Not reproducible to the last rank."
        ),
        arguments=bound_argument(SemanticSearch, "limit", min(MAX_CHUNKS, limits.max_rows)),
        run=run,
        # The model computes the query's vector anew each time. Servers differ in its last digits from call to call,
        # and libraries from machine to machine: pieces that are almost equally near can change places.
        is_reproducible=False,
        limits=limits,
        remake=partial(make_semantic_search, index),
    )


def run_semantic_search(
    index: SemanticIndex, snapshot: Snapshot, arguments: SemanticSearch, limits: ResultLimits = DEFAULT_LIMITS
) -> CallResult:
    """The nearest chunks, each with its first lines."""
    query, snippet = arguments.query.strip(), arguments.snippet.strip("\n")
    if not any(map(str.isalnum, query + snippet)):
        raise BadArgument("semantic_search needs a query or a snippet with words in it; use grep for signs")
    scope = scope_of(snapshot, arguments.path)
    try:
        found = index.find_nearest(snapshot, scope, query, snippet, arguments.limit)
    except TooManyTexts as why:
        return _report_failure(f"{why}. They must be embedded ahead, by whoever runs these tools")
    except EmbeddingFailed as why:
        return _report_failure(str(why))
    except OSError as error:
        return _report_failure(f"the vectors can't be kept on disk: {error.strerror}")
    return _format_result(snapshot, arguments, scope, found, limits)


def _report_failure(why: str) -> CallResult:
    return CallResult(f"The code could not be searched by meaning: {why}.\n{INSTEAD}", ok=False)


def _format_result(
    snapshot: Snapshot, arguments: SemanticSearch, scope: SearchScope, found: NearestChunks, limits: ResultLimits
) -> CallResult:
    blocks: list[str] = []
    shown: list[ShownRange] = []
    for rank, near in enumerate(found.best, 1):
        block, lines = _format_block(snapshot, rank, near, limits, limits.room_of_each(len(found.best)))
        blocks.append(block)
        first = near.place.first
        shown.append(ShownRange(path=near.path, first=first, last=first + lines - 1, how="match"))
    link = link_remark(arguments.path, scope.root)
    text, count = compose_fitting(
        blocks,
        limits,
        lambda count: (_format_head(arguments, scope, found, count), [*link, *_list_remarks(found, count, limits)]),
    )
    return CallResult(text, shown=tuple(shown[:count]))


def _format_block(snapshot: Snapshot, rank: int, near: NearChunk, limits: ResultLimits, room: int) -> tuple[str, int]:
    """`1. path:first-last Outer.name` and the first lines; the text, and how many lines it shows."""
    place = near.place
    copies = f"  ({format_count(near.copies - 1, 'more piece')} with the same text)" if near.copies > 1 else ""
    head = f"{rank}. {near.path}:{place.first}-{place.last} {place.name}".rstrip() + copies
    last = min(place.last, place.first + LINES - 1)
    lines = snapshot.text_span(near.path).lines_of(0)[place.first - 1 : last]
    rows = [f"{number:6}\t{clip(line, width=limits.row_chars)}" for number, line in enumerate(lines, place.first)]
    rows = rows[: count_fitting(rows, room - len(head))]
    return "\n".join([head, *rows]), len(rows)


def _format_head(arguments: SemanticSearch, scope: SearchScope, found: NearestChunks, count: int) -> str:
    parts = [quote(arguments.query)] if arguments.query.strip() else []
    parts += ["the snippet"] if arguments.snippet.strip() else []
    if not found.total:
        return f"No text {scope.description} to search by meaning."
    pieces = format_count(found.total, "piece")
    return f"Nearest to {' and '.join(parts)}, the best {count} of {pieces} {scope.description}:"


def _list_remarks(found: NearestChunks, count: int, limits: ResultLimits) -> Iterator[str]:
    if count < len(found.best):
        yield f"{format_count(len(found.best) - count, 'more piece')}: ask with a smaller limit or a path"
    if found.left_out:
        examples = ", ".join(f"{entry.path} ({format_size(entry.size)})" for entry in found.left_out[: limits.named])
        more = ", …" if len(found.left_out) > limits.named else ""
        why = f"binary, unreadable or larger than {format_size(MAX_FILE_BYTES)}"
        yield f"not searched: {format_count(len(found.left_out), 'file')}, {why}: {examples}{more}; use grep there"
