"""The `selfplay` command."""

import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from selfplay.cli.audit import audit
from selfplay.cli.batch import EPILOG as BATCH_EPILOG
from selfplay.cli.batch import batch
from selfplay.cli.clean import EPILOG as CLEAN_EPILOG
from selfplay.cli.clean import clean
from selfplay.cli.console import ExitCode, print_error
from selfplay.cli.demo import EPILOG as DEMO_EPILOG
from selfplay.cli.demo import demo
from selfplay.cli.explain import EPILOG as EXPLAIN_EPILOG
from selfplay.cli.explain import explain
from selfplay.cli.export import EPILOG as EXPORT_EPILOG
from selfplay.cli.export import export
from selfplay.cli.import_ import EPILOG as IMPORT_EPILOG
from selfplay.cli.import_ import import_
from selfplay.cli.index import EPILOG as INDEX_EPILOG
from selfplay.cli.index import index
from selfplay.cli.mine import EPILOG as MINE_EPILOG
from selfplay.cli.mine import mine
from selfplay.cli.report import EPILOG as REPORT_EPILOG
from selfplay.cli.report import report
from selfplay.cli.run import EPILOG as RUN_EPILOG
from selfplay.cli.run import run
from selfplay.cli.show import EPILOG as SHOW_EPILOG
from selfplay.cli.show import show
from selfplay.cli.status import EPILOG as STATUS_EPILOG
from selfplay.cli.status import status
from selfplay.cli.tasks import tasks
from selfplay.cli.tools import tools
from selfplay.core.errors import SelfplayError
from selfplay_tools.errors import ToolsError

RESUMABLE = ExitCode.OUT_OF_REACH

app = typer.Typer(
    name="selfplay",
    help="Make the step-by-step code search behind a patch, as training data for coding agents.",
    epilog="Exit codes: 0 done; 1 done, with a negative outcome (not found, findings, nothing made or played); "
    "2 unusable input; 3 a model is out of reach, run the same command again to go on; 4 the budget is used up; "
    "130 interrupted; 70 a fault of selfplay.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=DEMO_EPILOG)(demo)
app.command(epilog=MINE_EPILOG)(mine)
app.command("import", epilog=IMPORT_EPILOG)(import_)
app.add_typer(tasks, name="tasks")
app.command(epilog=RUN_EPILOG)(run)
app.command(epilog=BATCH_EPILOG)(batch)
app.command(epilog=STATUS_EPILOG)(status)
app.command(epilog=REPORT_EPILOG)(report)
app.command(epilog=SHOW_EPILOG)(show)
app.command(epilog=EXPLAIN_EPILOG)(explain)
app.command(epilog=CLEAN_EPILOG)(clean)
app.command(epilog=EXPORT_EPILOG)(export)
app.command(epilog=INDEX_EPILOG)(index)
app.add_typer(audit, name="audit")
app.add_typer(tools, name="tools")


def _print_version(wanted: bool) -> None:  # noqa: FBT001  typer's callback
    if wanted:
        typer.echo(f"selfplay {version('selfplay')}")
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
    except (SelfplayError, ToolsError) as error:
        print_error(f"{error}\nRun the same command again to go on." if ExitCode.of(error) == RESUMABLE else error)
        sys.exit(ExitCode.of(error))
    except Exception:  # noqa: BLE001  whatever it is, a script can tell it from "not found"
        traceback.print_exc()
        print_error("this is a fault of selfplay; what was recorded is kept")
        sys.exit(ExitCode.BUG)
