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
from selfplay.core.errors import InputError
from selfplay.export.formats.row_models import RowFormat
from selfplay.export.pairs import write_pairs
from selfplay.export.write_rows import ExportSummary, write_rows

commands = typer.Typer()

EPILOG = """Examples:

selfplay export traces --format trl -o data/sft

selfplay export traces --format openai -o data/sft.jsonl

selfplay export traces --pairs --format trl -o data/dpo"""


@commands.command(epilog=EPILOG)
def export(
    traces: Annotated[Path, typer.Argument(help="A folder of journals, one journal, or a folder of clean traces.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or the name of a .jsonl file.")],
    format: Annotated[RowFormat, typer.Option(help="openai: chat JSONL; trl: messages and tools for TRL.")] = "trl",  # noqa: A002  the option's name
    pairs: Annotated[bool, typer.Option("--pairs", help="Preference pairs instead of whole traces.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the rows of clean traces, with their contract beside them.

    Takes what `selfplay clean` left in DIR/clean. Where it left nothing, the traces are cleaned here, with its default
    settings and without any model.
    """
    console = make_console(is_quiet=False, is_json=as_json)
    if pairs:
        pair_summary = write_pairs(require_clean_folder(traces).read_pairs(), out, format)
        if as_json:
            print_json(pair_summary.model_dump(mode="json"))
        console.print(Text(f"{pair_summary.rows} pairs, {pair_summary.skipped} skipped", style="green"))
        _print_files(pair_summary.files, console)
        return
    with open_clean_traces(traces) as place:
        done = write_rows(place.read_outcomes(), out, format)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    _print_summary(done, console)


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


def _print_summary(done: ExportSummary, console: Console) -> None:
    console.print(Text(f"{done.rows} rows, {done.turns} turns, {done.learned_turns} of them learned", style="green"))
    for title, counts in (("only context", done.masks), ("left out of rows", done.dropped), ("no row", done.skipped)):
        if counts:
            console.print(f"{title}: {list_counts(counts)}")
    if done.lost_reasoning:
        console.print(f"reasoning of {done.lost_reasoning} turns has no place in this format")
    _print_files(done.files, console)


def _print_files(files: tuple[str, ...], console: Console) -> None:
    for file in files:
        console.print(Text(file, style="dim"))
