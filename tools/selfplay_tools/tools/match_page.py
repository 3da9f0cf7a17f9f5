"""A page of matching lines: which of them a result shows, how its rows look, and what was counted of the rest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from selfplay_tools.code.enclosing_definitions import EnclosingDefinitions, OpeningLine, names_a_definition
from selfplay_tools.output import DEFAULT_LIMITS, ROW_CHARS, clip
from selfplay_tools.text.lines import TextLines
from selfplay_tools.tools.tool import HowShown, ShownRange


@dataclass(frozen=True)
class FileHits:
    """The matching lines of one file."""

    path: str
    lines: TextLines
    columns: Mapping[int, int]
    """By line (from 0), ascending: the character of the line where its first match begins."""
    row_chars: int = ROW_CHARS
    """Characters of a line that a row shows, around its first match."""

    def format_row(self, line: int) -> str:
        """`12:text` for a matching line, `12-text` for one around it."""
        mark = ":" if line in self.columns else "-"
        return f"{line + 1}{mark}{clip(self.lines[line], self.columns.get(line, 0), self.row_chars)}"

    def format_head(self, line: int) -> str:
        """`12=text` for the first line of a definition that matching lines lie in, as `git grep -p` marks it."""
        return f"{line + 1}={clip(self.lines[line], 0, self.row_chars)}"

    def find_around(self, line: int) -> Sequence[OpeningLine]:
        """The definitions that the line lies in, the outermost first. To be asked for in ascending order."""
        around = self._enclosing.find_around(line, self.lines.start_of(line))
        for one in around:
            self.lines.remember_start(one.number, one.start)
        return around

    @cached_property
    def _enclosing(self) -> EnclosingDefinitions:
        return EnclosingDefinitions(self.path, self.lines.buffer, self.lines.start)

    def is_definition(self, line: int) -> bool:
        """Whether the line begins a definition, and what matched belongs to its name rather than to its parameters."""
        return names_a_definition(self.path, self.lines[line], self.columns[line])

    def list_windows(self, context: int, skipped: int) -> Iterator[tuple[int, range]]:
        """Each matching line after the first `skipped`, with the lines that it adds: itself and those around it."""
        last = -1
        for line in list(self.columns)[skipped:]:
            # How many lines there are is asked only where it matters: it takes a look at the whole file.
            end = min(len(self.lines) - 1, line + context) if context else line
            yield line, range(max(last + 1, line - context), end + 1)
            last = end


@dataclass(slots=True)
class FileRows:
    """What a page shows of one file."""

    hits: FileHits
    rows: list[str] = field(default_factory=list[str])
    has_definition: bool = False
    """Whether one of the matching lines here defines what matched."""
    has_clipped: bool = False
    _ranges: list[tuple[range, HowShown]] = field(default_factory=list[tuple[range, HowShown]])
    """Lines that stand here, in order."""
    _shown_lines: set[int] = field(default_factory=set[int])
    """The same, one by one."""

    @property
    def shown(self) -> Iterator[ShownRange]:
        """The lines here, as ranges, in order."""
        return (ShownRange(path=self.hits.path, first=r.start + 1, last=r.stop, how=how) for r, how in self._ranges)

    def list_heads(self, line: int, first: int) -> list[int]:
        """Lines above `first` that begin definitions in which `line` lies, and that do not stand here yet."""
        above = (one.number for one in self.hits.find_around(line) if one.number < first)
        return [number for number in above if number not in self._shown_lines]

    def format_rows(self, heads: Sequence[int], window: range, *, with_gaps: bool) -> list[str]:
        """The rows to be added for these lines."""
        is_apart = with_gaps and bool(self._ranges) and bool(window) and window.start > self._ranges[-1][0].stop
        return [*(["--"] if is_apart else []), *map(self.hits.format_head, heads), *map(self.hits.format_row, window)]

    def add(self, rows: Sequence[str], line: int, heads: Sequence[int], window: range) -> None:
        """Take the rows of a matching line and of what is around it."""
        self.rows += rows
        self.has_definition = self.has_definition or self.hits.is_definition(line)
        # Only a row that is longer than that can have been cut.
        self.has_clipped = self.has_clipped or (
            any(len(row) > self.hits.row_chars for row in rows)
            and any(len(self.hits.lines[one]) > self.hits.row_chars for one in (*heads, *window))
        )
        self._shown_lines.update(heads, window)
        self._ranges.extend((range(head, head + 1), "outline") for head in heads)
        if self._ranges and self._ranges[-1][0].stop == window.start and self._ranges[-1][1] == "match":
            window = range(self._ranges.pop()[0].start, window.stop)
        if window:
            self._ranges.append((window, "match"))


@dataclass(slots=True)
class MatchPage:
    """Matching lines from `offset` on, at most `limit` of them and `room` characters.

    They are taken in path order. Of those on a page, the files with a definition of what matched come first. The first
    one always stands there, by itself where the lines around it do not fit.
    """

    offset: int
    limit: int
    context: int
    room: int = DEFAULT_LIMITS.room
    path_chars: int = DEFAULT_LIMITS.path_chars
    total: int = 0
    """Matching lines seen so far, on the page or not."""
    files: int = 0
    """Files that they are in."""
    count: int = 0
    """Matching lines on the page."""
    is_bare: bool = False
    """Whether what is around the first one did not fit."""
    _groups: list[FileRows] = field(default_factory=list[FileRows])
    _is_full: bool = False

    def add(self, hits: FileHits) -> None:
        """Count a file's matching lines, and put on the page those that belong there and fit."""
        if not hits.columns:
            return
        skipped = max(self.offset - self.total, 0)
        self.total += len(hits.columns)
        self.files += 1
        group = FileRows(hits)
        for line, around in hits.list_windows(self.context, skipped):
            window = around
            heads = group.list_heads(line, window.start) if window else []
            rows = group.format_rows(heads, window, with_gaps=self.context > 0)
            cost = self._cost_of(group, rows)
            if cost > self.room and not self.count and len(rows) > 1:
                self.is_bare, window = True, range(line, line + 1)
                heads = list[int]()
                rows = group.format_rows(heads, window, with_gaps=False)
                cost = self._cost_of(group, rows)
            self._is_full = self._is_full or self.count == self.limit or (cost > self.room and self.count > 0)
            if self._is_full:
                break
            group.add(rows, line, heads, window)
            self.room -= cost
            self.count += 1
        if group.rows:
            self._groups.append(group)

    def _cost_of(self, group: FileRows, rows: Sequence[str]) -> int:
        cost = sum(len(row) + 1 for row in rows)
        return cost if group.rows else cost + min(len(group.hits.path), self.path_chars) + 2

    @property
    def is_full(self) -> bool:
        """Whether whatever comes is only counted."""
        return self._is_full

    def count_on(self, lines: int) -> None:
        """Count a file's matching lines, when the page is full."""
        self.total += lines
        self.files += lines > 0

    @property
    def count_left(self) -> int:
        """Matching lines counted after the last one on the page."""
        return max(self.total - self.offset - self.count, 0)

    @property
    def rows(self) -> list[str]:
        """The page: each file's path and rows, an empty row between files."""
        groups = [[clip(one.hits.path, width=self.path_chars), *one.rows] for one in self._sort_groups()]
        return [row for number, rows in enumerate(groups) for row in ([""] if number else []) + rows]

    @property
    def shown(self) -> tuple[ShownRange, ...]:
        """The lines on the page, as ranges."""
        return tuple(shown for group in self._sort_groups() for shown in group.shown)

    @property
    def has_clipped(self) -> bool:
        """Whether a line on the page is cut."""
        return any(group.has_clipped for group in self._groups)

    def _sort_groups(self) -> list[FileRows]:
        return sorted(self._groups, key=lambda group: not group.has_definition)
