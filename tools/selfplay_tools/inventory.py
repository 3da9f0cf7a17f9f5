"""What stands where in a snapshot: the only thing that a path from a model is ever looked up in."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from selfplay_tools.errors import NoSuchPath, NotReadable
from selfplay_tools.nearest import Nearest
from selfplay_tools.snapshot import Kind

MAX_LINKS = 16
"""Links that are followed for one path; git and most systems allow more, no honest tree needs them."""


class Inventory:
    """Paths with their kinds, and the folders that they imply. Never changes."""

    def __init__(self, kinds: Mapping[str, Kind], link_target: Callable[[str], str]) -> None:
        """Take over `kinds` (files, links, submodules); `link_target` says what a link of that path says."""
        self._kinds = kinds
        self._link_target = link_target
        self._folders = _folders(kinds)

    def kind(self, path: str) -> Kind | None:
        """As `Snapshot.kind`."""
        return self._kinds.get(path) or (Kind.FOLDER if path in self._folders else None)

    def children(self, folder: str) -> Sequence[tuple[str, Kind]]:
        """As `Snapshot.children`."""
        if folder not in self._folders:
            raise NoSuchPath(folder, self.nearest(folder))
        return self._folders[folder]

    def nearest(self, path: str, limit: int = 3) -> tuple[str, ...]:
        """As `Snapshot.nearest`."""
        return self._nearest.to(path, limit)

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest([*self._kinds, *(folder for folder in self._folders if folder)])

    def missing(self, path: str) -> NoSuchPath:
        """The error for a path that is not there."""
        return NoSuchPath(path, self.nearest(path))

    def resolve(self, path: str) -> str:
        """As `Snapshot.resolve`: components are walked one by one, in this inventory only."""
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
                ahead.extend(self._follow(path, place, links))
                here.pop()
        return "/".join(here)

    def _left(self, path: str, *, is_by_link: bool) -> NoSuchPath | NotReadable:
        if is_by_link:
            return NotReadable(f"{path!r} leads out of the repository by a link; what lies there is not part of it")
        return self.missing(path)

    def _follow(self, path: str, link: str, links: int) -> list[str]:
        target = self._link_target(link)
        if links > MAX_LINKS:
            raise NotReadable(f"{path!r} leads through more than {MAX_LINKS} links, or round in a circle")
        if target.startswith("/"):
            raise NotReadable(f"{link!r} is a link to {target!r}, outside of the repository")
        return target.split("/")[::-1]


def _folders(kinds: Mapping[str, Kind]) -> dict[str, list[tuple[str, Kind]]]:
    folders: dict[str, list[tuple[str, Kind]]] = {"": []}
    for path, kind in kinds.items():
        folder, _, name = path.rpartition("/")
        child = (name, kind)
        while folder not in folders:
            folders[folder] = [child]
            folder, _, name = folder.rpartition("/")
            child = (name, Kind.FOLDER)
        folders[folder].append(child)
    for children in folders.values():
        children.sort()
    return folders
