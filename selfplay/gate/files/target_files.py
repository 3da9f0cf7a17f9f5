"""A target's content, and which of its lines the task is about."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfplay.core.task import Answer, Target
from selfplay.gate.files.source_code import SourceVocabulary, parse_source, select_distinctive_lines
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import Snapshot

_MAX_BYTES = 2 << 20
_MAX_LINES = 20_000
"""Lines read of a file that is larger than that."""
_BLOCK = 10
"""Lines after its first that stand for a definition, where a task does not say which lines it has."""


@dataclass(frozen=True, slots=True)
class TargetFile:
    """One file of the answer."""

    path: str
    text: str
    """Its content; of a repository that can't be read, what the patch shows of it."""
    vocabulary: SourceVocabulary
    lines: frozenset[str]
    """Distinctive lines of what the task is about in it."""


def read_target(answer: Answer, path: str, snapshot: Snapshot | None) -> TargetFile:
    """One file of the answer; without a snapshot, what the patch shows of it."""
    lines = _read_lines(answer, path, snapshot)
    text = "\n".join(lines)
    targets = [t for t in answer.targets if t.path == path]
    return TargetFile(
        path, text, parse_source(path, text), select_distinctive_lines(list(_select_target_lines(targets, lines)))
    )


def _read_lines(answer: Answer, path: str, snapshot: Snapshot | None) -> Sequence[str]:
    if snapshot is None:
        return _read_patch_lines(answer.patch or "", path)
    try:
        text = snapshot.text(path)
    except ToolsError:
        return ()
    return text.lines if text.size <= _MAX_BYTES else text.lines[:_MAX_LINES]


def _select_target_lines(targets: Sequence[Target], lines: Sequence[str]) -> Iterator[str]:
    """The lines that the targets in one file are about; all of them where a target is the whole file."""
    if any(t.lines is None and t.symbol is None for t in targets):
        yield from lines
        return
    for target in targets:
        first, last = target.lines or _locate_definition(target.symbol or "", lines)
        yield from lines[first - 1 : last]


def _locate_definition(symbol: str, lines: Sequence[str]) -> tuple[int, int]:
    """About where a symbol is defined: the line that first names it with a bracket or keyword, and ten after it."""
    name = re.escape(re.split(r"[.:#]+", symbol)[-1])
    pattern = re.compile(
        rf"\b(?:def|class|func|fn|function|type|struct|interface|enum|const|module|trait)\b.*\b{name}\b"
    )
    call = re.compile(rf"\b{name}\s*\(")
    for wanted in (pattern, call):
        for number, line in enumerate(lines, 1):
            if wanted.search(line):
                return number, number + _BLOCK
    return 1, len(lines)


def _read_patch_lines(patch: str, path: str) -> Sequence[str]:
    """What a unified diff shows of a file, added lines included."""
    lines: list[str] = []
    is_here = False
    for row in patch.splitlines():
        if row.startswith(("diff --git", "--- ")):
            is_here = row.rstrip().endswith(f"/{path}") or row.rstrip().endswith(f" {path}")
        elif row.startswith("+++ "):
            is_here = is_here or row.rstrip().endswith(f"/{path}") or row.rstrip().endswith(f" {path}")
        elif is_here and row[:1] in {"+", "-", " "}:
            lines.append(row[1:])
    return lines
