"""`selfplay status`: how a run stands, from any shell and machine that sees its folder."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from selfplay.batch.layout import RunFolder
from selfplay.batch.observe import Observer
from selfplay.batch.recount import recounted
from selfplay.batch.screen import line, screen
from selfplay.batch.status import Totals
from selfplay.batch.totals import Results
from selfplay.cli.console import ExitCode, complain, people_console, print_json

EPILOG = """Examples:

selfplay status traces/night

selfplay status traces/night --watch

selfplay status traces/night --json | jq .units"""

WATCH_S = 2.0
LINE_S = 30.0


def status(
    run: Annotated[Path, typer.Argument(help="A run's folder.", metavar="DIR")],
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, as long as it runs.")] = False,
    recount: Annotated[
        bool, typer.Option("--recount", help="Read all journals, and say whether the ledgers agree with them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Say how a run stands, while it runs or afterwards. Nothing is changed."""
    observer = Observer(RunFolder(run))
    console = people_console(is_quiet=False, is_json=as_json)
    if watch:
        with suppress(KeyboardInterrupt):
            _watch(observer, console)
    totals = observer.look()
    if as_json:
        print_json(totals.model_dump(mode="json"))
    else:
        console.print(screen(totals, is_full=True))
    if recount and (told := _other_figures(recounted(RunFolder(run)), totals.results)):
        complain(
            f"the journals say something else than the ledgers: {told}; delete {run / 'ledger'}, and `selfplay batch` "
            "with the same options makes it anew from the journals"
        )
        raise typer.Exit(ExitCode.NEGATIVE)


def _other_figures(journals: Results, ledgers: Results) -> str:
    """Where the two differ; empty if they don't."""
    ones, others = (each.model_dump(mode="json") for each in (journals, ledgers))
    return ", ".join(
        f"{name.replace('_', ' ')} {ones[name]} in the journals and {others[name]} in the ledgers"
        if isinstance(ones[name], int | float)
        else name.replace("_", " ")
        for name in ones
        if ones[name] != others[name]
    )


def _watch(observer: Observer, console: Console) -> None:
    if not console.is_terminal:
        _tell_lines(observer, console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while (totals := observer.look()).is_running:
            live.update(screen(totals), refresh=True)
            time.sleep(WATCH_S)


def _tell_lines(observer: Observer, console: Console) -> None:
    totals: Totals = observer.look()
    while totals.is_running:
        console.print(line(totals), soft_wrap=True)
        time.sleep(LINE_S)
        totals = observer.look()
