"""Which lines of a file, as it was before, a patch touches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True)
class Edit:
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


def edits(patch: bytes) -> Iterator[Edit]:
    """Every run of changed lines in one file's patch, in order."""
    lines = patch.split(b"\n")
    at = 0
    while at < len(lines):
        found = _HUNK.match(lines[at])
        at += 1
        if found is not None:
            old, count, new_count = int(found[1]), int(found[2] or 1), int(found[4] or 1)
            # A hunk without old lines names the line before it.
            at = yield from _of_hunk(lines, at, (old if count else old + 1, count, new_count))


def _of_hunk(lines: list[bytes], at: int, head: tuple[int, int, int]) -> Iterator[Edit]:
    number, old_left, new_left = head
    gone, come = 0, list[str]()
    while at < len(lines) and (old_left > 0 or new_left > 0):
        sign, text = lines[at][:1], lines[at][1:]
        at += 1
        if sign == b"-":
            gone, old_left = gone + 1, old_left - 1
        elif sign == b"+":
            come.append(text.decode("utf-8", "replace"))
            new_left -= 1
        elif sign == b"\\":
            continue
        else:
            if gone or come:
                yield _edit(number, gone, come)
            number, gone, come = number + gone + 1, 0, []
            old_left, new_left = old_left - 1, new_left - 1
    if gone or come:
        yield _edit(number, gone, come)
    return at  # noqa: B901  what `yield from` gives to the caller


def _edit(number: int, gone: int, come: list[str]) -> Edit:
    first = number if gone else number - 1
    return Edit(first, first + gone - 1, tuple(come))
