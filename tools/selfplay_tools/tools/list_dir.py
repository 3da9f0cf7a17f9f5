"""`list_dir`: what is in a folder."""

from collections.abc import Iterator
from functools import partial

from pydantic import Field

from selfplay_tools.output import (
    DEFAULT_LIMITS,
    ResultLimits,
    clip,
    compose_fitting,
    folder_name,
    format_count,
    format_size,
)
from selfplay_tools.protocols import PathKind, Snapshot
from selfplay_tools.snapshot.scope import describe_submodule, link_remark, list_entries_below, resolve_folder
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments

MAX_ROWS = 200
NAME_CHARS = 1_000
KINDS = (
    (PathKind.FOLDER, "folder"),
    (PathKind.FILE, "file"),
    (PathKind.LINK, "link"),
    (PathKind.SUBMODULE, "submodule"),
)


class ListDir(ToolArguments):
    """Arguments of `list_dir`."""

    path: str = Field("", description="Folder; empty for the root.")
    depth: int = Field(1, ge=1, le=4, description="Levels of folders to show.")
    offset: int = Field(0, ge=0, description="Rows skipped.")


def list_dir(snapshot: Snapshot, arguments: ListDir, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """Rows of the folder's tree from `offset` on, names relative to the folder."""
    folder = resolve_folder(snapshot, arguments.path)
    found = list(_walk(snapshot, folder, "", arguments.depth))
    page = found[arguments.offset : arguments.offset + _rows_within(limits)]
    width = min(NAME_CHARS, limits.path_chars)
    rows = [clip(_format_row(snapshot, folder, name, kind), width=width) for name, kind in page]
    head, link = _format_head(snapshot, folder), link_remark(arguments.path, folder)
    text, _ = compose_fitting(
        rows, limits, lambda count: (head, [*link, *_list_remarks(arguments.offset, count, len(found))])
    )
    return CallResult(text)


def _rows_within(limits: ResultLimits) -> int:
    return min(MAX_ROWS, limits.max_rows)


def _walk(snapshot: Snapshot, folder: str, prefix: str, depth: int) -> Iterator[tuple[str, PathKind]]:
    """Names relative to the listed folder, each folder followed by what is in it."""
    for name, kind in snapshot.children(folder):
        yield prefix + name, kind
        if kind is PathKind.FOLDER and depth > 1:
            path = f"{folder}/{name}" if folder else name
            yield from _walk(snapshot, path, f"{prefix}{name}/", depth - 1)


def _format_row(snapshot: Snapshot, folder: str, name: str, kind: PathKind) -> str:
    path = f"{folder}/{name}" if folder else name
    entry = snapshot.entry(path)
    if kind is PathKind.FOLDER:
        row = f"{name}/  ({format_count(len(list_entries_below(snapshot, path)), 'file')})"
    elif kind is PathKind.LINK:
        row = f"{name} -> {snapshot.link_target(path)}"
    elif kind is PathKind.SUBMODULE:
        row = f"{name}  {describe_submodule(snapshot, path)}"
    else:
        row = f"{name}  {format_size(entry.size if entry else 0)}"
    return row


def _format_head(snapshot: Snapshot, folder: str) -> str:
    kinds = [kind for _, kind in snapshot.children(folder)]
    counts = [format_count(kinds.count(kind), noun) for kind, noun in KINDS if kind in kinds]
    return f"{folder_name(folder)}: {', '.join(counts) or 'empty'}"


def _list_remarks(offset: int, shown: int, total: int) -> Iterator[str]:
    end = offset + shown
    if offset >= total > 0:
        yield f"offset={offset} is beyond the last row: there are {format_count(total, 'row')}"
    elif offset or end < total:
        yield f"rows {offset + 1}-{end} of {total:,}"
    if shown and end < total:
        yield f"{format_count(total - end, 'more row')}: list_dir with offset={end}"


def make_list_dir(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[ListDir]:
    """The tool for results within these limits."""
    return Tool(
        name="list_dir",
        description=(
            "List a folder: files with sizes, folders with how many files they hold. Use it to learn the layout. "
            f"Names are relative to the folder. {_rows_within(limits)} rows per call; offset continues."
        ),
        arguments=ListDir,
        run=partial(list_dir, limits=limits),
        limits=limits,
        remake=make_list_dir,
    )


LIST_DIR = make_list_dir()
