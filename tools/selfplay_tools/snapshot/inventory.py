"""What stands where in a snapshot: the only thing that a path from a model is ever looked up in."""

import heapq
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from typing import Protocol

from selfplay_tools.errors import NoSuchPath, NotReadable
from selfplay_tools.protocols import PathKind
from selfplay_tools.text.paths import WithPath, path_of, position_of

_MAX_CHARS = 300
"""Of a path, from its end, that are compared."""
_MAX_CANDIDATES = 150
"""Names that are compared letter by letter; a rough count of letters picks them."""
_LEAST_LIKENESS = 0.55


class NearestPaths:
    """Finds look-alikes among `paths`; what it needs for that is made at the first question."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Paths by their folded last component."""
        names: dict[str, list[str]] = {}
        for path in self._paths:
            names.setdefault(fold_case(path.rpartition("/")[2]), []).append(path)
        return names

    @cached_property
    def _letters(self) -> list[tuple[int, int, str]]:
        return [(_letter_bits(name), len(name), name) for name in self._by_name]

    def find(self, path: str, limit: int) -> tuple[str, ...]:
        """At most `limit` paths, best first: another way to write the same, the same name elsewhere, a similar name."""
        wanted = fold_case(path[-_MAX_CHARS:].replace("\\", "/")).strip("/").removeprefix("./")
        if not wanted or limit <= 0:
            return ()
        name = wanted.rpartition("/")[2]
        found = self._by_name.get(name, [])
        best = heapq.nsmallest(limit, ((-_likeness(fold_case(path), wanted), path) for path in found))
        if len(best) < limit:
            best.extend(self._find_similar(name, wanted, limit - len(best)))
        return tuple(path for _, path in best)

    def _find_similar(self, name: str, wanted: str, limit: int) -> list[tuple[float, str]]:
        scored: list[tuple[float, str]] = []
        for other in self._find_similar_names(name):
            alike = _ratio(other, name)
            if alike >= _LEAST_LIKENESS:
                paths = self._by_name[other][:_MAX_CANDIDATES]
                scored.extend((-alike - 0.5 * _likeness(fold_case(path), wanted), path) for path in paths)
        return heapq.nsmallest(limit, scored)

    def _find_similar_names(self, name: str) -> Iterable[str]:
        letters, length = _letter_bits(name), len(name)
        rough = (
            ((other ^ letters).bit_count() * 2 + abs(size - length), text)
            for other, size, text in self._letters
            if text != name
        )
        return [text for _, text in heapq.nsmallest(_MAX_CANDIDATES, rough)]


