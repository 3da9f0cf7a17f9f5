"""Task files, written whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

from selfplay.core.errors import InputError, TaskError
from selfplay.core.files import open_scratch_folder, write_together
from selfplay.core.task import Task
from selfplay.core.task_rows import parse_task, row_of


def write_tasks(files: Iterable[tuple[Path, Iterable[Task]]]) -> None:
    """Write each file's tasks; all files are moved to their places once all are whole.

    A key that says nothing (no symbol, no patch) is left out. Raises StorageError, and TaskError where a file that
    holds something else than tasks would be overwritten.
    """
    rows = [(path.absolute(), tasks) for path, tasks in files]
    for path, _ in rows:
        refuse_other_file(path)
    for folder in dict.fromkeys(path.parent for path, _ in rows):
        with open_scratch_folder(folder) as scratch:
            write_together(scratch, [(path, map(encode_task, tasks)) for path, tasks in rows if path.parent == folder])


def encode_task(task: Task) -> bytes:
    """The task as a line of a file."""
    return row_of(task).model_dump_json(exclude_defaults=True).encode() + b"\n"


def refuse_other_file(path: Path) -> None:
    """Raise TaskError if the path is taken by something else than a task file."""
    if path.is_dir():
        raise TaskError(f"{path} is a folder; name a file")
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        first = file.readline()
    try:
        parse_task(first, str(path))
    except InputError:
        raise TaskError(
            f"{path}: holds something else than tasks and is not overwritten; choose another name"
        ) from None
