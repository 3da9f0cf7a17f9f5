"""`selfplay batch`: many episodes."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import anyio
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from selfplay.batch.episode_tally import unpriced_seats
from selfplay.batch.graceful_stop import BUDGET_REASON, INTERRUPTED_REASON
from selfplay.batch.manifest import find_fork_folder
from selfplay.batch.progress.estimate import EstimateRange, RunEstimate, estimate_rest, measure_units, sample_evenly
from selfplay.batch.progress.figures import format_count, format_dollars, format_duration
from selfplay.batch.progress.live_view import RunLiveView, RunTracker
from selfplay.batch.progress.results import RunResults
from selfplay.batch.progress.screen import render_totals
from selfplay.batch.ray.start import RaySettings, carry_out_on_ray
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, BudgetLimits, load_batch_settings
from selfplay.batch.start import RunOrder, carry_out, open_run
from selfplay.batch.tracing import open_tracers
from selfplay.batch.watch import CombinedWatch, RunSession, RunWatch
from selfplay.cli.console import ExitCode, make_console, print_error, print_json
from selfplay.cli.options import (
    BaseUrlOption,
    ChannelOption,
    JsonOption,
    PlayerOption,
    PolicyOption,
    ReposOption,
    SettingsOptions,
    StepsOption,
    SupervisorOption,
    warn_of_missing_keys,
)
from selfplay.config import SeatConfig
from selfplay.core.errors import ConfigError, SelfplayError
from selfplay.core.task_rows import read_tasks
from selfplay.core.terminal_text import sanitize
from selfplay.core.trace import StopReason

EngineName = Literal["local", "ray"]
PlayOrder = Callable[[RunOrder, RunWatch], Awaitable[RunSession]]
"""Carries out an order and notifies a watcher of what happens."""


def choose_engine(name: EngineName, ray: RaySettings, notify: Callable[[str], None]) -> PlayOrder:
    """The engine of this name. Raises ConfigError for settings that are another one's."""
    if name == "ray":
        return partial(carry_out_on_ray, ray=ray, notify=notify)
    if ray != RaySettings():
        raise ConfigError("--ray-address, --ray-actors and --sink say something only with --engine ray")
    return carry_out


commands = typer.Typer()

EPILOG = """Examples:

selfplay batch tasks.jsonl --out traces/night --config run.toml

selfplay batch tasks.jsonl --out traces/night --config run.toml --dry-run 20   # what will the others cost?

selfplay batch tasks.jsonl --out traces/try --policy when_stuck --at-once 8   # no model: the heuristic pair

selfplay batch tasks.jsonl --out /shared/night --config run.toml --engine ray --ray-address auto

The same command starts a run, goes on with it, and takes further tasks and samples."""


@commands.command(epilog=EPILOG)
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
    player: PlayerOption = "",
    supervisor: SupervisorOption = "",
    base_url: BaseUrlOption = "",
    policy: PolicyOption = None,
    channel: ChannelOption = None,
    steps: StepsOption = None,
    repos: ReposOption = Path("repos"),
    engine: Annotated[
        EngineName, typer.Option(help="Play in this process, or on a Ray cluster (extra `ray`).")
    ] = "local",
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
    as_json: JsonOption = False,
) -> None:
    """Play the tasks of a file, many at once. Ctrl-C ends it in order, a second one now; the same command goes on."""
    folder = RunFolder(out)
    order = RunOrder(
        tasks=read_tasks(tasks),
        folder=find_fork_folder(folder) if fork and folder.manifest.exists() else folder,
        config=SettingsOptions(config, player, supervisor, base_url, policy, channel, steps).make_config(),
        settings=_override(load_batch_settings(config), samples=samples, at_once=at_once),
        repos=repos,
        hidden_files=tuple(path for path in (tasks, config) if path is not None),
    )
    warn_of_missing_keys(*_seats_at_endpoints(order))
    console = make_console(is_quiet=quiet, is_json=as_json)
    at_end = make_console(is_quiet=quiet and as_json, is_json=as_json)
    play = choose_engine(engine, RaySettings(ray_address, ray_actors, sink), partial(console.print, markup=False))
    if dry_run is not None:
        raise typer.Exit(_estimate(play, order, dry_run, (console, at_end), is_json=as_json))
    tracker = RunTracker(order.folder, unpriced_seats(order.config))
    session = anyio.run(_play_with_view, play, order, tracker, RunLiveView(console, tracker))
    _print_outcome(session, tracker, at_end, is_json=as_json)
    _print_errors(session)
    code = _exit_code_of(session)
    if code is ExitCode.DONE and (why := _find_sole_error(tracker.count_totals().results)):
        print_error(f"every attempt was ended by an error of a model's server; most often: {why}")
        code = ExitCode.NEGATIVE
    raise typer.Exit(code)


