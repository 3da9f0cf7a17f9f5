"""The `selfplay` command. A command's module is imported when the command is called: several take a second."""

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from selfplay.core.errors import SelfplayError
from selfplay_tools import release_version
from selfplay_tools.errors import ToolsError

COMMANDS = {
    "demo": (
        "demo",
        "Play one episode on a small HTTP server, with no key and no network, and make training rows of it.",
    ),
    "mine": (
        "mine",
        "Search tasks in git history: a commit's message asks, the source files that it changed are the answer.",
    ),
    "import": (
        "tasks",
        "Turn rows of SWE-bench (Lite, Verified, SWE-smith), Loc-Bench or chat rows with metadata into tasks.",
    ),
    "run": ("run", "Play one episode and watch it live. The same command resumes an interrupted one."),
    "batch": (
        "batch",
        "Play the tasks of a file, many at once. Ctrl-C ends it in order, a second one now; the same command goes on.",
    ),
    "status": ("status", "Say how a run stands, while it runs or afterwards. Nothing is changed."),
    "report": (
        "status",
        "Write what became of a run as one HTML file: outcomes, search, cost, failures. It needs no network.",
    ),
    "show": ("show", "Replay a trace, readably; with --stripped beside what is left without the supervisor."),
    "explain": ("show", "Say of each argument where it came from, and of each target how it was reached."),
    "clean": (
        "clean",
        "Strip, repair, weigh and compare traces, and write what is worth training on beside them.",
    ),
    "export": ("export", "Write the rows of clean traces, with their contract beside them."),
    "index": (
        "index",
        (
            "Clone and index repositories ahead, so that no episode waits for it. "
            "Searches work without: they scan meanwhile."
        ),
    ),
    "tasks": ("tasks", "Look at task files."),
    "audit": ("audit", "Check hints, echoes and whole traces from any source."),
    "tools": ("tools", "The player's tools: list them, call one, serve them over MCP."),
}
"""Of each command the module in `selfplay.cli` that defines it, and its line in the list of commands."""

FIRST_STEPS = """\
selfplay makes the code search behind a patch, as training data for agents.

  watch one episode     selfplay demo
  make tasks            selfplay mine ~/src/app -o tasks.jsonl
  try your servers      selfplay batch tasks.jsonl --out traces/night \\
                            --config run.toml --dry-run 2
  run a night           selfplay batch tasks.jsonl --out traces/night \\
                            --config run.toml
  look                  selfplay status traces/night
  clean and export      selfplay clean traces/night
                        selfplay export traces/night -o data/sft

run.toml names your models and servers; the README shows one.
All commands: selfplay --help    One of them: selfplay COMMAND --help
"""
"""What `selfplay` without arguments prints: the first steps, in their order."""


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and help, and imports a command when it is called."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  typer's own copies of click's types
        """Without arguments the first steps are shown; exit code 2, as for any command line that is not complete."""
        if not args:
            typer.echo(FIRST_STEPS, nl=False)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  see parse_args
        """The name, the command with its parameters, and what is left of the arguments."""
        name, entry, rest = super().resolve_command(ctx, args)
        return name, None if name is None or entry is None else load_command(name), rest


def load_command(name: str) -> Any:  # noqa: ANN401  a typer.core.TyperCommand or TyperGroup; their base is private
    """Import the module that defines a command of `COMMANDS`; returns the command."""
    module, _ = COMMANDS[name]
    return get_group(import_module(f"selfplay.cli.{module}").commands).commands[name]


app = typer.Typer(
    cls=LazyGroup,
    name="selfplay",
    help="Make the step-by-step code search behind a patch, as training data for coding agents.",
    epilog="Exit codes: 0 done; 1 done, with a negative outcome (not found, findings, nothing made or played); "
    "2 unusable input; 3 a model is out of reach, run the same command again to go on; 4 the budget is used up; "
    "130 interrupted; 70 a fault of selfplay.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, (_, _line) in COMMANDS.items():
    app.command(_name, help=_line)(lambda: None)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  typer's callback
    if wanted:
        typer.echo(f"selfplay {release_version()}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; errors that the user can act on are printed without a traceback. Always raises SystemExit."""
    try:
        app(args=arguments, prog_name="selfplay")
    except Exception as error:  # noqa: BLE001  whatever it is, a script can tell it from "not found"
        sys.exit(_print_failure(error))


def _print_failure(error: Exception) -> int:
    """Say what ended the command; returns its exit code."""
    from selfplay.cli.console import ExitCode, print_error  # noqa: PLC0415  brings rich, which --version has no use for

    if not isinstance(error, SelfplayError | ToolsError):
        traceback.print_exc()
        print_error("this is a fault of selfplay; what was recorded is kept")
        return ExitCode.BUG
    code = ExitCode.of(error)
    print_error(f"{error}\nRun the same command again to go on." if code is ExitCode.OUT_OF_REACH else error)
    return code
