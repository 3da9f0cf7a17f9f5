"""`selfplay demo`: the whole way once, offline: an episode, the same without hints, the rows."""

# ruff: noqa: PLC0415  what makes the rows takes a while to import: after the episode, which is on the screen sooner
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import anyio
import orjson
import typer
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from selfplay.cli.console import ExitCode, make_console, print_json
from selfplay.cli.episode_view import EpisodeView, summarize_episode
from selfplay.cli.options import JsonOption
from selfplay.cli.run import EpisodeFolders, play_live
from selfplay.config import RunConfig
from selfplay.core.terminal_text import sanitize
from selfplay.core.trace import StopReason
from selfplay.demo.repository import DEMO_ID, demo_task, make_repository
from selfplay.episode.play import PlayedEpisode
from selfplay.journal.events import read_events

SHOWN_MESSAGES = 5
SHOWN_STEPS = 2

commands = typer.Typer()

EPILOG = """Example:

selfplay demo --out traces/demo"""


@commands.command(epilog=EPILOG)
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder of the trace and the rows.")] = Path("traces/demo"),
    repos: Annotated[Path, typer.Option(help="Folder of repositories.", envvar="SELFPLAY_REPOS")] = Path("repos"),
    as_json: JsonOption = False,
) -> None:
    """Play one episode on a small HTTP server, with no key and no network, and make training rows of it.

    Player and supervisor are `heuristic`: rules, not language models. Loop, tools, gate and export are the real ones.
    """
    console = make_console(is_quiet=False, is_json=as_json)
    repository, commit = make_repository(repos / "lantern")
    _print_heading(
        console,
        "1. The episode",
        "A player searches; a supervisor, which knows the answer, gives hints.",
        "Both are simple rules here. Everything else is as with language models.",
    )
    task = demo_task(repository, commit)
    _delete_earlier_journals(out)
    view = EpisodeView(console, is_brief=True)
    played = play_live(task, RunConfig(), EpisodeFolders(out, repos), view)[-1]
    _print_stripped(console, played)
    files, summary = _make_rows(played, out)
    _print_rows(console, files[0])
    _print_end(console, played.path, *files)
    if as_json:
        print_json({**summarize_episode(played.trace, played.path), "rows": summary})
    found = played.trace.stop is not None and played.trace.stop.reason is StopReason.FOUND
    raise typer.Exit(ExitCode.DONE if found else ExitCode.NEGATIVE)


def _delete_earlier_journals(out: Path) -> None:
    """The demo plays live each time: its own earlier journals go."""
    for path in out.glob(f"{DEMO_ID}-*.jsonl"):
        if any(event["event"] == "stop" for event in read_events(path)):
            path.unlink()


def _print_stripped(console: Console, played: PlayedEpisode) -> None:
    from selfplay.clean.journals import read_candidate
    from selfplay.clean.stages.strip import strip_supervision
    from selfplay.cli.show import print_side_by_side

    _print_heading(
        console,
        "2. The same trace without the supervisor",
        "On the left the episode, on the right what is trained on: hints are gone.",
    )
    candidate = read_candidate(played.path)
    clean = strip_supervision(candidate.trace, candidate.contract)
    print_side_by_side(console, candidate.trace, clean, max_lines=1, max_steps=SHOWN_STEPS)
    console.print(Text(f"… and {len(played.trace.steps) - SHOWN_STEPS} more steps", style="dim"))


def _make_rows(played: PlayedEpisode, out: Path) -> tuple[tuple[Path, Path], dict[str, Any]]:
    """Clean and export the trace; returns the files of rows and of the contract, and the summary as JSON values."""
    from selfplay.clean.folder import CleanFolder
    from selfplay.clean.run import CleaningWork, clean_to
    from selfplay.clean.settings import CleanSettings
    from selfplay.export.formats.trl import TRL
    from selfplay.export.write_rows import write_rows

    clean = CleanFolder(out / "clean")
    anyio.run(clean_to, clean, CleaningWork([played.path], CleanSettings()))
    summary = write_rows(clean.read_outcomes(), out / "sft", TRL)
    return (Path(summary.files[0]), Path(summary.files[1])), summary.model_dump(mode="json")


def _print_rows(console: Console, rows: Path) -> None:
    """The first row: a line for each field of its first messages, cut to the width."""
    _print_heading(console, "3. The training rows", "The first row: its first messages, long lines cut.")
    row = orjson.loads(rows.read_bytes().split(b"\n", 1)[0])
    lines = ['{"messages": [']
    for message in row["messages"][:SHOWN_MESSAGES]:
        fields = [f'"{name}": {json.dumps(value, ensure_ascii=False)}' for name, value in message.items()]
        text = ",\n   ".join(fields).replace('"function": {', '"function":\n    {')
        lines += f"  {{{text}}},".split("\n")
    lines.append(f"  … and {len(row['messages']) - SHOWN_MESSAGES} more],")
    lines.append(f' "tools": [{len(row["tools"])} schemas: {", ".join(t["function"]["name"] for t in row["tools"])}]}}')
    for line in lines:
        console.print(Text(sanitize(line)), overflow="ellipsis", no_wrap=True)


def _print_end(console: Console, trace: Path, rows: Path, contract: Path) -> None:
    """Where everything lies, and what to do next."""
    console.print()
    for label, place in (("rows (TRL)", rows), ("contract", contract), ("trace", trace)):
        console.print(Text.assemble((f"{label:<12}", "dim"), (str(place), "bold")), soft_wrap=True)
    name = program_name()
    console.print("\nNext: replay this trace, play a repository of yours, see the first steps:")
    for command in (f"{name} show {trace}", f"{name} run --help", name):
        console.print(Text(f"  {command}"), soft_wrap=True)


def program_name() -> str:
    """How to call this command from here: by its name where that finds it, else by its place."""
    if Path(sys.argv[0]).name == "__main__.py":
        return "python -m selfplay"
    return "selfplay" if shutil.which("selfplay") else os.path.relpath(sys.argv[0])


def _print_heading(console: Console, title: str, *remarks: str) -> None:
    console.print()
    console.print(Rule(Text(title, style="bold"), characters="═", align="left"))
    for remark in remarks:
        console.print(Text(remark, style="dim"))