def _find_sole_error(results: RunResults) -> str:
    """The most frequent error of a model, where nothing else came of any attempt; empty if something did."""
    is_all = results.units > 0 and results.outcomes.get(StopReason.MODEL_ERROR, 0) == results.units
    return next(iter(results.model_errors)) if is_all else ""


async def _play_with_view(play: PlayOrder, order: RunOrder, tracker: RunTracker, view: RunLiveView) -> RunSession:
    """Carry out the order while its view is shown. Raises what the engine raises."""
    outcome: list[RunSession | SelfplayError] = []
    async with anyio.create_task_group() as group:
        group.start_soon(view.show)
        try:
            with open_tracers(order.folder, order.config, order.settings) as tracers:
                outcome.append(await play(order, CombinedWatch(tracker, *tracers)))
        except SelfplayError as error:  # a task group would wrap it
            outcome.append(error)
        group.cancel_scope.cancel()
    [session] = outcome
    if isinstance(session, SelfplayError):
        raise session
    return session


def _print_errors(session: RunSession) -> None:
    """Say what concerns all attempts, if something does."""
    if session.error is not None:
        print_error(session.error)
    elif session.unplayable:
        print_error(
            f"no attempt could be played, each task does not fit its repository; the first: {session.unplayable}; "
            "see `selfplay tasks check`, and give the mended tasks another --out"
        )


def _print_outcome(session: RunSession, tracker: RunTracker, console: Console, *, is_json: bool) -> None:
    tracker.is_over = True
    totals = tracker.count_totals()
    if is_json:
        figures = {
            "reason": session.reason,
            "unplayable": session.unplayable,
            "failed": session.failed,
            "left": session.unfinished_count,
        }
        print_json({**figures, "totals": totals.model_dump(mode="json")})
    with suppress(OSError, SystemExit):  # a terminal that went away: rich makes an exit of it
        console.print(render_totals(totals, seconds=tracker.seconds, is_full=True))
        if session.unfinished_count:
            why = session.reason or f"{len(session.failed)} could not be played"
            console.print(
                Text(
                    sanitize(f"{session.unfinished_count} left ({why}); {_describe_next_step(session)}"), style="yellow"
                )
            )
        console.print(Text(f"selfplay report {totals.folder} shows more", style="dim"), soft_wrap=True)


def _describe_next_step(session: RunSession) -> str:
    if session.reason.startswith(BUDGET_REASON):
        return "with a larger budget the same command goes on"
    return "the same command goes on" if session.error is None else "mend that, and the same command goes on"


def _seats_at_endpoints(order: RunOrder) -> Iterator[SeatConfig]:
    """The seats at each of the servers that the table `batch` names for them."""
    settings, config = order.settings, order.config
    limits = (settings.player, settings.supervisor, settings.judge)
    for seat, limit in zip((config.player, config.supervisor, config.judge), limits, strict=True):
        if seat is not None:
            yield from (seat.model_copy(update=place.model_dump()) for place in limit.endpoints)


def _override(settings: BatchSettings, **options: int | None) -> BatchSettings:
    return settings.model_copy(update={name: value for name, value in options.items() if value is not None})


def _exit_code_of(session: RunSession) -> ExitCode:
    if session.error is not None:
        return ExitCode.of(session.error)
    if session.reason.startswith(INTERRUPTED_REASON):
        return ExitCode.INTERRUPTED
    if session.reason.startswith(BUDGET_REASON):
        return ExitCode.BUDGET
    if session.reason:
        return ExitCode.OUT_OF_REACH
    return ExitCode.NEGATIVE if session.unfinished_count or session.unplayable else ExitCode.DONE


