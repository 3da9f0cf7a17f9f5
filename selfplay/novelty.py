"""What results show that was not shown before: the search's evidence, as the engine counts it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from selfplay.trace import ToolResult
from selfplay_tools.tool import ShownRange


@dataclass(frozen=True, slots=True)
class StepNovelty:
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


class NoveltyCounter:
    """Everything that results have shown in an episode, line by line."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        """By path: bit `n` is set where line `n` was shown. A thousand lines take some 150 bytes."""
        self._read: dict[str, int] = {}
        self._known_result_lines: set[str] = set()

    def add(self, results: Iterable[ToolResult]) -> StepNovelty:
        """Take in a step's results. Refused calls and answers show nothing."""
        new = old = 0
        lines_read = lines_reread = 0
        for result in results:
            if not result.ok or result.answer is not None:
                continue
            for part in result.shown:
                lines = _line_bits(part)
                known = _mark_lines_known(self._lines, part.path, lines)
                new, old = new + lines.bit_count() - known, old + known
                if part.how == "read":
                    lines_read += lines.bit_count()
                    lines_reread += _mark_lines_known(self._read, part.path, lines)
            if not result.shown:
                fresh = set(_result_lines(result.message.content))
                new, old = new + len(fresh - self._known_result_lines), old + len(fresh & self._known_result_lines)
                self._known_result_lines |= fresh
        return StepNovelty(new, old, is_reread=lines_read > 0 and lines_read == lines_reread)


def _line_bits(part: ShownRange) -> int:
    """A bit for each shown line; an empty file that was opened counts as its line 0."""
    return ((1 << (part.last - part.first + 1)) - 1) << part.first if part.last >= part.first else 1


def _mark_lines_known(known: dict[str, int], path: str, lines: int) -> int:
    """Add lines to those that are known of a path. How many of them were."""
    before = known.get(path, 0)
    known[path] = before | lines
    return (before & lines).bit_count()


def _result_lines(text: str) -> Iterator[str]:
    """Lines of a result that tells of no lines of files; its first one repeats what was asked for."""
    return (row.strip() for row in text.split("\n")[1:] if row.strip())
