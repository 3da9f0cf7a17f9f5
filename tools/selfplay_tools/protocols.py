r"""A snapshot: one commit, or one directory as it is on disk, seen through the same small interface.

A path from a model is only ever looked up in the inventory that was taken when the snapshot was opened. It never
reaches the operating system, so `..`, absolute paths, links out and case tricks have nothing to act on.

Paths are `/`-separated, relative to the root, without a leading `./`; the root itself is `""`. A name that is not
valid UTF-8, or that holds control characters, is shown escaped (`caf\xe9.txt`, `new\nline.txt`); the shown form is
the path's name everywhere.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from selfplay_tools.text.decoding import FileText
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.literals import Need


class PathKind(StrEnum):
    """What a path is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """One file, link or submodule of a snapshot."""

    path: str
    """As the player sees and names it."""
    kind: PathKind
    size: int
    """Bytes of the file, or of the link's target; 0 for a submodule."""
    oid: str
    """Git's id of the content (hex), equal for equal content wherever it lies. For a submodule its commit."""
    executable: bool = False


class Snapshot(Protocol):
    """Read-only view of one tree of files. Safe to use from several threads at once."""

    @property
    def identity(self) -> str:
        """`git:<40 hex>` for a commit, `tree:<40 hex>` for a directory: equal content, equal identity."""
        ...

    @property
    def entries(self) -> Sequence[SnapshotEntry]:
        """Every file, link and submodule, sorted by path (by code point, as `sorted` does on the paths)."""
        ...

    def entry(self, path: str) -> SnapshotEntry | None:
        """The entry of exactly that path, or None (a folder has no entry)."""
        ...

    def kind(self, path: str) -> PathKind | None:
        """What stands at exactly that path; `""` is a folder. Links are not followed."""
        ...

    def children(self, folder: str) -> Sequence[tuple[str, PathKind]]:
        """Names in a folder with their kinds, sorted by name. Raises NoSuchPath."""
        ...

    def resolve(self, path: str) -> str:
        """The real path behind what a model wrote, after tidying (`./a//b/` is `a/b`) and following links inside.

        Raises NoSuchPath (with the nearest real paths) and NotReadable (a link that leaves the snapshot or turns in
        a circle).
        """
        ...

    def read(self, path: str, *, max_bytes: int = 32 << 20) -> bytes:
        """The first `max_bytes` bytes of the file at exactly that path. Raises NoSuchPath, NotReadable."""
        ...

    def text(self, path: str) -> FileText:
        """The file at exactly that path as text; at most its first 32 MiB. Raises NoSuchPath, NotReadable."""
        ...

    def text_span(self, path: str) -> TextSpan:
        r"""The lines of `text(path)` as one span, for a search. Raises NoSuchPath, NotReadable."""
        ...

    def link_target(self, path: str) -> str:
        """The target of the link at exactly that path, unresolved. Raises NoSuchPath, NotReadable."""
        ...

    def nearest_paths(self, path: str, limit: int = 3) -> tuple[str, ...]:
        """Real paths that look most like `path`, best first."""
        ...

    @property
    def index(self) -> "TextIndex":
        """Answers questions over all files; a faster index replaces this one place."""
        ...

    @property
    def notes(self) -> "ContentNotes":
        """What was found out about contents, of this commit and of others; values may be dropped."""
        ...

    def call_at_close(self, done: Callable[[], None]) -> None:
        """Have `done` called when the snapshot is closed: whatever was started for it ends with it."""
        ...

    @property
    def storage_folder(self) -> Path | None:
        """Folder in which what is learned of the contents may be kept; None where there is none."""
        ...

    def close(self) -> None:
        """End the readers. Using the snapshot afterwards raises."""
        ...


@dataclass(frozen=True, slots=True)
class FileSelection:
    """The files that a question is about."""

    files: AbstractSet[str]
    """Paths of those that are searched."""
    skipped: Sequence[SnapshotEntry]
    """Those that are not: binary, too large, not readable; in path order."""


@dataclass(frozen=True, slots=True)
class RankedFiles:
    """The answer to a query of words."""

    total: int
    """Files with at least one of the words."""
    best: Sequence[tuple[str, float]]
    """Paths and scores, best first, ties by path."""


class ContentNotes(Protocol):
    """Values by key. A key always stands for the same value."""

    def get(self, key: str, /) -> bytes | None:
        """The value, or None if it is not known."""
        ...

    def put(self, key: str, value: bytes, /) -> None:
        """Keep a value, if that can be done."""
        ...


class TextIndex(Protocol):
    """Questions over all of a snapshot's text. Same answers, same order, however they are found.

    Files that are binary, or larger than 2 MiB, are not indexed: `list_unsearched` says which.
    """

    def select(self, folder: str, glob: str = "") -> FileSelection:
        """The files below a folder (`""` for all) whose path below it matches the glob; or a single file.

        Raises BadArgument for a glob that can't be used.
        """
        ...

    def find_spans(self, need: Need, selection: FileSelection | None = None) -> Iterator[TextSpan]:
        """Texts, in path order, that may hold what is needed; a superset, never missing one."""
        ...

    def find_candidates(self, literals: Sequence[str], *, ignore_case: bool) -> Iterator[SnapshotEntry]:
        """Files, in path order, that may hold every one of `literals`; a superset, never missing one."""
        ...

    def rank(self, words: Sequence[str], limit: int, selection: FileSelection | None = None) -> RankedFiles:
        """At most `limit` files of the place for the words of a query, the best first (see `ranking`).

        Figures such as how rare a word is are those of the whole snapshot, whatever the place.
        """
        ...

    def find_unknown(self, words: Sequence[str]) -> Sequence[str]:
        """Those words that no file holds, in its text or its path, nor any part of them."""
        ...

    def list_unsearched(self) -> Sequence[SnapshotEntry]:
        """Files that no question over all files looks into, in path order."""
        ...