def _estimate(
    play: PlayOrder, order: RunOrder, number: int, consoles: tuple[Console, Console], *, is_json: bool
) -> ExitCode:
    """Play so many tasks, and say what the others will take: on one console while it is played, on the other then."""
    console, at_end = consoles
    session: RunSession | None = None
    if number:
        announce_sample(number, console)
        tracker = RunTracker(order.folder, unpriced_seats(order.config))
        session = anyio.run(_play_with_view, play, sample_of(order, number), tracker, RunLiveView(console, tracker))
    known = estimate_of(order)
    if is_json:
        print_json(known.model_dump(mode="json"))
    print_estimate(known, session, order.settings.budget, at_end)
    if session is None:
        return ExitCode.DONE
    _print_errors(session)
    return _exit_code_of(session)


FEW = 20
"""Units below which a range says little."""


def sample_of(order: RunOrder, number: int) -> RunOrder:
    """The same order for so many of its tasks, evenly from the first to the last, each once."""
    few = order.settings.model_copy(update={"samples": 1})
    return replace(order, tasks=sample_evenly(order.tasks, number), settings=few)


def estimate_of(order: RunOrder) -> RunEstimate:
    """What is left of an order, as far as its units tell that have come to an end. Plays nothing.

    Raises ConfigError, RunError, StorageError, as a start of the run would.
    """
    opening = open_run(order)
    ended = opening.ledgers.units
    episodes = [episode for line in ended.values() for episode in line.episodes]
    measured = measure_units(order.folder, ended.values(), opening.prices) if episodes else []
    known = RunEstimate(
        measured=len(measured),
        left=sum(unit.id not in ended for unit in opening.units),
        spent_usd=sum(episode.cost_usd for episode in episodes),
        spent_tokens=sum(episode.usage.total_tokens for episode in episodes),
        unpriced=unpriced_seats(order.config),
    )
    return estimate_rest(known, measured, order.settings)


def announce_sample(number: int, console: Console) -> None:
    """Say what is about to happen."""
    attempts = "1 attempt is" if number == 1 else f"{number} attempts are"
    console.print(
        f"{attempts} played for real, kept as part of the run, and paid for; the others are estimated from them"
    )


def print_estimate(known: RunEstimate, session: RunSession | None, budget: BudgetLimits, console: Console) -> None:
    """The estimate, for people."""
    if session is not None and (session.reason or session.failed):
        why = session.reason or next(iter(session.failed.values()))
        console.print(Text(f"the sample did not come to its end: {why}", style="yellow"))
    if known.cost_usd is None or known.tokens is None or known.calls is None or known.wall_s is None:
        nothing = "no attempt was played to its end: nothing to estimate from"
        console.print(nothing if known.left else "nothing is left to play")
        return
    console.print(f"{known.left:,} attempts left, as {known.measured:,} that ended tell:")
    console.print(_estimate_table(known.cost_usd, known.tokens, known.calls, known.wall_s))
    for note in _estimate_notes(known, known.cost_usd, known.tokens, budget):
        console.print(Text(note, style="yellow"))


def _estimate_table(cost: EstimateRange, tokens: EstimateRange, calls: EstimateRange, wall: EstimateRange) -> Table:
    table = Table("", "low", "expected", "high", box=None)
    rows: tuple[tuple[str, EstimateRange, Callable[[float], str]], ...] = (
        ("money", cost, format_dollars),
        ("tokens", tokens, format_count),
        ("calls", calls, format_count),
        ("time", wall, format_duration),
    )
    for name, value, written in rows:
        table.add_row(name, written(value.low), written(value.expected), written(value.high))
    return table


def _estimate_notes(known: RunEstimate, cost: EstimateRange, tokens: EstimateRange, budget: BudgetLimits) -> list[str]:
    notes = [f"the time hangs on {known.bound_by}; it goes by the clock of these attempts, waits included"]
    if known.unpriced:
        notes.append(f"money is without the {' and the '.join(known.unpriced)}, whose price is not known")
    if known.measured < FEW:
        notes.append(f"{known.measured} attempts say little of the range; --dry-run {FEW} says more")
    if budget.cost_usd is not None and known.spent_usd + cost.expected > budget.cost_usd:
        notes.append(
            f"the budget of {format_dollars(budget.cost_usd)} is expected to end the run before its last attempt"
        )
    if budget.tokens is not None and known.spent_tokens + tokens.expected > budget.tokens:
        notes.append(
            f"the budget of {format_count(budget.tokens)} tokens is expected to end the run before its last attempt"
        )
    return notes
