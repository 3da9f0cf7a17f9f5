"""`selfplay run`: one episode, live."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.text import Text

from selfplay.batch.run_folder import RunFolder, require_no_run
from selfplay.cli.console import ExitCode, exit_interrupted, make_console, print_json
from selfplay.cli.episode_view import EpisodeView, summarize_episode
from selfplay.cli.options import (
    BaseUrlOption,
    ChannelOption,
    PlayerOption,
    PolicyOption,
    ReposOption,
    SettingsOptions,
    StepsOption,
    SupervisorOption,
    TaskOptions,
)
from selfplay.config import RunConfig
from selfplay.core.task import Task
from selfplay.core.trace import StopReason
from selfplay.episode.play import PlayedEpisode, open_setup, play_task
from selfplay.episode.seats import open_seat_models
from selfplay.repos.repositories import Repositories

commands = typer.Typer()

EPILOG = """Examples:

selfplay run --repo . --task "return the request id on every error page" --target src/web/errors.py

selfplay run --repo https://example.org/app.git --commit v2.1 --task @issue.md --target app/io.py app/http/emit.py
--player openai:Qwen3-32B --supervisor openai:gpt-oss-120b --base-url http://localhost:8000/v1

selfplay run --tasks tasks.jsonl --id fix-12 --config run.toml"""


@commands.command(epilog=EPILOG)
def run(
    more: Annotated[
        list[str] | None, typer.Argument(help="Further targets, after the first one's --target.", metavar="PATH")
    ] = None,
    *,
    repo: Annotated[str, typer.Option(help="A path, a URL, or a name under repos/.", show_default=False)] = "",
    commit: Annotated[
        str, typer.Option(help="Revision; `worktree` for a directory as it is on disk. By default HEAD.")
    ] = "HEAD",
    task: Annotated[str, typer.Option(help="The task's text, or @FILE.", show_default=False)] = "",
    target: Annotated[
        list[str] | None,
        typer.Option(help="PATH, PATH:FIRST-LAST or PATH::SYMBOL; repeat for several.", show_default=False),
    ] = None,
    patch: Annotated[Path | None, typer.Option(help="The reference change, for the supervisor.")] = None,
    tasks: Annotated[Path | None, typer.Option(help="A task file, instead of the five above.")] = None,
    task_id: Annotated[str, typer.Option("--id", help="Which task of --tasks; or the new task's id.")] = "",
    config: Annotated[Path | None, typer.Option(help="A TOML file with models, hints and limits.")] = None,
    player: PlayerOption = "",
    supervisor: SupervisorOption = "",
    base_url: BaseUrlOption = "",
    policy: PolicyOption = None,
    channel: ChannelOption = None,
    steps: StepsOption = None,
    out: Annotated[Path, typer.Option(help="Folder of the journal.")] = Path("traces"),
    repos: ReposOption = Path("repos"),
    full: Annotated[bool, typer.Option("--full", help="Show results whole.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show nothing while it runs.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per episode on standard output at its end.")
    ] = False,
) -> None:
    """Play one episode and watch it live. The same command resumes an interrupted one."""
    task_options = TaskOptions(repo, commit, task, (*(target or ()), *(more or ())), patch, tasks, task_id)
    settings = SettingsOptions(config, player, supervisor, base_url, policy, channel, steps).make_config()
    where, chosen = task_options.read_task()
    require_no_run(RunFolder(out))
    hidden = tuple(path for path in (out, config, tasks, patch, task_options.text_file) if path is not None)
    console = make_console(is_quiet=quiet, is_json=as_json)
    played = play_live(chosen, settings, EpisodeFolders(out, repos, hidden), EpisodeView(console, is_full=full), where)
    _print_summaries(played, console, is_json=as_json)
    found = played[-1].trace.stop is not None and played[-1].trace.stop.reason is StopReason.FOUND
    raise typer.Exit(ExitCode.DONE if found else ExitCode.NEGATIVE)


@dataclass(frozen=True, slots=True)
class EpisodeFolders:
    """Where traces and clones lie."""

    traces: Path
    repos: Path
    hidden: tuple[Path, ...] = ()
    """What the snapshot of a directory must not show: files about the task, and traces."""


def play_live(
    task: Task, config: RunConfig, folders: EpisodeFolders, view: EpisodeView, where: str = ""
) -> tuple[PlayedEpisode, ...]:
    """Play a task to its end. Ctrl-C leaves it so that it can be resumed. Raises SelfplayError."""
    try:
        return anyio.run(partial(_play, task, config, folders, view, where))
    except KeyboardInterrupt:
        raise exit_interrupted() from None


async def _play(
    task: Task, config: RunConfig, folders: EpisodeFolders, view: EpisodeView, where: str
) -> tuple[PlayedEpisode, ...]:
    repositories = Repositories(folders.repos, hidden=(folders.traces, *folders.hidden))
    async with open_seat_models(config) as seat_models, open_setup(task, config, repositories, where) as setup:
        return await play_task(setup, seat_models, folders.traces, view.show_event)


def _print_summaries(played: tuple[PlayedEpisode, ...], console: Console, *, is_json: bool) -> None:
    for each in played:
        summary = summarize_episode(each.trace, each.path)
        if is_json:
            print_json(summary)
        console.print(
            Text(
                f"{summary['steps']} steps, {summary['hints']} hints, {summary['refused']} refused by the gate, "
                f"{summary['tokens']} tokens; trace: {each.path}",
                style="dim",
            )
        )
