"""Definitions that a change touches, as targets."""

from collections.abc import Iterator, Sequence

from selfplay.mine.hunks import LineEdit, read_edits
from selfplay.task import Target
from selfplay_tools.code import CodeFile, select_named, parse_code
from selfplay_tools.definitions import CLASS_LIKE, Definition

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
