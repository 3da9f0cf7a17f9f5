"""`find_files`: paths by glob."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from selfplay_tools.globs import matching
from selfplay_tools.output import clip, compose, counted, fitting, folder_name, listed, quoted
from selfplay_tools.places import below, folder_at
from selfplay_tools.snapshot import Entry, Kind, Snapshot
from selfplay_tools.tool import Arguments, Result, Tool

PATH_CHARS = 2_000


class FindFiles(Arguments):
    """Arguments of `find_files`."""

    pattern: str = Field(min_length=1, description='Glob: "*.py", "src/**/test_*.py", "*.{c,h}".')
    path: str = Field("", description="Folder to look in; empty for all.")
    ignore_case: bool = False
    limit: int = Field(100, ge=1, le=500)
    offset: int = Field(0, ge=0, description="Paths skipped.")


def find_files(snapshot: Snapshot, arguments: FindFiles) -> Result:
    """Paths that match, in path order, from `offset` on."""
    folder = folder_at(snapshot, arguments.path)
    entries = below(snapshot, folder)
    found = _matching(arguments, folder, [entry.path for entry in entries])
    where = f"{quoted(arguments.pattern)} in {folder_name(folder)}"
    if not found:
        return Result(compose(f"No file matches {where}.", (), _instead(snapshot, arguments, folder, entries)))
    rows = [_row(snapshot, path) for path in found[arguments.offset : arguments.offset + arguments.limit]]
    rows = rows[: fitting(rows)]
    return Result(
        compose(
            f"{counted(len(found), 'path')} matching {where}", rows, _remarks(arguments.offset, len(rows), len(found))
        )
    )


def _matching(arguments: FindFiles, folder: str, paths: Sequence[str]) -> list[str]:
    return matching(paths, arguments.pattern, folder, ignore_case=arguments.ignore_case)


def _row(snapshot: Snapshot, path: str) -> str:
    match snapshot.kind(path):
        case Kind.LINK:
            return clip(f"{path} -> {snapshot.link_target(path)}", width=PATH_CHARS)
        case Kind.SUBMODULE:
            return clip(f"{path} (submodule)", width=PATH_CHARS)
        case _:
            return clip(path, width=PATH_CHARS)


def _remarks(offset: int, shown: int, total: int) -> Iterator[str]:
    end = offset + shown
    if not shown:
        yield f"offset={offset} is beyond the last path"
    elif offset or end < total:
        yield f"paths {offset + 1}-{end} of {total:,}"
    if shown and end < total:
        yield f"{counted(total - end, 'more path')}: find_files with offset={end}, or a narrower pattern or path"


def _instead(snapshot: Snapshot, arguments: FindFiles, folder: str, entries: Sequence[Entry]) -> Iterator[str]:
    """What may have been meant: folders that match, other letters, a pattern from the root, similar names."""
    folders = _folders(folder, entries)
    pattern = arguments.pattern.rstrip("/")
    if pattern and (same := matching(folders, pattern, folder, ignore_case=arguments.ignore_case)):
        yield f"Folders match: {listed(path + '/' for path in same[:5])}. Use list_dir to see what is in one."
        return
    if not arguments.ignore_case:
        other = matching([entry.path for entry in entries], arguments.pattern, folder, ignore_case=True)
        if other:
            yield f"With ignore_case=true: {listed(other[:5])}."
            return
    if folder and "/" in arguments.pattern:
        yield f"A pattern with / is matched against the path below {folder}/."
    if near := snapshot.nearest(arguments.pattern):
        yield f"Paths that look like it: {listed(near)}."


def _folders(folder: str, entries: Sequence[Entry]) -> list[str]:
    found: dict[str, None] = {}
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        while len(parent) > len(folder) and parent not in found:
            found[parent] = None
            parent = parent.rpartition("/")[0]
    return sorted(found)


FIND_FILES = Tool(
    name="find_files",
    description=(
        "Find files by name with a glob: * and ? stay within a name, ** crosses folders. A pattern without / matches "
        "names at any depth, one with / the whole path below `path`. Returns full paths, sorted."
    ),
    arguments=FindFiles,
    run=find_files,
)