def fold_case(text: str) -> str:
    """What stays when case and the ways to compose a character make no difference."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


def _letter_bits(name: str) -> int:
    """One bit for each character that occurs (modulo 64)."""
    bits = 0
    for char in set(name):
        bits |= 1 << (ord(char) & 63)
    return bits


def _likeness(path: str, wanted: str) -> float:
    """More for every folder, from the end, that is the same; below that how alike the whole paths are."""
    ours, theirs = path.split("/")[::-1], wanted.split("/")[::-1]
    same = 0
    while same < min(len(ours), len(theirs)) and ours[same] == theirs[same]:
        same += 1
    return same + (1.0 if path == wanted else 0.99 * _ratio(path, wanted))


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one[-_MAX_CHARS:], other[-_MAX_CHARS:], autojunk=False).ratio()


MAX_LINKS = 16
"""Links that are followed for one path; git and most systems allow more, no honest tree needs them."""


class PathWithKind(WithPath, Protocol):
    """What stands at a path, and of which kind it is."""

    @property
    def kind(self) -> PathKind:
        """A file, a link or a submodule."""
        ...


class Inventory:
    """Paths with their kinds, and the folders that they imply. Never changes; safe to use from several threads."""

    def __init__(self, entries: Sequence[PathWithKind]) -> None:
        """Take over `entries`, sorted by path."""
        self._entries = entries
        self._children: dict[str, Sequence[tuple[str, PathKind]]] = {}

    def position_of(self, path: str) -> int | None:
        """Where the entry of exactly that path stands."""
        return position_of(path, self._entries)

    def kind(self, path: str) -> PathKind | None:
        """As `Snapshot.kind`."""
        at = self.position_of(path)
        if at is not None:
            return self._entries[at].kind
        return PathKind.FOLDER if not path or self._is_folder(path) else None

    def _is_folder(self, path: str) -> bool:
        at = bisect_left(self._entries, f"{path}/", key=path_of)
        return at < len(self._entries) and self._entries[at].path.startswith(f"{path}/")

    def children(self, folder: str) -> Sequence[tuple[str, PathKind]]:
        """As `Snapshot.children`."""
        if folder and not self._is_folder(folder):
            raise NoSuchPath(folder, self.nearest_paths(folder))
        found = self._children.get(folder)
        if found is None:
            found = self._children[folder] = sorted(self._list_children(f"{folder}/" if folder else ""))
        return found

    def _list_children(self, start: str) -> Iterator[tuple[str, PathKind]]:
        at = bisect_left(self._entries, start, key=path_of)
        while at < len(self._entries) and self._entries[at].path.startswith(start):
            name, slash, _ = self._entries[at].path[len(start) :].partition("/")
            yield name, PathKind.FOLDER if slash else self._entries[at].kind
            # "0" is the character after "/": what comes next is not below that folder.
            at = bisect_left(self._entries, f"{start}{name}0", at, key=path_of) if slash else at + 1

    def nearest_paths(self, path: str, limit: int = 3) -> tuple[str, ...]:
        """As `Snapshot.nearest_paths`."""
        return self._nearest.find(path, limit)

    @cached_property
    def _nearest(self) -> NearestPaths:
        return NearestPaths([*map(path_of, self._entries), *_list_folders(self._entries)])

    def missing_error(self, path: str) -> NoSuchPath:
        """The error for a path that is not there."""
        return NoSuchPath(path, self.nearest_paths(path))

    def resolve(self, path: str, link_target: Callable[[str], str]) -> str:
        """As `Snapshot.resolve`: components are walked one by one, in this inventory only.

        `link_target` gives the target of the link at a path. It is not kept: a snapshot that its own inventory held
        would keep an index's files mapped until Python's collector of cycles comes by.
        """
        if path.startswith("/"):
            raise self.missing_error(path)
        here: list[str] = []
        ahead = path.split("/")[::-1]
        links = 0
        while ahead:
            name = ahead.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                if not here:
                    raise self._outside_error(path, is_by_link=links > 0)
                here.pop()
                continue
            here.append(name)
            place = "/".join(here)
            kind = self.kind(place)
            if kind is None or (kind is PathKind.FILE and ahead and any(ahead)):
                raise self.missing_error(path)
            if kind is PathKind.SUBMODULE and any(ahead):
                raise NotReadable(f"{path!r} lies in the submodule {place!r}: another repository, not part of this one")
            if kind is PathKind.LINK:
                links += 1
                ahead.extend(self._follow_link(path, place, link_target(place), links))
                here.pop()
        return "/".join(here)

    def _outside_error(self, path: str, *, is_by_link: bool) -> NoSuchPath | NotReadable:
        if is_by_link:
            return NotReadable(f"{path!r} leads out of the repository by a link; what lies there is not part of it")
        return self.missing_error(path)

    def _follow_link(self, path: str, link: str, target: str, links: int) -> list[str]:
        if links > MAX_LINKS:
            raise NotReadable(f"{path!r} leads through more than {MAX_LINKS} links, or round in a circle")
        if target.startswith("/"):
            raise NotReadable(f"{link!r} is a link to {target!r}, outside of the repository")
        return target.split("/")[::-1]


def _list_folders(entries: Sequence[PathWithKind]) -> list[str]:
    """Every folder on the way to an entry, each once, in the order in which they first come up."""
    folders: dict[str, None] = {}
    for entry in entries:
        folder = entry.path.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = None
            folder = folder.rpartition("/")[0]
    return list(folders)
