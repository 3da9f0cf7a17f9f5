"""Where a call looks: a file, or everything below a folder, and which of its files can be searched."""

from bisect import bisect_left
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.globs import matching
from selfplay_tools.output import counted, folder_name, sized
from selfplay_tools.snapshot import Entry, Kind, Place, Snapshot


def below(snapshot: Snapshot, folder: str) -> Sequence[Entry]:
    """Every entry below a folder, sorted by path."""
    entries = snapshot.entries
    if not folder:
        return entries
    first = bisect_left(entries, f"{folder}/", key=_path)
    last = bisect_left(entries, f"{folder}0", first, key=_path)  # "0" is the character after "/"
    return entries[first:last]


def _path(entry: Entry) -> str:
    return entry.path


def folder_at(snapshot: Snapshot, path: str) -> str:
    """The real path of the folder that a model named. Raises BadArgument, NoSuchPath, NotReadable."""
    real = snapshot.resolve(path)
    kind = snapshot.kind(real)
    if kind is Kind.FILE:
        raise BadArgument(f"{real!r} is a file, not a folder; use read_file to see it, or give its folder")
    if kind is Kind.SUBMODULE:
        raise NotReadable(f"{real!r} is {submodule(snapshot, real)}")
    return real


def file_at(snapshot: Snapshot, path: str) -> str:
    """The real path of the file that a model named. Raises BadArgument, NoSuchPath, NotReadable."""
    real = snapshot.resolve(path)
    kind = snapshot.kind(real)
    if kind is Kind.FOLDER:
        raise BadArgument(f"{real or '.'!r} is a folder, not a file; use list_dir to see what is in it")
    if kind is Kind.SUBMODULE:
        raise NotReadable(f"{real!r} is {submodule(snapshot, real)}")
    return real


def submodule(snapshot: Snapshot, path: str) -> str:
    """What a submodule is, in words."""
    entry = snapshot.entry(path)
    commit = entry.oid[:12] if entry else "an unknown commit"
    return f"a submodule at commit {commit}; its files are not part of this snapshot"


def link_remark(written: str, real: str) -> list[str]:
    """One remark where a link stood on the way from what a model wrote to the real path, or none."""
    tidy = "/".join(part for part in written.split("/") if part not in {"", "."})
    return [] if tidy == real or ".." in tidy.split("/") else [f"{tidy!r} is a link to {real!r}"]


@dataclass(frozen=True, slots=True)
class Scope:
    """The files that a search covers."""

    root: str
    """The real path of the place."""
    place: str
    """In words: `in src/`, `in src/ (files that match "*.py")`."""
    only: str | None
    """Set where a single file was named: it is searched whatever it holds."""
    files: AbstractSet[str]
    """Real paths of the files that are searched."""
    skipped: Sequence[Entry]
    """Files inside the place that are not searched: binary or too large."""
    inside: Place | None = None
    """The same for the index; None where a single file was named."""

    @property
    def count(self) -> int:
        """How many files are searched."""
        return len(self.files)


def scope_of(snapshot: Snapshot, path: str, glob: str = "") -> Scope:
    """The files in `path` whose path below it matches `glob`. Raises what `resolve` raises, and BadArgument."""
    real = snapshot.resolve(path)
    kind = snapshot.kind(real)
    if kind is Kind.SUBMODULE:
        raise NotReadable(f"{real!r} is {submodule(snapshot, real)}")
    if kind is Kind.FILE:
        folder, _, name = real.rpartition("/")
        if glob and not matching([real], glob, folder):
            raise BadArgument(f"the file {name!r} does not match the glob {glob!r}; leave glob empty for a single file")
        return Scope(real, f"in {real}", real, frozenset({real}), ())
    place = f"in {folder_name(real)}"
    if glob:
        place = f"{place} (files matching {glob!r})"
    inside = snapshot.index.within(real, glob)
    return Scope(real, place, None, inside.files, inside.skipped, inside)


def skipped_remark(scope: Scope, named: int = 3) -> list[str]:
    """One remark on the files that were not searched, or none."""
    if not scope.skipped:
        return []
    examples = ", ".join(f"{entry.path} ({sized(entry.size)})" for entry in scope.skipped[:named])
    more = ", …" if len(scope.skipped) > named else ""
    files = counted(len(scope.skipped), "file")
    why = "binary, unreadable or larger than 2 MiB"
    return [f"not searched: {files}, {why}: {examples}{more}; to search one, give it as path"]
