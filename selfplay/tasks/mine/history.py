"""A history in one pass of `git log`: author, time, message, files changed. No contents are read.

The git directory is a clone of the engine's own (`selfplay.repos.repositories`), so nothing that the source's
configuration says takes part. One commit is held at a time.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from selfplay.core.errors import RepositoryError
from selfplay_tools.git import read_records
from selfplay_tools.text.paths import display_path

_FORM = "%x00%H%x00%P%x00%ct%x00%an%x00%ae%x00%B%x00"
_FIELDS = 6
_OPTIONS = (
    "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--no-notes",
    "--no-show-signature", "--no-decorate", "--diff-merges=first-parent",
    "--ignore-submodules=dirty", "--encoding=UTF-8", f"--format=tformat:{_FORM}",
)  # fmt: skip
_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TIME = re.compile(r"[0-9]{1,18}")
"""More digits overflow, here as in git."""
_HEAD_OF_CHANGE = re.compile(rb"\n?:(\d{6}) (\d{6}) ([0-9a-f]+) ([0-9a-f]+) ([A-Z])\d*")
REGULAR_MODES = frozenset({"100644", "100755"})


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs from the first parent."""

    path: str
    """As in a snapshot."""
    status: str
    """`A`, `M`, `D` or `T` (another type)."""
    modes: tuple[str, str]
    """Before and after."""
    blobs: tuple[str, str]
    """Ids before and after; zeros where there is none."""

    @property
    def is_file(self) -> bool:
        """Whether it was a regular file before, and is one now if it is still there."""
        return self.modes[0] in REGULAR_MODES and (self.status == "D" or self.modes[1] in REGULAR_MODES)


@dataclass(frozen=True, slots=True)
class HistoryCommit:
    """One commit and what it changed of its first parent."""

    id: str
    parents: tuple[str, ...]
    time: int
    """When it was committed, in seconds since 1970; 0 where it does not say that in a form that git reads."""
    author: str
    """Empty where it names none; likewise the mail."""
    email: str
    message: str
    changes: tuple[FileChange, ...]


def read_history(git_dir: Path, tip: str, *, is_mainline: bool = False) -> Generator[HistoryCommit]:
    """Every commit that leads to `tip` (a full id), newest first; along first parents only if asked.

    Raises GitFailed, and RepositoryError for an answer that can't be read. A caller that stops early closes it.
    """
    along = ("--first-parent",) if is_mainline else ()
    with closing(read_records(git_dir, "log", *_OPTIONS, *along, "--end-of-options", tip)) as given:
        fields = iter(given)
        next(fields, None)  # each commit begins with a NUL, and so with an empty record
        while (head := next(fields, None)) is not None:
            yield _parse_commit(head, fields)


def _parse_commit(head: bytes, fields: Iterator[bytes]) -> HistoryCommit:
    rest = [next(fields, b"") for _ in range(_FIELDS - 1)]
    if not _ID.fullmatch(head):
        raise RepositoryError(f"git log gave {head[:60]!r} where a commit begins: this git is not understood")
    parents, time, author, email, message = (field.decode("utf-8", "replace") for field in rest)
    changes = tuple(_parse_changes(fields))
    return HistoryCommit(head.decode(), tuple(parents.split()), _parse_seconds(time), author, email, message, changes)


def _parse_seconds(time: str) -> int:
    return int(time) if _TIME.fullmatch(time) else 0


def _parse_changes(fields: Iterator[bytes]) -> Iterator[FileChange]:
    """The changes that follow a message, up to the NUL with which the next commit begins."""
    next(fields, None)  # what ends the message's record
    for field in fields:
        if not field:
            return
        found = _HEAD_OF_CHANGE.fullmatch(field)
        if found is None:
            raise RepositoryError(f"git log gave {field[:60]!r} where a change begins: this git is not understood")
        old, new, before, after, status = (part.decode() for part in found.groups())
        yield FileChange(display_path(next(fields, b"")), status, (old, new), (before, after))
