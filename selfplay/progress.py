"""What of the targets the player has been shown. The engine decides this, not a model."""

from collections.abc import Iterable

from selfplay.task import Target
from selfplay_tools.tool import ShownRange


class TargetProgress:
    """Targets found so far, from what results showed.

    A file is found when a part of it was read (a search's single lines do not count); a part of a file (`lines`) when
    each of its lines was shown, in whichever results.
    """

    def __init__(self, targets: tuple[Target, ...]) -> None:
        self._targets = targets
        self._lines: dict[str, set[int]] = {t.path: set() for t in targets if t.lines is not None}
        self._read: set[str] = set()
        self.found: frozenset[int] = frozenset()

    def add(self, shown: Iterable[ShownRange]) -> tuple[int, ...]:
        """Take in what a step showed; the targets that this completed, in order."""
        for part in shown:
            if part.how == "read":
                self._read.add(part.path)
            if part.path in self._lines and part.how != "outline":
                self._lines[part.path].update(range(part.first, part.last + 1))
        new = tuple(i for i, t in enumerate(self._targets) if i not in self.found and self._is_shown(t))
        self.found |= set(new)
        return new

    def _is_shown(self, target: Target) -> bool:
        if target.lines is None:
            return target.path in self._read
        first, last = target.lines
        return self._lines[target.path].issuperset(range(first, last + 1))

    @property
    def is_complete(self) -> bool:
        """True when every target was found."""
        return len(self.found) == len(self._targets)
