"""`selfplay clean`: raw traces into ones worth training on."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import typer
from rich.console import Console
from rich.table import Table

from selfplay.batch.progress.observer import collect_key_names
from selfplay.clean.assistants.echo_judge import EchoJudgeAssistants, EchoJudgeClient, open_echo_judge
from selfplay.clean.assistants.episode_assistants import AssistantsFactory, CleaningResources, asks_player
from selfplay.clean.assistants.protocol import NoAssistants
from selfplay.clean.assistants.reply_cache import CleaningBudget, ReplyCache
from selfplay.clean.folder import CLEAN_FOLDER_NAME, CleanFolder, fingerprint_of
from selfplay.clean.funnel import CleaningFunnel, CleaningSpending
from selfplay.clean.importing.clean_imported import ImportOptions, imports_in, read_tools
from selfplay.clean.journals import journals_in
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings, load_clean_settings
from selfplay.cli.console import (
    ExitCode,
    exit_interrupted,
    list_counts,
    make_console,
    make_progress,
    print_error,
    print_json,
)
from selfplay.cli.options import (
    JudgeOption,
    ReposOption,
    ServerUrlOption,
    SettingsOptions,
    SupervisorOption,
    override_judge,
)
from selfplay.config import KeyName, RunConfig, key_names_in, read_toml, validate_section
from selfplay.core.errors import InputError
from selfplay.core.terminal_text import sanitize
from selfplay.export.export_files import find_export_files
from selfplay.repos.repositories import Repositories

commands = typer.Typer()

EPILOG = """Examples:

selfplay clean traces

selfplay clean traces --samples 4 --repair models --max-cost-usd 5

selfplay clean traces --judge openai:gpt-5-mini --max-cost-usd 2

selfplay clean runs --imported --tools tools.json

