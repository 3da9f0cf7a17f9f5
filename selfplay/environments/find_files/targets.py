"""What of the targets the player has been shown. The engine decides this, not a model."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

import orjson

from selfplay.core.errors import TaskError
from selfplay.core.message import Message
from selfplay.core.task import Answer, LineRange, Target, Task
from selfplay.core.trace import ToolResult
from selfplay_tools.code.code_file import code_of, find_symbol_places, last_part_of, tidy_symbol
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import PathKind, Snapshot
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

    def add(self, action: Message, results: Sequence[ToolResult]) -> tuple[int, ...]:
        """Take in what a step's results showed; the targets that this completed, in order."""
        del action
        return self.add_shown(part for result in results for part in result.shown)

    def add_shown(self, shown: Iterable[ShownRange]) -> tuple[int, ...]:
        """The same for lines shown, whichever results they stand in."""
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


MAX_NEAREST = 3
"""Names that an error proposes."""


def resolve_targets(task: Task, snapshot: Snapshot, where: str = "") -> Task:
    """The task with its targets' symbols as lines. Raises TaskError naming each target the snapshot does not have.

    `where` (`FILE:LINE`) begins the error's text. An error is this task's alone: the other tasks of a file go on.
    """
    problems: list[str] = [f"target {t} stands twice" for t, count in Counter(task.answer.targets).items() if count > 1]
    targets = tuple(_resolve_target(target, snapshot, problems.append) for target in task.answer.targets)
    if problems:
        raise TaskError((f"{where}: " if where else "") + f"task {task.brief.id!r}: " + "; ".join(problems))
    return task.model_copy(update={"answer": task.answer.model_copy(update={"targets": targets})})


def _resolve_target(target: Target, snapshot: Snapshot, report: Callable[[str], None]) -> Target:
    entry = snapshot.entry(target.path)
    if entry is None and snapshot.kind(target.path) is PathKind.FOLDER:
        report(f"target {target.path!r} is a folder; name a file in it")
        return target
    if entry is None:
        nearest = ", ".join(map(repr, snapshot.nearest_paths(target.path)))
        report(f"target {target.path!r} does not exist at this commit" + (f"; nearest: {nearest}" if nearest else ""))
        return target
    if entry.kind is not PathKind.FILE:
        report(f"target {target.path!r} is a {entry.kind}, not a file")
        return target
    if target.symbol is not None:
        return _resolve_symbol(target, snapshot, report)
    if target.lines is not None and target.lines[1] > (length := len((text := snapshot.text(target.path)).lines)):
        shown = "the file has" if text.is_whole else "of this large file can be shown"
        report(f"target {target} goes past the end: {shown} {length} lines")
    return target


def _resolve_symbol(target: Target, snapshot: Snapshot, report: Callable[[str], None]) -> Target:
    try:
        places = find_symbol_places(snapshot, target.path, target.symbol or "")
    except ToolsError as error:
        report(f"target {target}: {error}")
        return target
    if not places:
        nearest = ", ".join(map(repr, _find_nearest_symbols(snapshot, target)))
        report(f"target {target.path!r} defines no {target.symbol!r}" + (f"; nearest: {nearest}" if nearest else ""))
        return target
    if target.lines is not None and target.lines not in places:
        stands, given = _format_line_ranges(places), _format_line_ranges([target.lines])
        report(f"target {target.path!r}: {target.symbol!r} stands at {stands}, not at {given}")
    elif target.lines is None and len(places) > 1:
        stands = _format_line_ranges(places)
        report(f"target {target.path!r} defines {target.symbol!r} several times, at {stands}: name the lines")
    else:
        return target.model_copy(update={"lines": target.lines or next(iter(places))})
    return target


def _find_nearest_symbols(snapshot: Snapshot, target: Target) -> list[str]:
    """Definitions of the target's file that look like its symbol, or have its last name elsewhere, best first."""
    wanted = tidy_symbol(target.symbol or "")
    names = list(dict.fromkeys(one.qualified for one in code_of(snapshot, target.path).definitions))
    same = [name for name in names if last_part_of(name) == last_part_of(wanted)]
    near = get_close_matches(wanted, names, n=MAX_NEAREST)
    by_last = get_close_matches(last_part_of(wanted), map(last_part_of, names), n=MAX_NEAREST)
    alike = [name for last in by_last for name in names if last_part_of(name) == last]
    return list(dict.fromkeys((*same, *near, *alike)))[:MAX_NEAREST]


def _format_line_ranges(places: Sequence[LineRange]) -> str:
    return ", ".join(f"{first}-{last}" for first, last in places)
