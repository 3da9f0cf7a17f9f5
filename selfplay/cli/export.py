"""`selfplay export`: clean traces as training rows, pairs as preference rows."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.text import Text

from selfplay.batch.progress.observer import collect_key_names
from selfplay.clean.folder import CLEAN_FOLDER_NAME, CleanFolder, fingerprint_of
from selfplay.clean.importing.clean_imported import imports_in
from selfplay.clean.journals import journals_in
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings
from selfplay.cli.console import list_counts, make_console, print_json
from selfplay.cli.options import JsonOption
from selfplay.core.errors import ConfigError, InputError
from selfplay.export.formats import FORMATS, find_format
from selfplay.export.write_rows import ExportSummary, write_pairs, write_rows

commands = typer.Typer()

EPILOG = """Examples:

selfplay export traces --format trl -o data/sft

selfplay export traces --format openai -o data/sft.jsonl

selfplay export traces --pairs --format trl -o data/dpo"""


_FORMAT_NAMES = f"[{'|'.join(FORMATS)}|...]"
_FORMAT_HELP = "; ".join(f"{each.name}: {each.description}" for each in FORMATS.values()) + "; or package.module:name."


def _check_format(name: str) -> str:
    try:
        find_format(name)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None
    return name


@commands.command(epilog=EPILOG)
def export(
    traces: Annotated[Path, typer.Argument(help="A folder of journals, one journal, or a folder of clean traces.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or the name of a .jsonl file.")],
    format_name: Annotated[
        str, typer.Option("--format", metavar=_FORMAT_NAMES, help=_FORMAT_HELP, callback=_check_format)
    ] = "trl",
    pairs: Annotated[bool, typer.Option("--pairs", help="Preference pairs instead of whole traces.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the rows of clean traces, with their contract beside them.

    Takes what `selfplay clean` left in DIR/clean. Where it left nothing, the traces are cleaned here, with its default
    settings and without any model.
    """
    console = make_console(is_quiet=False, is_json=as_json)
    row_format = find_format(format_name)
    if pairs:
        pair_summary = write_pairs(require_clean_folder(traces).read_pairs(), out, row_format)
        if as_json:
            print_json(pair_summary.model_dump(mode="json"))
        console.print(Text(f"{pair_summary.rows} pairs, {pair_summary.skipped} skipped", style="green"))
        _print_files(pair_summary.files, console)
        return
    with open_clean_traces(traces) as place:
        summary = write_rows(place.read_outcomes(), out, row_format)
    if as_json:
        print_json(summary.model_dump(mode="json"))
        return
    _print_summary(summary, row_format.card, console)


@contextmanager
def open_clean_traces(traces: Path) -> Generator[CleanFolder]:
    """Where the clean traces lie: as `selfplay clean` left them, else in a new folder that is gone afterwards."""
    place = _find_clean_folder(traces)
    if place is not None:
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="selfplay-clean-") as folder:
        place = CleanFolder(Path(folder))
        journals = journals_in(traces)
        anyio.run(clean_to, place, CleaningWork(journals, CleanSettings(), key_names=collect_key_names(journals)))
        yield place


def require_clean_folder(traces: Path) -> CleanFolder:
    """What `selfplay clean` left. Raises InputError if it left nothing."""
    place = _find_clean_folder(traces)
    if place is None:
        raise InputError(f"{traces}: no pairs there; `selfplay clean {traces} --samples 4` makes some")
    return place


def _find_clean_folder(traces: Path) -> CleanFolder | None:
    """Raises InputError for clean traces that are older than the journals or imported files beside them."""
    if CleanFolder(traces).is_complete:
        return CleanFolder(traces)
    place = CleanFolder(traces / CLEAN_FOLDER_NAME)
    if not place.is_complete:
        return None
    funnel = place.read_funnel()
    paths = imports_in(traces, place.path) if funnel.is_imported else journals_in(traces)
    if funnel.sources != fingerprint_of(paths, traces, is_imported=funnel.is_imported):
        what, option = ("files", " --imported") if funnel.is_imported else ("journals", "")
        raise InputError(
            f"{place.path}: made of other {what} than there are now; run `selfplay clean {traces}{option}` again, or "
            "remove the folder"
        )
    return place


def _print_summary(summary: ExportSummary, card: str, console: Console) -> None:
    counted = f"{summary.rows} rows, {summary.turns} turns, {summary.learned_turns} of them learned"
    console.print(Text(counted, style="green"))
    listed = {"only context": summary.masks, "left out of rows": summary.dropped, "no row": summary.skipped}
    for title, counts in listed.items():
        if counts:
            console.print(f"{title}: {list_counts(counts)}")
    if summary.lost_reasoning:
        console.print(f"reasoning of {summary.lost_reasoning} turns has no place in this format")
    _print_files(summary.files, console)
    if card:
        console.print(Text(card, style="dim"))


def _print_files(files: tuple[str, ...], console: Console) -> None:
    for file in files:
        console.print(Text(file, style="dim"))
