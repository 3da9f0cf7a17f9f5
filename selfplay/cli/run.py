"""`selfplay run`: one episode, live."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import anyio
import orjson
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from selfplay.casting import open_cast
from selfplay.cli.console import ExitCode, people_console, print_json
from selfplay.config import Policy, RunConfig, load_config
from selfplay.errors import ConfigError, TaskError
from selfplay.play import Played, play_task, set_stage, slug
from selfplay.repos import Repositories
from selfplay.summary import summary
from selfplay.task import Task
from selfplay.rows import explain
from selfplay.tasks import parse_task, read_tasks
from selfplay.trace import StopReason
from selfplay.view import View
from selfplay.wire import Channel

EPILOG = """Examples:

selfplay run --repo . --task "return the request id on every error page" --target src/web/errors.py

selfplay run --repo https://example.org/app.git --commit v2.1 --task @issue.md --target app/io.py
--player openai:Qwen3-32B --supervisor openai:gpt-oss-120b --base-url http://localhost:8000/v1

selfplay run --tasks tasks.jsonl --id fix-12 --config run.toml"""


def run(
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
    player: Annotated[str, typer.Option(help="openai:NAME, heuristic, scripted:FILE or recorded:DIR.")] = "",
    supervisor: Annotated[str, typer.Option(help="The same, for the supervisor.")] = "",
    base_url: Annotated[str, typer.Option(help="Server of both models, up to and including /v1.")] = "",
    policy: Annotated[Policy | None, typer.Option(help="When the supervisor speaks.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="How hints travel.")] = None,
    steps: Annotated[int | None, typer.Option(help="Turns the player may take.", min=1)] = None,
    out: Annotated[Path, typer.Option(help="Folder of the journal.")] = Path("traces"),
    repos: Annotated[Path, typer.Option(help="Folder of clones.", envvar="SELFPLAY_REPOS")] = Path("repos"),
    full: Annotated[bool, typer.Option(help="Show results whole.")] = False,
    quiet: Annotated[bool, typer.Option(help="Show nothing while it runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output at the end.")] = False,
) -> None:
    """Play one episode and watch it live. The same command takes up an interrupted one."""
    where, the_task = _task(repo, commit, task, target or [], patch, tasks, task_id)
    settings = _settings(config, player, supervisor, base_url, policy, channel, steps)
    console = people_console(is_quiet=quiet, is_json=as_json)
    played = anyio.run(partial(play_and_close, the_task, where, settings, out, repos, View(console, is_full=full)))
    _tell(played, console, is_json=as_json)
    found = played[-1].trace.stop is not None and played[-1].trace.stop.reason is StopReason.FOUND
    raise typer.Exit(ExitCode.DONE if found else ExitCode.NEGATIVE)


async def play_and_close(
    task: Task, where: str, config: RunConfig, out: Path, repos: Path, view: View
) -> tuple[Played, ...]:
    """Open models and repository, play, close. Raises SelfplayError."""
    async with open_cast(config) as cast:
        snapshot = await anyio.to_thread.run_sync(Repositories(repos).open, task.brief.repo, task.brief.commit)
        try:
            stage = await anyio.to_thread.run_sync(set_stage, task, snapshot, config, where)
            return await play_task(stage, cast, out, view.watch)
        finally:
            snapshot.close()


def _tell(played: tuple[Played, ...], console: Console, *, is_json: bool) -> None:
    for each in played:
        told = summary(each.trace, each.path)
        if is_json:
            print_json(told)
        console.print(
            Text(
                f"{told['steps']} steps, {told['hints']} hints, {told['refused']} refused by the gate, "
                f"{told['tokens']} tokens; trace: {each.path}",
                style="dim",
            )
        )


def _task(
    repo: str, commit: str, text: str, targets: list[str], patch: Path | None, tasks: Path | None, task_id: str
) -> tuple[str, Task]:
    """The task, and where it stands. Raises TaskError."""
    if tasks is not None:
        if repo or text or targets or patch:
            raise TaskError(
                "--tasks already says what --repo, --task, --target and --patch would; give one or the other"
            )
        return _from_file(tasks, task_id)
    for option, value in (("--repo", repo), ("--task", text), ("--target", targets)):
        if not value:
            raise TaskError(f"{option} is missing; see `selfplay run --help` for an example")
    prompt = _file(Path(text[1:])) if text.startswith("@") else text
    row = {
        "id": task_id or f"{slug(Path(repo.rstrip('/')).stem or repo, 16)}-{slug(prompt, 30)}",
        "repo": repo,
        "commit": commit,
        "prompt": prompt,
        "targets": [_target(t) for t in targets],
        "patch": None if patch is None else _file(patch),
    }
    return "", parse_task(orjson.dumps(row), "the task on the command line")


def _from_file(tasks: Path, task_id: str) -> tuple[str, Task]:
    rows = read_tasks(tasks)
    chosen = [row for row in rows if not task_id or row[1].brief.id == task_id]
    if len(chosen) == 1:
        return chosen[0]
    ids = ", ".join(task.brief.id for _, task in rows[:10]) + (", ..." if len(rows) > 10 else "")  # noqa: PLR2004
    raise TaskError(
        f"{tasks}: {'no task ' + repr(task_id) if not chosen else 'several tasks'}; give --id, one of {ids}"
    )


def _file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{path}: can't be read as text: {error}") from error


def _target(text: str) -> dict[str, object]:
    path, mark, symbol = text.partition("::")
    if mark:
        return {"path": path, "symbol": symbol}
    path, mark, lines = text.rpartition(":")
    first, dash, last = lines.partition("-")
    if mark and dash and first.isdigit() and last.isdigit():
        return {"path": path, "lines": [int(first), int(last)]}
    return {"path": text}


def _settings(
    config: Path | None,
    player: str,
    supervisor: str,
    base_url: str,
    policy: Policy | None,
    channel: Channel | None,
    steps: int | None,
) -> RunConfig:
    """The file's settings with the command line's over them. Raises ConfigError."""
    base = load_config(config) if config else RunConfig()
    seats = {
        "player": {"model": player, "base_url": base_url},
        "supervisor": {"model": supervisor, "base_url": base_url},
    }
    over = {
        **{seat: {k: v for k, v in given.items() if v} for seat, given in seats.items()},
        "hints": {k: v for k, v in (("policy", policy), ("channel", channel)) if v},
        "limits": {"steps": steps} if steps else {},
    }
    values = base.model_dump(exclude_defaults=True)
    for section, given in over.items():
        values[section] = {**values.get(section, {}), **given}
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"the settings on the command line: {explain(error, ())}") from None
