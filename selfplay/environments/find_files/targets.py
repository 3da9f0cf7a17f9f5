"""What of the targets the player has been shown. The engine decides this, not a model."""

from collections.abc import Iterable

import orjson

from selfplay.core.task import Answer, Target
from selfplay_tools.tools.tool import ShownRange
from selfplay_tools.tools.toolbox import Toolbox

QUOTED_LINES = 40
"""Lines of a target that are quoted: of the file from its beginning, of a part of a file from the part's."""
OUTLINE_LINES = 40
LINE_CHARS = 160


def describe_targets(answer: Answer, toolbox: Toolbox) -> str:
    """Each target with its definitions and its first lines. Blocking."""
    return "\n\n".join(_describe_target(target, toolbox) for target in answer.targets)


def _describe_target(target: Target, toolbox: Toolbox) -> str:
    start = target.lines[0] if target.lines else 1
    count = min(QUOTED_LINES, target.lines[1] - start + 1) if target.lines else QUOTED_LINES
    parts = [f"- {target}"]
    outline = toolbox.run("outline", _encode_arguments(path=target.path))
    if outline.ok and target.lines is None:
        parts.append(_indent_lines("What it defines:\n" + outline.text, OUTLINE_LINES))
    beginning = toolbox.run("read_file", _encode_arguments(path=target.path, start=start, count=count))
    parts.append(_indent_lines("How it begins:\n" + beginning.text, QUOTED_LINES + 4))
    return "\n".join(parts)


def _encode_arguments(**arguments: str | int) -> str:
    return orjson.dumps(arguments).decode()


def _indent_lines(text: str, max_lines: int) -> str:
    lines = text.split("\n")
    kept = [f"    {line[:LINE_CHARS]}".rstrip() for line in lines[:max_lines]]
    if len(lines) > max_lines:
        kept.append(f"    … {len(lines) - max_lines} more lines")
    return "\n".join(kept)


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
