r"""A snapshot: one commit, or one directory as it is on disk, seen through the same small interface.

A path from a model is only ever looked up in the inventory that was taken when the snapshot was opened. It never
reaches the operating system, so `..`, absolute paths, links out and case tricks have nothing to act on.

Paths are `/`-separated, relative to the root, without a leading `./`; the root itself is `""`. A name that is not
valid UTF-8, or that holds control characters, is shown escaped (`caf\xe9.txt`, `new\nline.txt`); the shown form is
the path's name everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What a path is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or submodule of a snapshot."""

    path: str
    """As the player sees and names it."""
    kind: Kind
    size: int
    """Bytes of the file, or of the link's target; 0 for a submodule."""
    oid: str
    """Git's id of the content (hex), equal for equal content wherever it lies. For a submodule its commit."""
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A file's content as text, line by line."""

    path: str
    lines: tuple[str, ...]
    """Without line ends; `\\r\\n` and `\\n` end a line, nothing else does. Undecodable bytes and NUL are U+FFFD."""
    size: int
    """Bytes of the whole file."""
    is_whole: bool = True
    """False when the file is larger than what is read of one: the lines are those of its beginning."""
    is_binary: bool = False
    """True for content with a NUL byte near its beginning (git's rule); `lines` is empty then."""
    lfs_size: int | None = None
    """Set for a Git LFS pointer: the size in bytes that the real file has; `lines` is the pointer's own text."""
    encoding: str = "utf-8"


class Snapshot(Protocol):
    """Read-only view of one tree of files. Safe to use from several threads at once."""

    @property
    def identity(self) -> str:
        """`git:<40 hex>` for a commit, `tree:<40 hex>` for a directory: equal content, equal identity."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """Every file, link and submodule, sorted by path (by code point, as `sorted` does on the paths)."""
        ...

    def entry(self, path: str) -> Entry | None:
        """The entry of exactly that path, or None (a folder has no entry)."""
        ...

    def kind(self, path: str) -> Kind | None:
        """What stands at exactly that path; `""` is a folder. Links are not followed."""
        ...

    def children(self, folder: str) -> Sequence[tuple[str, Kind]]:
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

    def text(self, path: str) -> Text:
        """The file at exactly that path as text; at most its first 32 MiB. Raises NoSuchPath, NotReadable."""
        ...

    def link_target(self, path: str) -> str:
        """What the link at exactly that path says, unresolved. Raises NoSuchPath, NotReadable."""
        ...

    def nearest(self, path: str, limit: int = 3) -> tuple[str, ...]:
        """Real paths that look most like `path`, best first."""
        ...

    @property
    def index(self) -> "Index":
        """Answers questions over all files; the one place that a faster index has to replace."""
        ...

    def close(self) -> None:
        """End the readers. Using the snapshot afterwards raises."""
        ...


class Index(Protocol):
    """Questions over all of a snapshot's text. Same answers, same order, however they are found.

    Files that are binary, or larger than 2 MiB, are not indexed: `left_out` says which.
    """

    def candidates(self, literals: Sequence[str], *, ignore_case: bool) -> Iterator[Entry]:
        """Files, in path order, that may hold every one of `literals`; a superset, never missing one."""
        ...

    def ranked(self, words: Sequence[str], limit: int) -> Sequence[tuple[str, float]]:
        """Paths and scores for the words of a query (BM25 over identifier parts), best first, ties by path."""
        ...

    def left_out(self) -> Sequence[Entry]:
        """Files that no question over all files looks into, in path order."""
        ...
