"""`selfplay report`: a run as one page."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from selfplay.batch.run_folder import RunFolder
from selfplay.cli.console import make_console, print_json
from selfplay.core.files import write_atomically
from selfplay.report import gather_report_data, render_page

EPILOG = """Examples:

selfplay report traces/night

selfplay report traces/night -o night.html"""


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.", metavar="DIR")],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; by default DIR/report.html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Write what became of a run as one HTML file: outcomes, search, cost, failures. It needs no network."""
    console = make_console(is_quiet=False, is_json=as_json)
    path = out or run / "report.html"
    found = gather_report_data(RunFolder(run))
    write_atomically(path, render_page(found, path.absolute().parent))
    if as_json:
        print_json({"report": str(path), "totals": found.totals.model_dump(mode="json")})
    console.print(Text(str(path), style="green"), soft_wrap=True)
