"""What all commands share: consoles, exit codes, complaints."""

import sys
from enum import IntEnum
from io import TextIOWrapper

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from selfplay.core.errors import ModelError, NothingToExport, ScriptError
from selfplay.core.jsonl import json_line
from selfplay.core.terminal_text import sanitize


class ExitCode(IntEnum):
    """What a script can tell from how a command ended."""

    DONE = 0
    NEGATIVE = 1
    """Done, and the outcome is negative: not found, findings, nothing made or played."""
    UNUSABLE = 2
    """What was given can't be used."""
    OUT_OF_REACH = 3
    """A model can't be had; the same command goes on later."""
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
    """Say on standard error what was wrong."""
    console = Console(stderr=True)
    console.print(Text("error: ", style="bold red") + Text(sanitize(str(error))), soft_wrap=True)


def print_warning(text: str) -> None:
    """Say on standard error what may not be meant so; nothing ends for it."""
    console = Console(stderr=True)
    console.print(Text("warning: ", style="bold yellow") + Text(sanitize(text)), soft_wrap=True)


def make_console(*, is_quiet: bool, is_json: bool) -> Console:
    """Where the view for people goes: standard output, or standard error where JSON has the output."""
    for stream in (sys.stdout, sys.stderr):  # a character that the terminal can't show must not end anything
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    return Console(stderr=is_json, quiet=is_quiet, highlight=False, soft_wrap=False)


def make_progress(console: Console, time: type[ProgressColumn] = TimeElapsedColumn) -> Progress:
    """A bar that is gone when it ends, and shows nothing where no terminal is; its last column is about time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), time())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def print_json(value: object) -> None:
    """One line of JSON on standard output."""
    sys.stdout.buffer.write(json_line(value))
    sys.stdout.buffer.flush()
