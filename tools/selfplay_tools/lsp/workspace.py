"""A snapshot's files on disk, for a language server to read.

Only regular files, only those that the server is about, only text, as the other tools show it: UTF-8, lines ended by a
line feed. No links, no `.git`, nothing executable, no configuration of the repository unless its name is asked for.
"""

import os
import shutil
import tempfile
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selfplay_tools.errors import NotReadable
from selfplay_tools.lsp.servers import LanguageServer
from selfplay_tools.output import format_size
from selfplay_tools.protocols import PathKind, Snapshot, SnapshotEntry

MAX_FILE_BYTES = 2 << 20
"""Larger files are not laid out: they are no source that anybody wrote."""
MAX_BYTES = 512 << 20
MAX_FILES = 100_000
_STRANGE = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one server: the files, and a home for whatever the server writes."""

    folder: Path
    """Private to this user, and removed by `remove`."""
    paths: AbstractSet[str]
    """Paths of the files in the snapshot; on disk they are the same, below the root."""

    @property
    def root(self) -> Path:
        """Where the files are."""
        return self.folder / "files"

    @property
    def home(self) -> Path:
        """What the server takes for its user's home."""
        return self.folder / "home"

    def uri(self, path: str) -> str:
        """The address of a file under which the server knows it."""
        return (self.root / path).as_uri()

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_workspace(snapshot: Snapshot, server: LanguageServer) -> Workspace:
    """Write the files that a server is about into a new private folder.

    Raises NotReadable for a snapshot with too many of them.
    """
    entries = [entry for entry in snapshot.entries if _is_wanted(entry, server)]
    size = sum(entry.size for entry in entries)
    if len(entries) > MAX_FILES or size > MAX_BYTES:
        much = f"{len(entries):,} files, {format_size(size)}"
        raise NotReadable(f"too much code for the {server.language} server ({much}); use find_symbol, find_references")
    folder = Path(tempfile.mkdtemp(prefix="selfplay-lsp-")).resolve()
    try:
        return _fill(folder, snapshot, entries)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_wanted(entry: SnapshotEntry, server: LanguageServer) -> bool:
    if entry.kind is not PathKind.FILE or entry.size > MAX_FILE_BYTES or not server.serves(entry.path):
        return False
    return _STRANGE.isdisjoint(entry.path.split("/"))


def _fill(folder: Path, snapshot: Snapshot, entries: list[SnapshotEntry]) -> Workspace:
    root = folder / "files"
    for new in (root, folder / "home"):
        new.mkdir(mode=0o700)
    written: set[str] = set()
    for entry in entries:
        # A name may be too long here, or the same as another one where case does not count.
        with suppress(NotReadable, OSError):
            text = snapshot.text(entry.path)
            if not text.is_binary:
                _write_file(root / entry.path, text.lines)
                written.add(entry.path)
    return Workspace(folder, frozenset(written))


def _write_file(file: Path, lines: tuple[str, ...]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    with os.fdopen(made, "wb") as out:
        out.write(content)
