"""`selfplay batch`: many episodes."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.text import Text

from selfplay.batch.layout import RunFolder
from selfplay.batch.manifest import fork_of
from selfplay.batch.purse import BUDGET
from selfplay.batch.ray_start import RaySettings
from selfplay.batch.run import Session
from selfplay.batch.screen import screen
from selfplay.batch.settings import BatchSettings, load_batch
from selfplay.batch.start import INTERRUPTED, Order
from selfplay.batch.tally import unpriced_seats
from selfplay.batch.totals import Results
from selfplay.batch.view import LiveView, Several, Tracker
from selfplay.cli.console import ExitCode, complain, people_console, print_json
from selfplay.cli.dry_run import estimate_of, sample_of, show, warn
from selfplay.cli.engines import Engine, Play, engine_of
from selfplay.cli.given import GivenSettings, warn_of_missing_keys
from selfplay.config import Policy, SeatConfig
from selfplay.errors import SelfplayError
from selfplay.tasks import read_tasks
from selfplay.trace import StopReason
from selfplay.tracing import open_tracing
from selfplay.view import safe
from selfplay.wire import Channel

EPILOG = """Examples:

selfplay batch tasks.jsonl --out traces/night --config run.toml

selfplay batch tasks.jsonl --out traces/night --config run.toml --dry-run 20   # what will the others cost?

selfplay batch tasks.jsonl --out traces/try --policy when_stuck --at-once 8   # no model: the heuristic pair

selfplay batch tasks.jsonl --out /shared/night --config run.toml --engine ray --ray-address auto

The same command starts a run, goes on with it, and takes further tasks and samples."""


def batch(
    tasks: Annotated[Path, typer.Argument(help="A task file, as `selfplay mine` writes it.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run's folder.")],
    config: Annotated[
        Path | None, typer.Option(help="A TOML file with models, hints, limits, and the table `batch`.")
    ] = None,
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
    engine: Annotated[Engine, typer.Option(help="Play in this process, or on a Ray cluster (extra `ray`).")] = "local",
    ray_address: Annotated[str, typer.Option(help="A cluster that runs: HOST:PORT, auto. By default its own.")] = "",
    ray_actors: Annotated[int | None, typer.Option(help="Actors; by default one a node.", min=1)] = None,
    dry_run: Annotated[
        int | None,
        typer.Option(
            "--dry-run", metavar="N", min=0, help="Play N tasks only, for real; estimate the others from them."
        ),
    ] = None,
    sink: Annotated[str, typer.Option(help="Where actors without a common disk keep traces: s3://..., gs://...")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show nothing until the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output at its end.")] = False,
) -> None:
    """Play the tasks of a file, many at once. Ctrl-C ends it in order, a second one now; the same command goes on."""
    folder = RunFolder(out)
    order = Order(
        tasks=read_tasks(tasks),
        folder=fork_of(folder) if fork and folder.manifest.exists() else folder,
        config=GivenSettings(config, player, supervisor, base_url, policy, channel, steps).config(),
        settings=_over(load_batch(config), samples=samples, at_once=at_once),
        repos=repos,
        kept=tuple(path for path in (tasks, config) if path is not None),
    )
    warn_of_missing_keys(*_servers(order))
    console = people_console(is_quiet=quiet, is_json=as_json)
    at_end = people_console(is_quiet=quiet and as_json, is_json=as_json)
    play = engine_of(engine, RaySettings(ray_address, ray_actors, sink), partial(console.print, markup=False))
    if dry_run is not None:
        raise typer.Exit(_estimate(play, order, dry_run, (console, at_end), is_json=as_json))
    tracker = Tracker(order.folder, unpriced_seats(order.config))
    session = anyio.run(_play_watched, play, order, tracker, LiveView(console, tracker))
    _tell(session, tracker, at_end, is_json=as_json)
    _complain_of(session)
    code = _code(session)
    if code is ExitCode.DONE and (why := _only_errors(tracker.totals().results)):
        complain(f"every attempt was ended by an error of a model's server; most often: {why}")
        code = ExitCode.NEGATIVE
    raise typer.Exit(code)


def _only_errors(results: Results) -> str:
    """The most frequent error of a model, where nothing else came of any attempt; empty if something did."""
    is_all = results.units > 0 and results.outcomes.get(StopReason.MODEL_ERROR, 0) == results.units
    return next(iter(results.model_errors)) if is_all else ""


async def _play_watched(play: Play, order: Order, tracker: Tracker, view: LiveView) -> Session:
    """Carry out the order while its view is shown. Raises what the engine raises."""
    outcome: list[Session | SelfplayError] = []
    async with anyio.create_task_group() as group:
        group.start_soon(view.show)
        try:
            with open_tracing(order.settings) as tracing:
                outcome.append(await play(order, Several(tracker, *tracing)))
        except SelfplayError as error:  # a task group would wrap it
            outcome.append(error)
        group.cancel_scope.cancel()
    [session] = outcome
    if isinstance(session, SelfplayError):
        raise session
    return session


def _estimate(play: Play, order: Order, number: int, consoles: tuple[Console, Console], *, is_json: bool) -> ExitCode:
    """Play so many tasks, and say what the others will take: on one console while it is played, on the other then."""
    console, at_end = consoles
    session: Session | None = None
    if number:
        warn(number, console)
        tracker = Tracker(order.folder, unpriced_seats(order.config))
        session = anyio.run(_play_watched, play, sample_of(order, number), tracker, LiveView(console, tracker))
    known = estimate_of(order)
    if is_json:
        print_json(known.model_dump(mode="json"))
    show(known, session, order.settings.budget, at_end)
    if session is None:
        return ExitCode.DONE
    _complain_of(session)
    return _code(session)


def _complain_of(session: Session) -> None:
    """Say what concerns all attempts, if something does."""
    if session.error is not None:
        complain(session.error)
    elif session.unplayable:
        complain(
            f"no attempt could be played, each task does not fit its repository; the first: {session.unplayable}; "
            "see `selfplay tasks check`, and give the mended tasks another --out"
        )


def _tell(session: Session, tracker: Tracker, console: Console, *, is_json: bool) -> None:
    tracker.is_over = True
    totals = tracker.totals()
    if is_json:
        told = {
            "reason": session.reason,
            "unplayable": session.unplayable,
            "failed": session.failed,
            "left": session.left,
        }
        print_json({**told, "totals": totals.model_dump(mode="json")})
    with suppress(OSError, SystemExit):  # a terminal that went away: rich makes an exit of it
        console.print(screen(totals, seconds=tracker.seconds, is_full=True))
        if session.left:
            why = session.reason or f"{len(session.failed)} could not be played"
            console.print(Text(safe(f"{session.left} left ({why}); {_how_on(session)}"), style="yellow"))
        console.print(Text(f"selfplay report {totals.folder} shows more", style="dim"), soft_wrap=True)


def _how_on(session: Session) -> str:
    if session.reason.startswith(BUDGET):
        return "with a larger budget the same command goes on"
    return "the same command goes on" if session.error is None else "mend that, and the same command goes on"


def _servers(order: Order) -> Iterator[SeatConfig]:
    """The seats at each of the servers that the table `batch` names for them."""
    settings, config = order.settings, order.config
    limits = (settings.player, settings.supervisor, settings.judge)
    for seat, limit in zip((config.player, config.supervisor, config.judge), limits, strict=True):
        if seat is not None:
            yield from (seat.model_copy(update=place.model_dump()) for place in limit.endpoints)


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
    return ExitCode.NEGATIVE if session.left or session.unplayable else ExitCode.DONE
