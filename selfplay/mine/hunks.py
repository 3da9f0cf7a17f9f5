"""Which lines of a file, as it was before, a patch touches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True)
class LineEdit:
    """One run of changed lines."""

    first: int
    """1-based; where lines were only added, the line before them (0 at the top of the file)."""
    last: int
    """Inclusive; below `first` where lines were only added."""
    added: tuple[str, ...]
    """The lines that came."""

    @property
    def is_insertion(self) -> bool:
        """Whether no line went."""
        return self.last < self.first


def read_edits(patch: bytes) -> Iterator[LineEdit]:
    """Every run of changed lines in one file's patch, in order."""
    run = _EditRun()
    old_left = new_left = 0
    for line in patch.split(b"\n"):
        if old_left <= 0 and new_left <= 0:
            yield from run.finish()
            if found := _HUNK.match(line):
                old_left, new_left = int(found[2] or 1), int(found[4] or 1)
                # A hunk without old lines names the line before it.
                run.number = int(found[1]) if old_left else int(found[1]) + 1
        elif line[:1] == b"-":
            run.removed_count, old_left = run.removed_count + 1, old_left - 1
        elif line[:1] == b"+":
            run.added_lines.append(line[1:].decode("utf-8", "replace"))
            new_left -= 1
        elif line[:1] != b"\\":
            yield from run.finish()
            run.number, old_left, new_left = run.number + 1, old_left - 1, new_left - 1
    yield from run.finish()


@dataclass(slots=True)
class _EditRun:
    """The run of changed lines that is being read."""

    number: int = 0
    """Of the old line where it begins."""
    removed_count: int = 0
    added_lines: list[str] = field(default_factory=list[str])

    def finish(self) -> Iterator[LineEdit]:
        """It, if there is one; the next begins after it."""
        if self.removed_count or self.added_lines:
            first = self.number if self.removed_count else self.number - 1
            yield LineEdit(first, first + self.removed_count - 1, tuple(self.added_lines))
            self.number, self.removed_count, self.added_lines = self.number + self.removed_count, 0, []
