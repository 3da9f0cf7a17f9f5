"""The real paths that look most like one that does not exist."""

import heapq
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import cached_property

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
