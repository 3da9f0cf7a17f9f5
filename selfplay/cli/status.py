"""`selfplay status` and `selfplay report`: how a run stands, from any machine that sees its folder."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from selfplay.batch.progress.observer import RunObserver
from selfplay.batch.progress.results import RunResults, recount_results
from selfplay.batch.progress.screen import render_totals, summarise_in_line
from selfplay.batch.progress.status import RunTotals
from selfplay.batch.run_folder import RunFolder
from selfplay.cli.console import ExitCode, make_console, print_error, print_json
from selfplay.cli.options import JsonOption
from selfplay.core.files import write_atomically
from selfplay.report import gather_report_data, render_page

commands = typer.Typer()

STATUS_EPILOG = """Examples:

selfplay status traces/night

selfplay status traces/night --watch

selfplay status traces/night --json | jq .units"""

WATCH_S = 2.0
LINE_S = 30.0


@commands.command(epilog=STATUS_EPILOG)
def status(
    run: Annotated[Path, typer.Argument(help="A run's folder.", metavar="DIR")],
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, as long as it runs.")] = False,
    recount: Annotated[
        bool, typer.Option("--recount", help="Read all journals, and say whether the ledgers agree with them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say how a run stands, while it runs or afterwards. Nothing is changed."""
    observer = RunObserver(RunFolder(run))
    console = make_console(is_quiet=False, is_json=as_json)
    if watch:
        with suppress(KeyboardInterrupt):
            _watch(observer, console)
    totals = observer.read_totals()
    if as_json:
        print_json(totals.model_dump(mode="json"))
    else:
        console.print(render_totals(totals, is_full=True))
    if recount and (differences := _compare_figures(recount_results(RunFolder(run)), totals.results)):
        print_error(
            f"the journals say something else than the ledgers: {differences}; delete {run / 'ledger'}, "
            "and `selfplay batch` with the same options makes it anew from the journals"
        )
        raise typer.Exit(ExitCode.NEGATIVE)


def _compare_figures(journals: RunResults, ledgers: RunResults) -> str:
    """Where the two differ; empty if they don't."""
    ones, others = (each.model_dump(mode="json") for each in (journals, ledgers))
    return ", ".join(
        f"{name.replace('_', ' ')} {ones[name]} in the journals and {others[name]} in the ledgers"
        if isinstance(ones[name], int | float)
        else name.replace("_", " ")
        for name in ones
        if ones[name] != others[name]
    )


def _watch(observer: RunObserver, console: Console) -> None:
    if not console.is_terminal:
        _print_lines(observer, console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while (totals := observer.read_totals()).is_running:
            live.update(render_totals(totals), refresh=True)
            time.sleep(WATCH_S)


def _print_lines(observer: RunObserver, console: Console) -> None:
    totals: RunTotals = observer.read_totals()
    while totals.is_running:
        console.print(summarise_in_line(totals), soft_wrap=True)
        time.sleep(LINE_S)
        totals = observer.read_totals()


REPORT_EPILOG = """Examples:

selfplay report traces/night

selfplay report traces/night -o night.html"""


@commands.command(epilog=REPORT_EPILOG)
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.", metavar="DIR")],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; by default DIR/report.html.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write what became of a run as one HTML file: outcomes, search, cost, failures. It needs no network."""
    console = make_console(is_quiet=False, is_json=as_json)
    path = out or run / "report.html"
    found = gather_report_data(RunFolder(run))
    write_atomically(path, render_page(found, path.absolute().parent))
    if as_json:
        print_json({"report": str(path), "totals": found.totals.model_dump(mode="json")})
    console.print(Text(str(path), style="green"), soft_wrap=True)
