"""Where a call looks: a file, or everything below a folder, and which of its files can be searched."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.output import folder_name, format_count, format_size
from selfplay_tools.protocols import FileSelection, PathKind, Snapshot, SnapshotEntry
from selfplay_tools.text.paths import match_glob, range_below


def list_entries_below(snapshot: Snapshot, folder: str) -> Sequence[SnapshotEntry]:
    """Every entry below a folder, sorted by path."""
    entries = snapshot.entries
    if not folder:
        return entries
    first, last = range_below(folder, entries)
    return entries[first:last]


def resolve_folder(snapshot: Snapshot, path: str) -> str:
    """The real path of the folder that a model named. Raises BadArgument, NoSuchPath, NotReadable."""
    real = snapshot.resolve(path)
    kind = snapshot.kind(real)
    if kind is PathKind.FILE:
        raise BadArgument(f"{real!r} is a file, not a folder; use read_file to see it, or give its folder")
    if kind is PathKind.SUBMODULE:
        raise NotReadable(f"{real!r} is {describe_submodule(snapshot, real)}")
    return real


def resolve_file(snapshot: Snapshot, path: str) -> str:
    """The real path of the file that a model named. Raises BadArgument, NoSuchPath, NotReadable."""
    real = snapshot.resolve(path)
    kind = snapshot.kind(real)
    if kind is PathKind.FOLDER:
        raise BadArgument(f"{real or '.'!r} is a folder, not a file; use list_dir to see what is in it")
    if kind is PathKind.SUBMODULE:
        raise NotReadable(f"{real!r} is {describe_submodule(snapshot, real)}")
    return real


def describe_submodule(snapshot: Snapshot, path: str) -> str:
    """What a submodule is, in words."""
    entry = snapshot.entry(path)
    commit = entry.oid[:12] if entry else "an unknown commit"
    return f"a submodule at commit {commit}; its files are not part of this snapshot"


def link_remark(written: str, real: str) -> list[str]:
    """One remark where a link stood on the way from what a model wrote to the real path, or none."""
    tidy = "/".join(part for part in written.split("/") if part not in {"", "."})
    return [] if tidy == real or ".." in tidy.split("/") else [f"{tidy!r} is a link to {real!r}"]


@dataclass(frozen=True, slots=True)
class SearchScope:
    """The files that a search covers."""

    root: str
    """The real path of the place."""
    description: str
    """In words: `in src/`, `in src/ (files that match "*.py")`."""
    only: str | None
    """Set where a single file was named: it is searched whatever it holds."""
    files: AbstractSet[str]
    """Real paths of the files that are searched."""
    skipped: Sequence[SnapshotEntry]
    """Files inside the place that are not searched: binary or too large."""
    selection: FileSelection | None = None
    """The same for the index; None where a single file was named."""

    @property
    def count(self) -> int:
        """How many files are searched."""
        return len(self.files)


def scope_of(snapshot: Snapshot, path: str, glob: str = "") -> SearchScope:
    """The files in `path` whose path below it matches `glob`. Raises what `resolve` raises, and BadArgument."""
    real = snapshot.resolve(path)
    kind = snapshot.kind(real)
    if kind is PathKind.SUBMODULE:
        raise NotReadable(f"{real!r} is {describe_submodule(snapshot, real)}")
    if kind is PathKind.FILE:
        folder, _, name = real.rpartition("/")
        if glob and not match_glob([real], glob, folder):
            raise BadArgument(f"the file {name!r} does not match the glob {glob!r}; leave glob empty for a single file")
        return SearchScope(real, f"in {real}", real, frozenset({real}), ())
    place = f"in {folder_name(real)}"
    if glob:
        place = f"{place} (files matching {glob!r})"
    inside = snapshot.index.select(real, glob)
    return SearchScope(real, place, None, inside.files, inside.skipped, inside)


def skipped_remark(scope: SearchScope, named: int) -> list[str]:
    """One remark on the files that were not searched, the first of them by name, or none."""
    if not scope.skipped:
        return []
    examples = ", ".join(f"{entry.path} ({format_size(entry.size)})" for entry in scope.skipped[:named])
    more = ", …" if len(scope.skipped) > named else ""
    files = format_count(len(scope.skipped), "file")
    why = "binary, unreadable or larger than 2 MiB"
    return [f"not searched: {files}, {why}: {examples}{more}; to search one, give it as path"]
