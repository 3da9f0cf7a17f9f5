"""The table of hints: made-up repositories, tasks about them, and what the gate should say of each hint."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from selfplay.core.json_rows import read_rows
from selfplay.core.message import Noun
from selfplay.core.task import Task
from selfplay.core.task_rows import read_tasks
from selfplay.core.trace import FindingKind, HintFinding
from selfplay.demo.repository import CODE_BASE
from selfplay.gate import Guard, ShownText, check_hint, prepare_guard
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.read_file import ReadFile, read_file

HERE = Path(__file__).parent
READ_PREFIX = "read:"
"""`read:PATH` among the shown texts stands for what `read_file` prints of that file."""


class LabelledHint(Noun):
    """A hint, and what should be found in it."""

    set: Literal["made", "held_out", "held_out_2", "held_out_3"]
    """`made` while the checks were written; `held_out` after that; `held_out_2` after what that one taught;
    `held_out_3` before anything was changed after probes by other people."""
    task: str
    shown: tuple[str, ...]
    hint: str
    reveals: bool
    kinds: tuple[FindingKind, ...]
    """At least one of these is found."""
    known: str = ""
    """Why the gate is known to be wrong here."""


@dataclass(frozen=True)
class GateCase:
    """A task as the checks see it."""

    task: Task
    snapshot: Snapshot | None
    guard: Guard

    def __repr__(self) -> str:
        return f"<{self.task.brief.id}>"


def read_hints() -> tuple[LabelledHint, ...]:
    """The table."""
    return tuple(row for _, row in read_rows(HERE / "hints.jsonl", LabelledHint))


@cache
def load_tasks() -> Mapping[str, Task]:
    """The tasks by id; each one's `repo` is the name of a file in `repos`, or the demo's code base."""
    return {task.brief.id: task for _, task in read_tasks(HERE / "tasks.jsonl")}


def unpack_repository(name: str, root: Path) -> Path | None:
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


@contextmanager
def open_cases(root: Path) -> Generator[Mapping[str, GateCase]]:
    """Every task of the table with its repository unpacked below `root`."""
    with ExitStack() as stack:
        snapshots: dict[str, Snapshot | None] = {}
        for repo in dict.fromkeys(task.brief.repo for task in load_tasks().values()):
            folder = unpack_repository(repo, root)
            snapshots[repo] = stack.enter_context(closing(DirectorySnapshot(folder))) if folder else None
        yield {
            name: GateCase(task, snapshots[task.brief.repo], prepare_guard(task, snapshots[task.brief.repo]))
            for name, task in load_tasks().items()
        }


def resolve_shown_texts(row: LabelledHint, case: GateCase) -> tuple[str, ...]:
    """The texts that the player was shown."""
    return tuple(_resolve_text(text, case.snapshot) for text in row.shown)


def _resolve_text(text: str, snapshot: Snapshot | None) -> str:
    if not text.startswith(READ_PREFIX) or snapshot is None:
        return text
    return read_file(snapshot, ReadFile.model_validate({"path": text.removeprefix(READ_PREFIX)})).text


def find_in_hint(row: LabelledHint, case: GateCase) -> tuple[HintFinding, ...]:
    """What the gate finds."""
    shown = ShownText()
    shown.add(case.task.brief.prompt)
    for text in resolve_shown_texts(row, case):
        shown.add(text)
    return check_hint(row.hint, case.guard, shown)
