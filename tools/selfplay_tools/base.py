"""What both kinds of snapshot share: everything but where entries and bytes come from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from selfplay_tools.errors import NoSuchPath, NotReadable
from selfplay_tools.index import ScanIndex
from selfplay_tools.inventory import Inventory
from selfplay_tools.once import once_property
from selfplay_tools.paths import shown
from selfplay_tools.searched import Span
from selfplay_tools.snapshot import Entry, Index, Kind, Notes, Text
from selfplay_tools.text import BINARY_PROBE_BYTES, MAX_TEXT_BYTES, has_wide_mark, is_binary, text_of

_PROBED_BYTES = 1 << 20
"""Of a larger file the beginning is looked at first, so that a huge binary is never read."""


class _NoNotes:
    def get(self, _key: str, /) -> bytes | None:
        return None

    def put(self, _key: str, _value: bytes, /) -> None:
        return


NO_NOTES = _NoNotes()


class BaseSnapshot(ABC):
    """Implements `Snapshot` on top of an inventory, entries, and a way to read the beginning of a file."""

    _inventory: Inventory
    memory: Path | None = None
    """As `Snapshot.memory`."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """As `Snapshot.identity`."""

    @property
    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """As `Snapshot.entries`."""

    @abstractmethod
    def entry(self, path: str) -> Entry | None:
        """As `Snapshot.entry`."""

    @abstractmethod
    def _size(self, path: str) -> int:
        """Bytes of the file or link at that path, which exists."""

    @abstractmethod
    def _beginning(self, path: str, max_bytes: int) -> bytes:
        """The first bytes of the file or link at that path, which exists. Raises NotReadable, GitFailed."""

    @abstractmethod
    def _contents(self, entries: Sequence[Entry]) -> Iterator[bytes | None]:
        """The whole content of each of many small files, in order; None for one that can't be read any more."""

    def at_close(self, done: Callable[[], None]) -> None:
        """As `Snapshot.at_close`."""
        self._at_close.callback(done)

    def close(self) -> None:
        """As `Snapshot.close`; what a subclass has to end, it ends after this."""
        self._at_close.close()

    @once_property
    def _at_close(self) -> ExitStack:
        return ExitStack()

    def kind(self, path: str) -> Kind | None:
        """As `Snapshot.kind`."""
        return self._inventory.kind(path)

    def children(self, folder: str) -> Sequence[tuple[str, Kind]]:
        """As `Snapshot.children`."""
        return self._inventory.children(folder)

    def resolve(self, path: str) -> str:
        """As `Snapshot.resolve`."""
        return self._inventory.resolve(path, self.link_target)

    def nearest(self, path: str, limit: int = 3) -> tuple[str, ...]:
        """As `Snapshot.nearest`."""
        return self._inventory.nearest(path, limit)

    def read(self, path: str, *, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
        """As `Snapshot.read`."""
        self._require_file(path)
        return self._beginning(path, max_bytes)

    def text(self, path: str) -> Text:
        """As `Snapshot.text`."""
        self._require_file(path)
        size = self._size(path)
        if size > _PROBED_BYTES:
            beginning = self._beginning(path, BINARY_PROBE_BYTES)
            if is_binary(beginning) and not has_wide_mark(beginning):
                return Text(path, (), size, is_whole=size <= MAX_TEXT_BYTES, is_binary=True)
        return text_of(path, self._beginning(path, MAX_TEXT_BYTES), size)

    def source(self, path: str) -> Span:
        """As `Snapshot.source`."""
        return span_of(self.text(path))

    def link_target(self, path: str) -> str:
        """As `Snapshot.link_target`."""
        kind = self.kind(path)
        if kind is None:
            raise self._inventory.missing(path)
        if kind is not Kind.LINK:
            raise NotReadable(f"{path!r} is a {kind}, no link")
        return shown(self._beginning(path, 1 << 16))

    @property
    def notes(self) -> Notes:
        """As `Snapshot.notes`: none are kept."""
        return NO_NOTES

    @property
    def index(self) -> Index:
        """As `Snapshot.index`."""
        return self._index

    @once_property
    def _index(self) -> Index:
        return ScanIndex(self.entries, self._contents)

    def _require_file(self, path: str) -> None:
        error = self._why_not_readable(path)
        if error is not None:
            raise error

    def _why_not_readable(self, path: str) -> NoSuchPath | NotReadable | None:
        match self.kind(path):
            case Kind.FILE:
                return None
            case None:
                return self._inventory.missing(path)
            case Kind.FOLDER:
                return NotReadable(f"{path!r} is a folder")
            case Kind.LINK:
                return NotReadable(f"{path!r} is a link to {self.link_target(path)!r}")
            case Kind.SUBMODULE:
                return NotReadable(f"{path!r} is a submodule: another repository, not part of this one")


def span_of(text: Text) -> Span:
    """A text's lines as one span."""
    source = "".join(f"{line}\n" for line in text.lines).encode()
    return Span(source, (text.path,), (0,), (len(source),))