selfplay clean traces --per-task 1 --max-row-tokens 32000 --tokenizer tokenizer.json --json"""

TOOL_THREADS = 4


@commands.command(epilog=EPILOG)
def clean(
    traces: Annotated[Path, typer.Argument(help="A folder of journals; with --imported of other traces.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder; by default DIR/clean.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file: its section `clean`, and its models.")] = None,
    player: Annotated[str, typer.Option(help="Asked instead of the model that played: openai:NAME, ...")] = "",
    supervisor: SupervisorOption = "",
    base_url: Annotated[str, typer.Option(help="Server of these models, up to and including /v1.")] = "",
    repair: Annotated[
        Literal["offline", "models"] | None, typer.Option(help="Repair words by excision, or ask the player first.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Turns sampled without hint at each hinted turn: reliance and pairs.", min=0)
    ] = None,
    pairs: Annotated[
        bool | None, typer.Option("--pairs/--no-pairs", help="Judge samples, for preference pairs.")
    ] = None,
    max_cost_usd: Annotated[
        float | None, typer.Option(help="The most that may be spent, earlier runs included.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Likewise, in tokens.", min=1)] = None,
    in_flight: Annotated[int, typer.Option(help="Model calls at once.", min=1)] = 8,
    imported: Annotated[
        bool, typer.Option("--imported", help="Traces of other projects: SWE-agent, mini-swe-agent, ATIF, chat rows.")
    ] = False,
    tools: Annotated[
        Path | None, typer.Option(help="With --imported: tools' schemas (JSON), for traces that have none.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes: for thousands of journals, without models.", min=1)] = 1,
    extra_files: Annotated[
        float | None, typer.Option(help="Largest share of an answer's files that may be no targets.", min=0, max=1)
    ] = None,
    imprecise_answers: Annotated[
        Literal["mask", "drop"] | None, typer.Option(help="Beyond that: don't learn the answer, or drop the trace.")
    ] = None,
    hinted_queries: Annotated[
        Literal["carried", "drop"] | None,
        typer.Option(
            help="A target reached by a query with a hint's word: drop the trace if no visible words carry the query, "
            "or in any case."
        ),
    ] = None,
    judge: JudgeOption = "",
    judge_url: ServerUrlOption = "",
    prune_dead_ends: Annotated[
        bool, typer.Option("--prune-dead-ends", help="Leave out turns that led to nothing.")
    ] = False,
    per_task: Annotated[int | None, typer.Option(help="Traces kept of one task, unhinted ones first.", min=1)] = None,
    tokenizer: Annotated[str, typer.Option(help="The target's: a tokenizer.json, or tiktoken:NAME.")] = "",
    max_row_tokens: Annotated[int | None, typer.Option(help="Longer traces are dropped.", min=1)] = None,
    benchmarks: Annotated[
        list[Path] | None, typer.Option(help="File of repositories that must not be trained on.")
    ] = None,
    scanner: Annotated[
        Literal["auto", "on", "off"] | None, typer.Option(help="Secret scanner: auto (if installed), on, off.")
    ] = None,
    repos: ReposOption = Path("repos"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Show nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The funnel as one JSON object on standard output.")] = False,
) -> None:
    """Strip, repair, weigh and compare traces, and write what is worth training on beside them.

    The raw traces are never changed. The same command again writes the same files and asks models nothing twice.
    """
    base, file = (load_clean_settings(config), read_toml(config)) if config else (CleanSettings(), {})
    across = {
        "tokenizer": tokenizer,
        "max_tokens": max_row_tokens,
        "benchmarks": tuple(benchmarks or ()),
        "scanner": scanner,
    }
    over = {
        "repair": repair,
        "samples": samples,
        "pairs": pairs,
        "extra_files": extra_files,
        "imprecise_answers": imprecise_answers,
        "hinted_queries": hinted_queries,
        "prune_dead_ends": prune_dead_ends or None,
        "per_task": per_task,
        "judge": override_judge(base.judge, judge, judge_url),
    }
    settings = _apply_options(base, over, {k: v for k, v in across.items() if v})
    model_config = None
    if player or supervisor or base_url or {"player", "supervisor"} & file.keys():
        model_config = SettingsOptions(config, player, supervisor, base_url, None, None, None).make_config()
    import_options = _import_options(traces, tools, settings) if imported else None
    if tools and not imported:
        raise InputError("--tools is for traces from elsewhere: our journals hold theirs; give --imported or leave it")
    budget, keys = CleaningBudget(max_cost_usd, max_tokens), tuple(key_names_in(file))
    job = _CleaningJob(traces, settings, model_config, budget, in_flight, repos, out, jobs, import_options, keys)
    console = make_console(is_quiet=quiet, is_json=as_json)
    funnel = _clean_with_bar(job, console)
    if as_json:
        print_json(funnel.model_dump(mode="json"))
    print_funnel(funnel, console)
    console.print(f"written to {job.folder.path}", style="dim")
    if not funnel.rows and not funnel.pairs:
        print_error(f"no trace gave a row; {job.folder.dropped} says why of each")
        raise typer.Exit(ExitCode.NEGATIVE)


def _apply_options(base: CleanSettings, over: dict[str, Any], across: dict[str, Any]) -> CleanSettings:
    values = base.model_dump() | {k: v for k, v in over.items() if v is not None}
    values["across"] = {**values["across"], **across}
    return validate_section(CleanSettings, values, "the settings on the command line")


def _import_options(traces: Path, tools: Path | None, settings: CleanSettings) -> ImportOptions:
    """How traces from elsewhere are cleaned. Raises InputError for what can't be done with them."""
    if asks_player(settings):
        raise InputError("imported traces have no player to ask: leave out samples and repair = models")
    if settings.prune_dead_ends:
        raise InputError("imported traces have no targets, so no turn is known to be a dead end: leave out pruning")
    return ImportOptions(read_tools(tools) if tools else (), traces if traces.is_dir() else traces.parent)


@dataclass(frozen=True, slots=True)
class _CleaningJob:
    traces: Path
    settings: CleanSettings
    model_config: RunConfig | None
    budget: CleaningBudget
    in_flight: int
    repos: Path
    out: Path | None
    processes: int
    import_options: ImportOptions | None
    configured: tuple[KeyName, ...] = ()
    """Variables that the configuration file names as keys, in whatever table."""

    @property
    def key_names(self) -> tuple[KeyName, ...]:
        """Variables with keys that no journal names."""
        return self.configured if self.import_options else (*self.configured, *collect_key_names(self.sources))

    @property
    def folder(self) -> CleanFolder:
        """Where the outcome goes. Raises InputError for a single file without `--out`."""
        if self.out is None and self.traces.is_file():
            raise InputError(f"{self.traces}: a single file has no folder of its own; give --out")
        return CleanFolder(self.out or self.traces / CLEAN_FOLDER_NAME)

    @property
    def sources(self) -> tuple[Path, ...]:
        """What is cleaned. Raises InputError if there is nothing."""
        if self.import_options is None:
            return journals_in(self.traces)
        return imports_in(self.traces, self.traces / CLEAN_FOLDER_NAME, self.folder.path)

    @property
    def asks_models(self) -> bool:
        return asks_player(self.settings) or self.settings.judge is not None


