"""`selfplay batch`: many episodes."""

from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from selfplay.batch.layout import RunFolder
from selfplay.batch.manifest import fork_of
from selfplay.batch.purse import BUDGET
from selfplay.batch.run import Session
from selfplay.batch.settings import BatchSettings, load_batch
from selfplay.batch.start import INTERRUPTED, Order, carry_out
from selfplay.cli.console import ExitCode, complain, people_console, print_json
from selfplay.cli.given import GivenSettings
from selfplay.config import Policy
from selfplay.tasks import read_tasks
from selfplay.wire import Channel

EPILOG = """Examples:

selfplay batch tasks.jsonl --out traces/night --config run.toml

selfplay batch tasks.jsonl --out traces/try --policy when_stuck --at-once 8   # no model: the heuristic pair

The same command starts a run, goes on with it, and takes further tasks and samples."""


def batch(
    tasks: Annotated[Path, typer.Argument(help="A task file, as `selfplay mine` writes it.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run's folder.")],
    config: Annotated[Path | None, typer.Option(help="A TOML file with models, hints, limits, [batch].")] = None,
    samples: Annotated[int | None, typer.Option(help="Attempts at each task.", min=1)] = None,
    at_once: Annotated[int | None, typer.Option(help="Episodes played at the same time.", min=1)] = None,
    fork: Annotated[bool, typer.Option("--fork", help="Begin anew beside a run of another kind.")] = False,
    player: Annotated[str, typer.Option(help="openai:NAME, heuristic, scripted:FILE or recorded:DIR.")] = "",
    supervisor: Annotated[str, typer.Option(help="The same, for the supervisor.")] = "",
    base_url: Annotated[str, typer.Option(help="Server of both models, up to and including /v1.")] = "",
    policy: Annotated[Policy | None, typer.Option(help="When the supervisor speaks.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="How hints travel.")] = None,
    steps: Annotated[int | None, typer.Option(help="Turns the player may take.", min=1)] = None,
    repos: Annotated[Path, typer.Option(help="Folder of clones.", envvar="SELFPLAY_REPOS")] = Path("repos"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Show nothing while it runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output at its end.")] = False,
) -> None:
    """Play the tasks of a file, many at once. Ctrl-C ends it in order, a second one at once; the same command goes on."""
    folder = RunFolder(out)
    order = Order(
        tasks=read_tasks(tasks),
        folder=fork_of(folder) if fork and folder.manifest.exists() else folder,
        config=GivenSettings(config, player, supervisor, base_url, policy, channel, steps).config(),
        settings=_over(load_batch(config), samples=samples, at_once=at_once),
        repos=repos,
        kept=tuple(path for path in (tasks, config) if path is not None),
    )
    console = people_console(is_quiet=quiet, is_json=as_json)
    session = anyio.run(partial(carry_out, order))
    if as_json:
        print_json({"reason": session.reason, "failed": session.failed, "left": session.left})
    console.print(f"{session.left} left; {session.reason}")
    if session.error is not None:
        complain(session.error)
    raise typer.Exit(_code(session))


def _over(settings: BatchSettings, **given: int | None) -> BatchSettings:
    return settings.model_copy(update={name: value for name, value in given.items() if value is not None})


def _code(session: Session) -> ExitCode:
    if session.error is not None:
        return ExitCode.of(session.error)
    if session.reason.startswith(INTERRUPTED):
        return ExitCode.INTERRUPTED
    if session.reason.startswith(BUDGET):
        return ExitCode.BUDGET
    if session.reason:
        return ExitCode.OUT_OF_REACH
    return ExitCode.NEGATIVE if session.left else ExitCode.DONE
