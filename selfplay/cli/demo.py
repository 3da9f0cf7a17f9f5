"""`selfplay demo`: the whole way once, offline: an episode, the same without hints, the rows."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, cast

import anyio
import orjson
import typer
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from selfplay.clean.folder import CleanFolder
from selfplay.clean.journals import read_candidate
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings
from selfplay.clean.stages.strip import strip_supervision
from selfplay.cli.console import ExitCode, make_console, print_json
from selfplay.cli.episode_view import EpisodeView, summarize_episode
from selfplay.cli.run import EpisodeFolders, play_live
from selfplay.cli.show import print_side_by_side
from selfplay.config import RunConfig
from selfplay.core.terminal_text import sanitize
from selfplay.core.trace import StopReason
from selfplay.demo.repository import DEMO_ID, demo_task, make_repository
from selfplay.episode.play import PlayedEpisode
from selfplay.export.formats.trl import TRL
from selfplay.export.write_rows import ExportSummary, write_rows
from selfplay.journal.events import read_events

SHOWN_MESSAGES = 5
SHOWN_CHARS = 100
EPILOG = """Example:

selfplay demo --out traces/demo"""


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder of the trace and the rows.")] = Path("traces/demo"),
    repos: Annotated[Path, typer.Option(help="Folder of repositories.", envvar="SELFPLAY_REPOS")] = Path("repos"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output at the end.")] = False,
) -> None:
    """Play one episode on a small HTTP server, with no key and no network, and make training rows of it.

    Player and supervisor are `heuristic`: rules, not language models. Loop, tools, gate and export are the real ones.
    """
    console = make_console(is_quiet=False, is_json=as_json)
    repository, commit = make_repository(repos / "lantern")
    _print_heading(
        console, "1. The episode", "player and supervisor are simple rules here; everything else is as with models"
    )
    task = demo_task(repository, commit)
    _delete_earlier_journals(out)
    played = play_live(task, RunConfig(), EpisodeFolders(out, repos), EpisodeView(console))[-1]
    _print_heading(
        console, "2. The same trace without the supervisor", "left the episode; right the sample, without hints"
    )
    candidate = read_candidate(played.path)
    print_side_by_side(console, candidate.trace, strip_supervision(candidate.trace, candidate.contract), max_lines=1)
    clean = CleanFolder(out / "clean")
    anyio.run(clean_to, clean, CleaningWork([played.path], CleanSettings()))
    done = write_rows(clean.read_outcomes(), out / "sft", TRL)
    _print_rows(console, played, done)
    if as_json:
        print_json({**summarize_episode(played.trace, played.path), "rows": done.model_dump(mode="json")})
    found = played.trace.stop is not None and played.trace.stop.reason is StopReason.FOUND
    raise typer.Exit(ExitCode.DONE if found else ExitCode.NEGATIVE)


def _delete_earlier_journals(out: Path) -> None:
    """The demo plays live each time: its own earlier journals go."""
    for path in out.glob(f"{DEMO_ID}-*.jsonl"):
        if any(event["event"] == "stop" for event in read_events(path)):
            path.unlink()


def _print_rows(console: Console, played: PlayedEpisode, done: ExportSummary) -> None:
    rows = Path(done.files[0])
    _print_heading(console, "3. The training rows", "")
    first = orjson.loads(rows.read_bytes().split(b"\n", 1)[0])
    first["messages"] = [*first["messages"][:SHOWN_MESSAGES], f"… {len(first['messages']) - SHOWN_MESSAGES} more"]
    console.print("the first row, its texts and lists shortened:\n", style="dim")
    console.print(Text(sanitize(json.dumps(_abbreviate(first), indent=1, ensure_ascii=False))))
    console.print()
    for label, place in (("rows (TRL)", rows), ("contract", Path(done.files[1])), ("trace", played.path)):
        console.print(Text.assemble((f"{label:<12}", "dim"), (str(place), "bold")))
    console.print(
        Text(
            f"\nNext: `{program_name()} show {played.path}` replays it, `{program_name()} run --help` plays your own repository, "
            "and `--player openai:NAME --base-url http://localhost:8000/v1` puts a model in the seat.",
        )
    )


def _abbreviate(value: object) -> object:
    """A JSON value with long texts cut, and of a list of tools only the first ones."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARS else value[:SHOWN_CHARS] + " …"
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_abbreviate(item) for item in items]
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {k: _tool_names(v) if k == "tools" else _abbreviate(v) for k, v in fields.items()}
    return value


def _tool_names(tools: object) -> list[str]:
    return [tool["function"]["name"] for tool in cast("list[dict[str, dict[str, str]]]", tools)]


def program_name() -> str:
    """How to call this command from here: by its name where that finds it, else by its place."""
    return "selfplay" if shutil.which("selfplay") else os.path.relpath(sys.argv[0])


def _print_heading(console: Console, title: str, remark: str) -> None:
    console.print()
    console.print(Rule(Text(title, style="bold"), align="left"))
    if remark:
        console.print(Text(remark, style="dim"))
