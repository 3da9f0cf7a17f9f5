"""`find_files`: paths by glob."""

from collections.abc import Iterator, Sequence
from functools import partial

from pydantic import Field

from selfplay_tools.output import (
    DEFAULT_LIMITS,
    MAX_ROWS,
    ResultLimits,
    clip,
    compose,
    compose_fitting,
    folder_name,
    format_count,
    format_names,
    quote,
)
from selfplay_tools.protocols import PathKind, Snapshot, SnapshotEntry
from selfplay_tools.snapshot.scope import list_entries_below, resolve_folder
from selfplay_tools.text.paths import match_glob
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments, bound_argument


class FindFiles(ToolArguments):
    """Arguments of `find_files`."""

    pattern: str = Field(min_length=1, description='Glob: "*.py", "src/**/test_*.py", "*.{c,h}".')
    path: str = Field("", description="Folder to look in; empty for all.")
    ignore_case: bool = False
    limit: int = Field(100, ge=1, le=MAX_ROWS)
    offset: int = Field(0, ge=0, description="Paths skipped.")


def find_files(snapshot: Snapshot, arguments: FindFiles, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """Paths that match, in path order, from `offset` on."""
    folder = resolve_folder(snapshot, arguments.path)
    entries = list_entries_below(snapshot, folder)
    found = _match_paths(arguments, folder, [entry.path for entry in entries])
    where = f"{quote(arguments.pattern)} in {folder_name(folder)}"
    if not found:
        return CallResult(
            compose(f"No file matches {where}.", (), _suggest_instead(snapshot, arguments, folder, entries))
        )
    page = found[arguments.offset : arguments.offset + arguments.limit]
    rows = [clip(_format_row(snapshot, path), width=limits.path_chars) for path in page]
    head = f"{format_count(len(found), 'path')} matching {where}"
    text, _ = compose_fitting(rows, limits, lambda count: (head, _list_remarks(arguments.offset, count, len(found))))
    return CallResult(text)


def _match_paths(arguments: FindFiles, folder: str, paths: Sequence[str]) -> list[str]:
    return match_glob(paths, arguments.pattern, folder, ignore_case=arguments.ignore_case)


def _format_row(snapshot: Snapshot, path: str) -> str:
    match snapshot.kind(path):
        case PathKind.LINK:
            return f"{path} -> {snapshot.link_target(path)}"
        case PathKind.SUBMODULE:
            return f"{path} (submodule)"
        case _:
            return path


def _list_remarks(offset: int, shown: int, total: int) -> Iterator[str]:
    end = offset + shown
    if not shown:
        yield f"offset={offset} is beyond the last path"
    elif offset or end < total:
        yield f"paths {offset + 1}-{end} of {total:,}"
    if shown and end < total:
        yield f"{format_count(total - end, 'more path')}: find_files with offset={end}, or a narrower pattern or path"


def _suggest_instead(
    snapshot: Snapshot, arguments: FindFiles, folder: str, entries: Sequence[SnapshotEntry]
) -> Iterator[str]:
    """What may have been meant: folders that match, other letters, a pattern from the root, similar names."""
    folders = _list_folders(folder, entries)
    pattern = arguments.pattern.rstrip("/")
    if pattern and (same := match_glob(folders, pattern, folder, ignore_case=arguments.ignore_case)):
        yield f"Folders match: {format_names(path + '/' for path in same[:5])}. Use list_dir to see what is in one."
        return
    if not arguments.ignore_case:
        other = match_glob([entry.path for entry in entries], arguments.pattern, folder, ignore_case=True)
        if other:
            yield f"With ignore_case=true: {format_names(other[:5])}."
            return
    if folder and "/" in arguments.pattern:
        yield f"A pattern with / is matched against the path below {folder}/."
    if near := snapshot.nearest_paths(arguments.pattern):
        yield f"Paths that look like it: {format_names(near)}."


def _list_folders(folder: str, entries: Sequence[SnapshotEntry]) -> list[str]:
    found: dict[str, None] = {}
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        while len(parent) > len(folder) and parent not in found:
            found[parent] = None
            parent = parent.rpartition("/")[0]
    return sorted(found)


def make_find_files(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[FindFiles]:
    """The tool for results within these limits."""
    return Tool(
        name="find_files",
        description=(
            "Find files by name with a glob: * and ? stay within a name, ** crosses folders. A pattern without / "
            "matches names at any depth, one with / the whole path below `path`. Returns full paths, sorted."
        ),
        arguments=bound_argument(FindFiles, "limit", limits.max_rows),
        run=partial(find_files, limits=limits),
        limits=limits,
        remake=make_find_files,
    )


FIND_FILES = make_find_files()
