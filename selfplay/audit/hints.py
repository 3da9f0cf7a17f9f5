"""`selfplay audit hints`: which hints, from any source, reveal their task's answer."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from selfplay.core.errors import RepositoryError
from selfplay.core.json_rows import read_rows
from selfplay.core.message import Noun
from selfplay.core.task import Answer, Brief, Task
from selfplay.core.task_rows import TaskRow
from selfplay.core.trace import HintFinding
from selfplay.gate import Guard, ShownText, check_hint, prepare_guard
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import Snapshot

OPEN_AT_ONCE = 8
"""Repositories kept open while rows of several tasks alternate."""


class HintRow(Noun):
    """A line of the input."""

    task: TaskRow
    shown: tuple[str, ...] = ()
    """Texts that the player has seen before the hint."""
    hint: str


class SnapshotSource(Protocol):
    """Hands out snapshots, as `selfplay.repos.repositories.Repositories` does."""

    def open(self, repo: str, commit: str) -> Snapshot:
        """The files of a commit. Raises RepositoryError."""
        ...


@dataclass(frozen=True, slots=True)
class HintAudit:
    """What was found in one hint."""

    findings: tuple[HintFinding, ...]
    partial: str | None = None
    """Why not everything could be checked, if so."""

    def to_row(self) -> dict[str, Any]:
        """The line of the output: `reveals`, `findings`, and `partial` where it says something."""
        found = [{"kind": f.kind, "text": f.text, "span": list(f.span)} for f in self.findings]
        row: dict[str, Any] = {"reveals": bool(found), "findings": found}
        return row | {"partial": self.partial} if self.partial else row


OpenSnapshot = Callable[[Brief], Snapshot]


def audit_hints(file: Path, repositories: SnapshotSource) -> Iterator[dict[str, Any]]:
    """A row for each line of a JSONL file, in order.

    Raises InputError at the first line that is no row, after the rows before it. A repository that can't be opened is
    no error: its hints are checked against what the task itself says, and their rows say so under `partial`.
    """
    rows = (row for _, row in read_rows(file, HintRow))
    hints = ((row.task.to_task(), row.shown, row.hint) for row in rows)
    for result in audit_each(hints, lambda brief: repositories.open(brief.repo, brief.commit)):
        yield result.to_row()


def audit_each(hints: Iterable[tuple[Task, Iterable[str], str]], open_snapshot: OpenSnapshot) -> Iterator[HintAudit]:
    """What each hint reveals, given its task and the texts that the player has been shown.

    `open_snapshot` may raise RepositoryError. Snapshots are closed when the iterator ends or is closed.
    """
    tasks = _OpenTasks(open_snapshot)
    try:
        for task, shown, hint in hints:
            guard, partial = tasks.guard_for(task)
            shown_text = ShownText()
            for text in shown:
                shown_text.add(text)
            yield HintAudit(check_hint(hint, guard, shown_text), partial)
    finally:
        tasks.close_all()


class _OpenTasks:
    """The most recently used tasks, with their repositories open."""

    def __init__(self, open_snapshot: OpenSnapshot) -> None:
        self._open_snapshot = open_snapshot
        self._known: OrderedDict[tuple[Brief, Answer], tuple[Guard, str | None, Snapshot | None]] = OrderedDict()

    def guard_for(self, task: Task) -> tuple[Guard, str | None]:
        key = (task.brief, task.answer)
        if key not in self._known:
            self._known[key] = self._prepare(task)
        self._known.move_to_end(key)
        while len(self._known) > OPEN_AT_ONCE:
            self._close(self._known.popitem(last=False)[1][2])
        guard, partial, _ = self._known[key]
        return guard, partial

    def close_all(self) -> None:
        while self._known:
            self._close(self._known.popitem()[1][2])

    def _prepare(self, task: Task) -> tuple[Guard, str | None, Snapshot | None]:
        try:
            snapshot = self._open_snapshot(task.brief)
        except (RepositoryError, ToolsError) as error:
            return prepare_guard(task, None), f"repository not available: {error}", None
        missing = [path for path in task.answer.paths if snapshot.entry(path) is None]
        partial = f"not in the repository: {', '.join(missing)}" if missing else None
        return prepare_guard(task, snapshot), partial, snapshot

    @staticmethod
    def _close(snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            with suppress(ToolsError):
                snapshot.close()
