"""`selfplay audit`: check what was made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from selfplay.audit import audit_hints
from selfplay.audit_echoes import audit_echoes
from selfplay.cli.console import ExitCode, complain, print_json
from selfplay.repos import Repositories

audit = typer.Typer(help="Check hints (and more to come) from any source.", no_args_is_help=True)

EPILOG = """Example:

selfplay audit hints hints.jsonl

where each row is {"task": {a task, as in a task file}, "shown": ["what the player has seen"], "hint": "..."}"""


@audit.command(epilog=EPILOG)
def hints(
    file: Annotated[Path, typer.Argument(help="JSONL: task, shown, hint.")],
    *,
    repos: Annotated[Path, typer.Option(help="Folder of clones.", envvar="SELFPLAY_REPOS")] = Path("repos"),
) -> None:
    """Say of each hint whether it reveals the answer: one JSON row each, in order, on standard output.

    Exit code 1 if any reveals, or could be checked in part only: its repository can't be opened, a target is not there.
    """
    reveals = partial = 0
    for row in audit_hints(file, Repositories(repos)):
        reveals += row["reveals"]
        partial += "partial" in row
        print_json(row)
    if partial:
        complain(f"{partial} hints could be checked in part only, see `partial` in their rows")
    raise typer.Exit(ExitCode.NEGATIVE if reveals or partial else ExitCode.DONE)


ECHOES_EPILOG = """Example:

selfplay audit echoes turns.jsonl

where each row is {"text": "what the player said in a turn", "hint": "what stood before it, if anything did"}"""


@audit.command(epilog=ECHOES_EPILOG)
def echoes(file: Annotated[Path, typer.Argument(help="JSONL: text, and hint if there was one.")]) -> None:
    """Say of each text whether it answers or leans on a hint: one JSON row each, in order, on standard output.

    Exit code 1 if any does.
    """
    count = 0
    for row in audit_echoes(file):
        count += row["echo"]
        print_json(row)
    raise typer.Exit(ExitCode.NEGATIVE if count else ExitCode.DONE)