def _clean_with_bar(job: _CleaningJob, console: Console) -> CleaningFunnel:
    """Clean, with a bar that shows how far it is. Ctrl-C leaves the outcome of an earlier cleaning, and all samples."""
    journals = job.sources
    if job.import_options is not None and (own := find_export_files(job.traces)):
        console.print(f"left out: {len(own)} files that exports wrote, such as {sanitize(str(min(own)))}", style="dim")
    with make_progress(console, shows_remaining=True) as bar:
        task = bar.add_task("cleaning", total=len(journals))
        try:
            return anyio.run(_clean_journals, job, journals, partial(bar.advance, task))
        except KeyboardInterrupt:
            raise exit_interrupted() from None


async def _clean_journals(job: _CleaningJob, journals: tuple[Path, ...], notify: Callable[[], None]) -> CleaningFunnel:
    root = job.traces if job.traces.is_dir() else job.traces.parent
    sources = fingerprint_of(journals, root, is_imported=job.import_options is not None)
    async with AsyncExitStack() as stack:
        work = CleaningWork(
            journals, job.settings, notify=notify, import_options=job.import_options, key_names=job.key_names
        )
        if not job.asks_models:
            return await clean_to(job.folder, replace(work, processes=job.processes), sources=sources)
        samples = stack.enter_context(ReplyCache(job.folder.samples, job.budget))
        in_flight, max_usd, seat = anyio.CapacityLimiter(job.in_flight), job.budget.usd, job.settings.judge
        judge = None if seat is None else open_echo_judge(seat, stack, in_flight, samples, max_usd)
        resources = CleaningResources(samples, in_flight, anyio.CapacityLimiter(TOOL_THREADS))
        if job.import_options is not None:
            imports = replace(
                job.import_options, assistants=NoAssistants() if judge is None else EchoJudgeAssistants(judge)
            )
            work = replace(work, at_once=job.in_flight, import_options=imports)
            return await clean_to(job.folder, work, partial(_spending_of, samples, judge), sources)
        repositories = Repositories(job.repos, hidden=(job.traces, job.folder.path))
        factory = AssistantsFactory(resources, stack, repositories, job.settings, job.model_config, max_usd, judge)
        work = replace(work, open_assistants=factory.open_assistants, at_once=job.in_flight)
        return await clean_to(job.folder, work, partial(_spending_of, samples, judge), sources)


def _spending_of(samples: ReplyCache, judge: EchoJudgeClient | None) -> CleaningSpending:
    faults = {} if judge is None else dict(sorted(judge.faults.items()))
    return samples.spending().model_copy(update={"faults": faults})


def print_funnel(funnel: CleaningFunnel, console: Console) -> None:
    """The funnel as a table, and the figures of what is left."""
    table = Table(box=None, pad_edge=False)
    table.add_column("traces")
    table.add_column("left", justify="right")
    table.add_column("dropped", style="dim")
    table.add_row("all", str(funnel.traces), "")
    for stage in funnel.stages:
        table.add_row(stage.name, str(stage.left), list_counts(stage.dropped) or "none")
    console.print(table)
    console.print(
        f"{funnel.rows} rows ({list_counts(funnel.strata) or 'none'}), {funnel.turns} turns, "
        f"{funnel.learned_turns} of them learned, "
        f"{funnel.hinted_turns} hinted, {funnel.pairs} pairs"
    )
    for title, counts in (
        ("only context", funnel.masks),
        ("repaired", funnel.repairs),
        ("left out", funnel.left_out),
        ("pairs dropped", funnel.dropped_pairs),
    ):
        if counts:
            console.print(f"{title}: {list_counts(counts)}")
    if funnel.mean_reliance is not None:
        console.print(
            f"without the hint the same action: {funnel.mean_reliance:.0%} of samples; turns by share: "
            + ", ".join(f"{share}: {count}" for share, count in funnel.reliance.items())
        )
    _print_spending(funnel.spent, console)


def _print_spending(spent: CleaningSpending, console: Console) -> None:
    if spent.asked or spent.found or spent.remaining:
        console.print(
            f"models: {spent.asked} calls, {spent.found} known from before; {spent.tokens} tokens, "
            f"{spent.usd:.4f} USD in all"
        )
    if spent.faults:
        console.print(f"of the echo judge not used: {list_counts(spent.faults)}", style="yellow", markup=False)
    if spent.remaining:
        console.print(
            f"the budget is spent: {spent.remaining} calls or more were not made; raise it and run the same command "
            "again to go on",
            style="yellow",
        )
