"""`selfplay export`: traces as training rows."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from selfplay.cli.console import people_console, print_json
from selfplay.export.shapes import Format
from selfplay.export.write import write_samples
from selfplay.journals import candidates_of, journals_in

EPILOG = """Examples:

selfplay export traces --format trl -o data/sft

selfplay export traces --format openai -o data/sft.jsonl"""


def export(
    traces: Annotated[Path, typer.Argument(help="A folder of journals, or one journal.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or the name of a .jsonl file.")],
    format: Annotated[Format, typer.Option(help="openai: chat JSONL; trl: messages and tools for TRL.")] = "trl",  # noqa: A002  the option's name
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Strip the supervisor from every trace that ended well and write the rows, with their contract beside them."""
    done = write_samples(candidates_of(journals_in(traces)), out, format)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    console = people_console(is_quiet=False, is_json=False)
    console.print(Text(f"{done.rows} rows, {done.turns} turns, {done.learned_turns} of them learned", style="green"))
    for title, counts in (("only context", done.masks), ("left out of rows", done.dropped), ("no row", done.skipped)):
        if counts:
            console.print(f"{title}: " + ", ".join(f"{n} {reason}" for reason, n in counts.items()))
    if done.lost_reasoning:
        console.print(f"reasoning of {done.lost_reasoning} turns has no place in this format")
    for file in done.files:
        console.print(Text(file, style="dim"))
