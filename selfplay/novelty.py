"""What results show that was not shown before: the search's evidence, as the engine counts it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from selfplay.trace import ToolResult
from selfplay_tools.tool import Shown


@dataclass(frozen=True, slots=True)
class News:
    """What one step's results were worth."""

    new: int = 0
    """Lines that no earlier result had."""
    old: int = 0
    """Lines that an earlier result had."""
    is_reread: bool = False
    """True where files were read, and each of their lines had been read before."""

    @property
    def is_barren(self) -> bool:
        """True when nothing new was shown: all of it known, or nothing at all (empty or refused results)."""
        return not self.new


class Novelty:
    """Everything that results have shown in an episode, line by line."""

    def __init__(self) -> None:
        self._lines: set[tuple[str, int]] = set()
        self._read: set[tuple[str, int]] = set()
        self._rows: set[str] = set()

    def add(self, results: Iterable[ToolResult]) -> News:
        """Take in a step's results. Refused calls and answers show nothing."""
        new = old = 0
        lines_read = lines_reread = 0
        for result in results:
            if not result.ok or result.answer is not None:
                continue
            for place, is_read in _lines(result.shown):
                new, old = (new, old + 1) if place in self._lines else (new + 1, old)
                self._lines.add(place)
                if is_read:
                    lines_read += 1
                    lines_reread += place in self._read
                    self._read.add(place)
            if not result.shown:
                fresh = set(_rows(result.message.content))
                new, old = new + len(fresh - self._rows), old + len(fresh & self._rows)
                self._rows |= fresh
        return News(new, old, is_reread=lines_read > 0 and lines_read == lines_reread)


def _lines(shown: Iterable[Shown]) -> Iterator[tuple[tuple[str, int], bool]]:
    """Each shown line, and whether it was read; an empty file that was opened counts as its line 0."""
    for part in shown:
        for line in range(part.first, part.last + 1) or (0,):
            yield (part.path, line), part.how == "read"


def _rows(text: str) -> Iterator[str]:
    """Lines of a result that tells of no lines of files; its first one repeats what was asked for."""
    return (row.strip() for row in text.split("\n")[1:] if row.strip())
