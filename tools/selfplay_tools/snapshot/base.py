"""What both kinds of snapshot share: everything but where entries and bytes come from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from selfplay_tools.errors import NoSuchPath, NotReadable
from selfplay_tools.index.scan_index import ScanIndex
from selfplay_tools.protocols import ContentNotes, PathKind, SnapshotEntry, TextIndex
from selfplay_tools.snapshot.inventory import Inventory
from selfplay_tools.text.decoding import (
    BINARY_PROBE_BYTES,
    MAX_TEXT_BYTES,
    FileText,
    decode_file,
    has_wide_mark,
    is_binary,
)
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.paths import display_path

_Value = TypeVar("_Value")


class once_property(cached_property[_Value]):  # noqa: N801  a decorator, named as its parent is
    """As `functools.cached_property`, for state that threads share: one value, even where several ask at once.

    Since Python 3.12 the parent lets each of them compute its own, and the last one stays. All attributes of this kind
    wait for each other: not for what takes long.
    """

    if not TYPE_CHECKING:  # the parent's overloads hold
        _guard = RLock()

        def __get__(self, instance: object, owner: type[Any] | None = None) -> object:
            """The instance's value."""
            with self._guard:
                return super().__get__(instance, owner)


_PROBED_BYTES = 1 << 20
"""Of a larger file the beginning is looked at first, so that a huge binary is never read."""


class _NoContentNotes:
    def get(self, _key: str, /) -> bytes | None:
        return None

    def put(self, _key: str, _value: bytes, /) -> None:
        return


NO_NOTES = _NoContentNotes()


class BaseSnapshot(ABC):
    """Implements `Snapshot` on top of an inventory, entries, and a way to read the beginning of a file."""

    _inventory: Inventory
    storage_folder: Path | None = None
    """As `Snapshot.storage_folder`."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """As `Snapshot.identity`."""

    @property
    @abstractmethod
    def entries(self) -> Sequence[SnapshotEntry]:
        """As `Snapshot.entries`."""

    @abstractmethod
    def entry(self, path: str) -> SnapshotEntry | None:
        """As `Snapshot.entry`."""

    @abstractmethod
    def _size_of(self, path: str) -> int:
        """Bytes of the file or link at that path, which exists."""

    @abstractmethod
    def _read_beginning(self, path: str, max_bytes: int) -> bytes:
        """The first bytes of the file or link at that path, which exists. Raises NotReadable, GitFailed."""

    @abstractmethod
    def _read_contents(self, entries: Sequence[SnapshotEntry]) -> Iterator[bytes | None]:
        """The whole content of each of many small files, in order; None for one that can't be read any more."""

    def call_at_close(self, done: Callable[[], None]) -> None:
        """As `Snapshot.call_at_close`."""
        self._closing_calls.callback(done)

    def close(self) -> None:
        """As `Snapshot.close`; what a subclass has to end, it ends after this."""
        self._closing_calls.close()

    @once_property
    def _closing_calls(self) -> ExitStack:
        return ExitStack()

    def kind(self, path: str) -> PathKind | None:
        """As `Snapshot.kind`."""
        return self._inventory.kind(path)

    def children(self, folder: str) -> Sequence[tuple[str, PathKind]]:
        """As `Snapshot.children`."""
        return self._inventory.children(folder)

    def resolve(self, path: str) -> str:
        """As `Snapshot.resolve`."""
        return self._inventory.resolve(path, self.link_target)

    def nearest_paths(self, path: str, limit: int = 3) -> tuple[str, ...]:
        """As `Snapshot.nearest_paths`."""
        return self._inventory.nearest_paths(path, limit)

    def read(self, path: str, *, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
        """As `Snapshot.read`."""
        self._require_file(path)
        return self._read_beginning(path, max_bytes)

    def text(self, path: str) -> FileText:
        """As `Snapshot.text`."""
        self._require_file(path)
        size = self._size_of(path)
        if size > _PROBED_BYTES:
            beginning = self._read_beginning(path, BINARY_PROBE_BYTES)
            if is_binary(beginning) and not has_wide_mark(beginning):
                return FileText(path, (), size, is_whole=size <= MAX_TEXT_BYTES, is_binary=True)
        return decode_file(path, self._read_beginning(path, MAX_TEXT_BYTES), size)

    def text_span(self, path: str) -> TextSpan:
        """As `Snapshot.text_span`."""
        return make_text_span(self.text(path))

    def link_target(self, path: str) -> str:
        """As `Snapshot.link_target`."""
        kind = self.kind(path)
        if kind is None:
            raise self._inventory.missing_error(path)
        if kind is not PathKind.LINK:
            raise NotReadable(f"{path!r} is a {kind}, no link")
        return display_path(self._read_beginning(path, 1 << 16))

    @property
    def notes(self) -> ContentNotes:
        """As `Snapshot.notes`: none are kept."""
        return NO_NOTES

    @property
    def index(self) -> TextIndex:
        """As `Snapshot.index`."""
        return self._index

    @once_property
    def _index(self) -> TextIndex:
        return ScanIndex(self.entries, self._read_contents)

    def _require_file(self, path: str) -> None:
        error = self._why_not_readable(path)
        if error is not None:
            raise error

    def _why_not_readable(self, path: str) -> NoSuchPath | NotReadable | None:
        match self.kind(path):
            case PathKind.FILE:
                return None
            case None:
                return self._inventory.missing_error(path)
            case PathKind.FOLDER:
                return NotReadable(f"{path!r} is a folder")
            case PathKind.LINK:
                return NotReadable(f"{path!r} is a link to {self.link_target(path)!r}")
            case PathKind.SUBMODULE:
                return NotReadable(f"{path!r} is a submodule: another repository, not part of this one")


def make_text_span(text: FileText) -> TextSpan:
    """A text's lines as one span."""
    source = "".join(f"{line}\n" for line in text.lines).encode()
    return TextSpan(source, (text.path,), (0,), (len(source),))
