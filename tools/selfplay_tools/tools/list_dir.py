"""`list_dir`: what is in a folder."""

from collections.abc import Iterator

from pydantic import Field

from selfplay_tools.output import clip, compose, count_fitting, folder_name, format_count, format_size
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


def list_dir(snapshot: Snapshot, arguments: ListDir) -> CallResult:
    """Rows of the folder's tree from `offset` on, names relative to the folder."""
    folder = resolve_folder(snapshot, arguments.path)
    found = list(_walk(snapshot, folder, "", arguments.depth))
    page = found[arguments.offset : arguments.offset + MAX_ROWS]
    rows = [_format_row(snapshot, folder, name, kind) for name, kind in page]
    rows = rows[: count_fitting(rows)]
    remarks = [*link_remark(arguments.path, folder), *_list_remarks(arguments.offset, len(rows), len(found))]
    return CallResult(compose(_format_head(snapshot, folder), rows, remarks))


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
    return clip(row, width=NAME_CHARS)


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


LIST_DIR = Tool(
    name="list_dir",
    description=(
        "List a folder: files with sizes, folders with how many files they hold. Use it to learn the layout. "
        f"Names are relative to the folder. {MAX_ROWS} rows per call; offset continues."
    ),
    arguments=ListDir,
    run=list_dir,
)
