"""A page of matching lines: which of them a result shows, how its rows look, and what was counted of the rest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from selfplay_tools.output import ROOM, clip
from selfplay_tools.tool import Shown

ROW_CHARS = 300
"""Characters of a line that a row shows, around its first match."""
PATH_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Hits:
    """The matching lines of one file."""

    path: str
    lines: Sequence[str]
    columns: Mapping[int, int]
    """By line (from 0), ascending: the character of the line where its first match begins."""

    def row(self, line: int) -> str:
        """`12:text` for a matching line, `12-text` for one around it."""
        mark = ":" if line in self.columns else "-"
        return f"{line + 1}{mark}{clip(self.lines[line], self.columns.get(line, 0), ROW_CHARS)}"

    def windows(self, context: int, skipped: int) -> Iterator[range]:
        """For each matching line after the first `skipped`: the lines that it adds, itself and those around it."""
        last = -1
        for line in list(self.columns)[skipped:]:
            # How many lines there are is asked only where it matters: it takes a look at the whole file.
            end = min(len(self.lines) - 1, line + context) if context else line
            yield range(max(last + 1, line - context), end + 1)
            last = end


@dataclass(slots=True)
class MatchPage:
    """Matching lines from `offset` on, at most `limit` of them and `ROOM` characters."""

    offset: int
    limit: int
    context: int
    total: int = 0
    """Matching lines seen so far, on the page or not."""
    files: int = 0
    """Files that they are in."""
    count: int = 0
    """Matching lines on the page."""
    rows: list[str] = field(default_factory=list[str])
    has_clipped: bool = False
    _room: int = ROOM
    _is_full: bool = False
    _shown: list[tuple[str, range]] = field(default_factory=list[tuple[str, range]])

    def add(self, hits: Hits) -> None:
        """Count a file's matching lines, and put on the page those that belong there and fit."""
        if not hits.columns:
            return
        skipped = max(self.offset - self.total, 0)
        self.total += len(hits.columns)
        self.files += 1
        heading = [*([""] if self.rows else []), clip(hits.path, width=PATH_CHARS)]
        for window in hits.windows(self.context, skipped):
            rows = [*heading, *self._gap(hits.path, window), *map(hits.row, window)]
            cost = sum(len(row) + 1 for row in rows)
            self._is_full = self._is_full or self.count == self.limit or (cost > self._room and self.count > 0)
            if self._is_full:
                return
            self._take(rows, cost)
            self._see(hits, window)
            heading = []

    @property
    def is_full(self) -> bool:
        """Whether whatever comes is only counted."""
        return self._is_full

    def count_on(self, lines: int) -> None:
        """Count a file's matching lines, when the page is full."""
        self.total += lines
        self.files += lines > 0

    @property
    def left(self) -> int:
        """Matching lines counted after the last one on the page."""
        return max(self.total - self.offset - self.count, 0)

    @property
    def shown(self) -> tuple[Shown, ...]:
        """The lines on the page, as ranges."""
        return tuple(Shown(path=path, first=r.start + 1, last=r.stop, how="match") for path, r in self._shown)

    def _gap(self, path: str, window: range) -> list[str]:
        """A row between lines that are not neighbours, where there is context."""
        if not (self.context and window and self._shown and self._shown[-1][0] == path):
            return []
        return ["--"] if window.start > self._shown[-1][1].stop else []

    def _take(self, rows: Sequence[str], cost: int) -> None:
        self.rows += rows
        self._room -= cost
        self.count += 1

    def _see(self, hits: Hits, window: range) -> None:
        self.has_clipped = self.has_clipped or any(len(hits.lines[line]) > ROW_CHARS for line in window)
        if not window:
            return
        path, before = self._shown[-1] if self._shown else ("", range(0))
        if path == hits.path and before.stop == window.start:
            self._shown[-1] = (path, range(before.start, window.stop))
        else:
            self._shown.append((hits.path, window))
