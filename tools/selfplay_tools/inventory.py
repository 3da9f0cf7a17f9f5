"""What stands where in a snapshot: the only thing that a path from a model is ever looked up in."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Protocol

from selfplay_tools.errors import NoSuchPath, NotReadable
from selfplay_tools.nearest import Nearest
from selfplay_tools.snapshot import Kind

MAX_LINKS = 16
"""Links that are followed for one path; git and most systems allow more, no honest tree needs them."""


class Named(Protocol):
    """What stands at a path."""

    @property
    def path(self) -> str:
        """As a snapshot shows it."""
        ...

    @property
    def kind(self) -> Kind:
        """A file, a link or a submodule."""
        ...


class Inventory:
    """Paths with their kinds, and the folders that they imply. Never changes; safe to use from several threads."""

    def __init__(self, entries: Sequence[Named]) -> None:
        """Take over `entries`, sorted by path."""
        self._entries = entries
        self._children: dict[str, Sequence[tuple[str, Kind]]] = {}

    def place(self, path: str) -> int | None:
        """Where the entry of exactly that path stands."""
        at = bisect_left(self._entries, path, key=_path)
        return at if at < len(self._entries) and self._entries[at].path == path else None

    def kind(self, path: str) -> Kind | None:
        """As `Snapshot.kind`."""
        at = self.place(path)
        if at is not None:
            return self._entries[at].kind
        return Kind.FOLDER if not path or self._is_folder(path) else None

    def _is_folder(self, path: str) -> bool:
        at = bisect_left(self._entries, f"{path}/", key=_path)
        return at < len(self._entries) and self._entries[at].path.startswith(f"{path}/")

    def children(self, folder: str) -> Sequence[tuple[str, Kind]]:
        """As `Snapshot.children`."""
        if folder and not self._is_folder(folder):
            raise NoSuchPath(folder, self.nearest(folder))
        found = self._children.get(folder)
        if found is None:
            found = self._children[folder] = sorted(self._listed(f"{folder}/" if folder else ""))
        return found

    def _listed(self, start: str) -> Iterator[tuple[str, Kind]]:
        at = bisect_left(self._entries, start, key=_path)
        while at < len(self._entries) and self._entries[at].path.startswith(start):
            name, slash, _ = self._entries[at].path[len(start) :].partition("/")
            yield name, Kind.FOLDER if slash else self._entries[at].kind
            # "0" is the character after "/": what comes next is not below that folder.
            at = bisect_left(self._entries, f"{start}{name}0", at, key=_path) if slash else at + 1

    def nearest(self, path: str, limit: int = 3) -> tuple[str, ...]:
        """As `Snapshot.nearest`."""
        return self._nearest.to(path, limit)

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest([*map(_path, self._entries), *_folders(self._entries)])

    def missing(self, path: str) -> NoSuchPath:
        """The error for a path that is not there."""
        return NoSuchPath(path, self.nearest(path))

    def resolve(self, path: str, link_target: Callable[[str], str]) -> str:
        """As `Snapshot.resolve`: components are walked one by one, in this inventory only.

        `link_target` tells what a link of that path says. It is not kept: a snapshot that its own inventory held would
        keep an index's files mapped until Python's collector of cycles comes by.
        """
        if path.startswith("/"):
            raise self.missing(path)
        here: list[str] = []
        ahead = path.split("/")[::-1]
        links = 0
        while ahead:
            name = ahead.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                if not here:
                    raise self._left(path, is_by_link=links > 0)
                here.pop()
                continue
            here.append(name)
            place = "/".join(here)
            kind = self.kind(place)
            if kind is None or (kind is Kind.FILE and ahead and any(ahead)):
                raise self.missing(path)
            if kind is Kind.SUBMODULE and any(ahead):
                raise NotReadable(f"{path!r} lies in the submodule {place!r}: another repository, not part of this one")
            if kind is Kind.LINK:
                links += 1
                ahead.extend(self._follow(path, place, link_target(place), links))
                here.pop()
        return "/".join(here)

    def _left(self, path: str, *, is_by_link: bool) -> NoSuchPath | NotReadable:
        if is_by_link:
            return NotReadable(f"{path!r} leads out of the repository by a link; what lies there is not part of it")
        return self.missing(path)

    def _follow(self, path: str, link: str, target: str, links: int) -> list[str]:
        if links > MAX_LINKS:
            raise NotReadable(f"{path!r} leads through more than {MAX_LINKS} links, or round in a circle")
        if target.startswith("/"):
            raise NotReadable(f"{link!r} is a link to {target!r}, outside of the repository")
        return target.split("/")[::-1]


def _path(entry: Named) -> str:
    return entry.path


def _folders(entries: Sequence[Named]) -> list[str]:
    """Every folder on the way to an entry, each once, in the order in which they first come up."""
    folders: dict[str, None] = {}
    for entry in entries:
        folder = entry.path.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = None
            folder = folder.rpartition("/")[0]
    return list(folders)
