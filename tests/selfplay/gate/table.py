"""The table of hints: made-up repositories, tasks about them, and what the gate should say of each hint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from selfplay.demo.repository import CODE_BASE
from selfplay.gate import Secret, Seen, findings, prepare
from selfplay.task import Task
from selfplay.tasks import parse_task
from selfplay.trace import Finding
from selfplay_tools.directory import DirectorySnapshot
from selfplay_tools.reading import ReadFile, read_file
from selfplay_tools.snapshot import Snapshot

HERE = Path(__file__).parent
READ = "read:"
"""`read:PATH` among the shown texts stands for what `read_file` prints of that file."""


@dataclass(frozen=True)
class Row:
    """A hint, and what should be found in it."""

    set: str
    """`made` with the checks at hand; `held_out` after they were written."""
    task: str
    shown: tuple[str, ...]
    hint: str
    reveals: bool
    kinds: tuple[str, ...]
    """At least one of these is found."""


@dataclass(frozen=True)
class Case:
    """A task as the checks see it."""

    task: Task
    snapshot: Snapshot | None
    secret: Secret


def rows() -> tuple[Row, ...]:
    """The table."""
    lines = (HERE / "hints.jsonl").read_text("utf-8").splitlines()
    return tuple(_row(json.loads(line)) for line in lines)


def _row(value: dict[str, Any]) -> Row:
    return Row(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})  # pyright: ignore[reportUnknownArgumentType]  # strings


@cache
def tasks() -> Mapping[str, Task]:
    """The tasks by id; each one's `repo` is the name of a file in `repos`."""
    lines = (HERE / "tasks.jsonl").read_text("utf-8").splitlines()
    parsed = (parse_task(line, f"tasks.jsonl:{number}") for number, line in enumerate(lines, 1))
    return {task.brief.id: task for task in parsed}


def unpack(name: str, root: Path) -> Path | None:
    """Write a made-up repository's files below `root`; None for one that nobody has."""
    if name == CODE_BASE.name:
        return CODE_BASE
    bundle = HERE / "repos" / f"{name}.txt"
    if not bundle.is_file():
        return None
    for part in bundle.read_text("utf-8").split("=== ")[1:]:
        path, _, text = part.partition("\n")
        target = root / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return root / name


def cases(root: Path) -> Mapping[str, Case]:
    """Every task of the table with its repository unpacked below `root`."""
    snapshots: dict[str, Snapshot | None] = {}
    for task in tasks().values():
        if task.brief.repo not in snapshots:
            folder = unpack(task.brief.repo, root)
            snapshots[task.brief.repo] = DirectorySnapshot(folder) if folder else None
    return {
        name: Case(task, snapshots[task.brief.repo], prepare(task, snapshots[task.brief.repo]))
        for name, task in tasks().items()
    }


def shown_texts(row: Row, case: Case) -> tuple[str, ...]:
    """The texts that the player has seen."""
    return tuple(_text(text, case.snapshot) for text in row.shown)


def _text(text: str, snapshot: Snapshot | None) -> str:
    if not text.startswith(READ) or snapshot is None:
        return text
    return read_file(snapshot, ReadFile(path=text.removeprefix(READ))).text


def found_in(row: Row, case: Case) -> tuple[Finding, ...]:
    """What the gate finds."""
    seen = Seen()
    seen.add(case.task.brief.prompt)
    for text in shown_texts(row, case):
        seen.add(text)
    return findings(row.hint, case.secret, seen)
