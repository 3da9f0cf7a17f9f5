"""Definitions that a change touches, as targets."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from selfplay.core.task import Target
from selfplay_tools.code.code_file import CodeFile, parse_code, select_named
from selfplay_tools.code.definitions import CLASS_LIKE, Definition

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


MAX_LINES = 200
"""A class (or another definition that is no function) longer than this is no target: the lines in it are."""
_CLASS_KINDS = CLASS_LIKE | {"namespace"}


def function_targets(path: str, text: bytes, patch: bytes) -> tuple[Target, ...]:
    """The innermost definitions that hold a changed line of the file as it was, in order, each once.

    Lines that go in at a definition's end count where they are indented deeper than its head. A change in a long
    class, outside its methods, gives the changed lines, and a name that is defined several times gives the
    definition's lines. Changes outside every definition (imports) give nothing.
    """
    code = parse_code(path, text)
    lines = text.decode("utf-8", "replace").split("\n")
    found = (target for edit in read_edits(patch) for target in _targets_of_edit(path, code, edit, lines))
    return tuple(dict.fromkeys(found))


def _targets_of_edit(path: str, code: CodeFile, edit: LineEdit, lines: Sequence[str]) -> Iterator[Target]:
    for one, touched in _find_touched(code.definitions, edit, lines):
        if one.kind in _CLASS_KINDS and one.last - one.first >= MAX_LINES:
            yield Target(path=path, lines=touched)
        else:
            is_only = len(select_named(code.definitions, one.qualified)) == 1
            yield Target(path=path, symbol=one.qualified) if is_only else Target(path=path, lines=(one.first, one.last))


def _find_touched(
    definitions: Sequence[Definition], edit: LineEdit, lines: Sequence[str]
) -> Iterator[tuple[Definition, tuple[int, int]]]:
    """Each innermost definition with the lines of it that changed."""
    if edit.is_insertion:
        around = [one for one in definitions if _is_inside(one, edit, lines)]
        if around:
            inner = min(around, key=lambda one: one.last - one.first)
            yield inner, (edit.first, min(edit.first + 1, inner.last))
        return
    for number in range(edit.first, edit.last + 1):
        around = [one for one in definitions if one.first <= number <= one.last]
        if around and lines[number - 1].strip():
            inner = min(around, key=lambda one: one.last - one.first)
            yield inner, (max(edit.first, inner.first), min(edit.last, inner.last))


def _is_inside(one: Definition, edit: LineEdit, lines: Sequence[str]) -> bool:
    if not one.first <= edit.first <= one.last:
        return False
    first = next((line for line in edit.added if line.strip()), "")
    return edit.first < one.last or _indentation(first) > _indentation(lines[one.first - 1])


def _indentation(line: str) -> int:
    spread = line.expandtabs(8)
    return len(spread) - len(spread.lstrip())
