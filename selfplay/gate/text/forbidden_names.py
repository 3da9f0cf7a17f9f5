"""The names that no hint may say, each in the one form in which all its spellings meet: letters and digits only."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from selfplay.core.trace import FindingKind
from selfplay.gate.text.view import TextToken, fold, parts_of


@dataclass(frozen=True, slots=True)
class ForbiddenName:
    """One name."""

    compact: str
    kind: FindingKind
    written: str
    """As the repository writes it."""
    cuts: frozenset[int]
    """Where folders, stem and extension meet, as places in `compact`."""
    parts: frozenset[int]
    """Where the words of a folder or stem meet."""
    words: tuple[str, ...]
    """The words, in lower case."""
    targets: frozenset[str]
    """Paths of the targets that the name leads to."""
    extension: str = ""
    is_generic: bool = False
    """Whether it identifies a file only together with its folder."""


def build_forbidden_name(
    kind: FindingKind,
    pieces: Sequence[str],
    *,
    written: str,
    targets: Iterable[str],
    extension: str = "",
    is_generic: bool = False,
) -> ForbiddenName:
    """The name made of `pieces`, which are folders, then the stem, then the extension if it belongs to the name."""
    cuts: set[int] = set()
    parts: set[int] = set()
    words: list[str] = []
    length = 0
    for piece in pieces:
        if length:
            cuts.add(length)
        for part in parts_of(fold(piece)):
            words.append(part)
            parts.add(length)
            length += len(part)
    parts -= {0, *cuts}
    return ForbiddenName(
        compact="".join(words),
        kind=kind,
        written=written,
        cuts=frozenset(cuts),
        parts=frozenset(parts),
        words=tuple(words),
        targets=frozenset(targets),
        extension=extension,
        is_generic=is_generic,
    )


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A run of words of a text that together have the letters of a name."""

    name: ForbiddenName
    first: int
    last: int
    """Positions of the first and last word, inclusive."""


class ForbiddenNames:
    """All names of a task, found in a text in time proportional to its length."""

    def __init__(self, names: Iterable[ForbiddenName]) -> None:
        self._by_compact: dict[str, list[ForbiddenName]] = {}
        for name in names:
            if name.compact:
                self._by_compact.setdefault(name.compact, []).append(name)
        self._sorted = sorted(self._by_compact)

    def __iter__(self) -> Iterator[ForbiddenName]:
        for found in self._by_compact.values():
            yield from found

    def find_matches(self, tokens: Sequence[TextToken]) -> Iterator[NameMatch]:
        """Every run of words whose letters are those of a name."""
        for first in range(len(tokens)):
            letters = ""
            for last in range(first, len(tokens)):
                letters += tokens[last].text
                at = bisect_left(self._sorted, letters)
                if at == len(self._sorted) or not self._sorted[at].startswith(letters):
                    break
                for name in self._by_compact.get(letters, ()):
                    yield NameMatch(name, first, last)
