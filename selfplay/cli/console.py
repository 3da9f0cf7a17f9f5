"""What all commands share: consoles, progress bars, exit codes, errors on the screen."""

import sys
from collections.abc import Mapping
from enum import IntEnum
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from selfplay.core.errors import ModelError, NothingToExport, ScriptError
from selfplay.core.jsonl import json_line
from selfplay.core.terminal_text import sanitize

if TYPE_CHECKING:
    from rich.progress import Progress


class ExitCode(IntEnum):
    """What a script can tell from how a command ended."""

    DONE = 0
    NEGATIVE = 1
    """Done, and the outcome is negative: not found, findings, nothing made or played."""
    UNUSABLE = 2
    """What was given can't be used."""
    OUT_OF_REACH = 3
    """A model is out of reach; the same command goes on later."""
    BUDGET = 4
    """A run's budget is used up; the same command goes on with a larger one."""
    BUG = 70
    """A fault of the program itself; its traceback is on standard error."""
    INTERRUPTED = 130

    @classmethod
    def of(cls, error: Exception) -> "ExitCode":
        """The code that a command ends with after this error."""
        if isinstance(error, NothingToExport):
            return cls.NEGATIVE
        is_reachable = isinstance(error, ScriptError) or not isinstance(error, ModelError)
        return cls.UNUSABLE if is_reachable else cls.OUT_OF_REACH


def print_error(error: Exception | str) -> None:
    """Print on standard error what was wrong."""
    console = Console(stderr=True)
    console.print(Text("error: ", style="bold red") + Text(sanitize(str(error))), soft_wrap=True)


def print_warning(text: str) -> None:
    """Print on standard error what may be a mistake; the command goes on."""
    console = Console(stderr=True)
    console.print(Text("warning: ", style="bold yellow") + Text(sanitize(text)), soft_wrap=True)


def exit_interrupted() -> typer.Exit:
    """What a command raises after Ctrl-C, where the same command goes on from there; prints that."""
    print_error("interrupted; run the same command again to go on")
    return typer.Exit(ExitCode.INTERRUPTED)


def make_console(*, is_quiet: bool, is_json: bool) -> Console:
    """Where the view for people goes: standard output, or standard error where JSON has the output."""
    for stream in (sys.stdout, sys.stderr):  # a character that the terminal can't show must not end anything
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    return Console(stderr=is_json, quiet=is_quiet, highlight=False, soft_wrap=False)


def make_progress(console: Console, *, shows_remaining: bool = False) -> "Progress":
    """A bar with the time that has passed, or is expected to be left. On a terminal only, and gone at its end."""
    from rich import progress  # noqa: PLC0415  a twentieth of a second, and most commands show no bar

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn() if shows_remaining else progress.TimeElapsedColumn(),
    )
    return progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def list_counts(counts: Mapping[Any, int]) -> str:
    """Counts in a line: `3 hinted, 2 unhinted`."""
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def write_stdout(data: bytes) -> None:
    """Write bytes to standard output, at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_json(value: object) -> None:
    """One line of JSON on standard output."""
    write_stdout(json_line(value))
