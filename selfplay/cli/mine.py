"""`selfplay mine`: tasks out of git history."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.table import Table

from selfplay.cli.console import ExitCode, list_counts, make_console, make_progress, print_error, print_json
from selfplay.cli.options import ReposOption, ServerUrlOption, override_section, repo_and_commit, warn_of_missing_keys
from selfplay.config import SeatConfig, read_toml, validate_section
from selfplay.core.errors import ConfigError
from selfplay.core.task import Task
from selfplay.episode.model_kinds import model_from_config
from selfplay.repos.repositories import Repositories
from selfplay.tasks.mine import (
    CommitSelection,
    MinedTasks,
    MineSettings,
    MiningDrop,
    MiningFunnel,
    RewriteAnswerFile,
    RewriteCost,
    Rewriter,
    UnrewrittenPolicy,
    mine_tasks,
    split_by_time,
)
from selfplay.tasks.prompt_leaks import LeakGrade
from selfplay.tasks.task_files import refuse_other_file, write_tasks

commands = typer.Typer()

EPILOG = """Examples:

selfplay mine ~/src/app -o tasks.jsonl

selfplay mine https://github.com/pallets/click ~/src/app@v2.1 -o tasks.jsonl --count 200 --max-leak symbol

selfplay mine ~/src/app -o train.jsonl --validation 0.1 --validation-to validation.jsonl --since 2020-01-01

selfplay mine ~/src/app -o tasks.jsonl --count 100 --rewrite-with openai:Qwen3-32B --base-url http://localhost:8000/v1"""


def _parse_day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  a day, as the option means it, has no zone
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day: write it as YYYY-MM-DD, such as 2024-06-30") from None


@commands.command(epilog=EPILOG)
def mine(
    repositories: Annotated[
        list[str], typer.Argument(help="A path, URL or name under repos/, with or without @COMMIT to begin at.")
    ],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="The task file.")],
    commits: Annotated[
        CommitSelection, typer.Option(help="single: one parent; merge: pull requests; mainline: along first parents.")
    ] = CommitSelection.SINGLE,
    since: Annotated[
        date | None, typer.Option(parser=_parse_day, metavar="YYYY-MM-DD", help="First day (of the commit).")
    ] = None,
    until: Annotated[date | None, typer.Option(parser=_parse_day, metavar="YYYY-MM-DD", help="Last day.")] = None,
    max_files: Annotated[int, typer.Option(min=1, help="Files a commit changes, tests and all.")] = 20,
    max_lines: Annotated[int, typer.Option(min=1, help="Lines it adds and removes.")] = 1000,
    max_targets: Annotated[
        int, typer.Option(min=1, help="Source files (or with --functions definitions) it changes.")
    ] = 5,
    min_words: Annotated[int, typer.Option(min=1, help="Words of its message, cleaned.")] = 4,
    max_chars: Annotated[int, typer.Option(min=1, help="Characters of its message, cleaned.")] = 4000,
    suffix: Annotated[list[str] | None, typer.Option(help="Ends of targets' names, as .py; may be repeated.")] = None,
    under: Annotated[list[str] | None, typer.Option(help="Folders of targets; may be repeated.")] = None,
    with_tests: Annotated[bool, typer.Option("--with-tests", help="Tests become targets too.")] = False,
    with_docs: Annotated[bool, typer.Option("--with-docs", help="Documentation too.")] = False,
    with_bots: Annotated[bool, typer.Option("--with-bots", help="Commits of bots too.")] = False,
    near_duplicates: Annotated[
        float, typer.Option(min=0.1, max=1, help="Likeness that makes a duplicate; 1 for equal ones only.")
    ] = 0.85,
    max_leak: Annotated[
        LeakGrade, typer.Option(help="The most that a prompt may name of its targets.")
    ] = LeakGrade.PATH,
    functions: Annotated[bool, typer.Option("--functions", help="Definitions as targets, not whole files.")] = False,
    patch: Annotated[bool, typer.Option(help="Give the change to the supervisor.")] = True,
    per_directory: Annotated[int | None, typer.Option(min=1, help="Tasks with a first target in one folder.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Tasks of each repository; by default all.")] = None,
    seed: Annotated[int, typer.Option(help="Decides which ones are drawn.")] = 0,
    validation: Annotated[
        float | None, typer.Option(min=0.001, max=0.999, help="Share of the tasks, the newest, for validation.")
    ] = None,
    validation_to: Annotated[Path | None, typer.Option(help="A file of their own for those.")] = None,
    rewrite_with: Annotated[
        str, typer.Option(help="A model that rewrites messages as issues that name no target: openai:NAME, ...")
    ] = "",
    base_url: ServerUrlOption = "",
    rewrite_config: Annotated[
        Path | None, typer.Option(help="Its further settings: a TOML file with a table `rewrite`, as a seat's.")
    ] = None,
    rewrite_tries: Annotated[int, typer.Option(min=1, help="Answers per message, refused ones included.")] = 3,
    unless_rewritten: Annotated[str, typer.Option(help="keep the message, or drop the task.")] = "keep",
    at_once: Annotated[int, typer.Option(min=1, help="Rewrites at the same time.")] = 8,
    repos: ReposOption = Path("repos"),
    as_json: Annotated[bool, typer.Option("--json", help="The funnel as one JSON object.")] = False,
) -> None:
    """Search tasks in git history: a commit's message asks, the source files that it changed are the answer.

    A task is played at the commit's parent; files that the commit adds are no targets. Each task's `meta` says how
    much its prompt gives away, from `nothing` to `path`. Where no task is found, nothing is written; exit code 1 then.
    """
    if validation_to is not None and validation is None:
        raise ConfigError("--validation-to needs --validation, the share of tasks that go there")
    settings = MineSettings(
        commits=commits,
        since=since,
        until=until,
        max_files=max_files,
        max_lines=max_lines,
        max_targets=max_targets,
        min_words=min_words,
        max_chars=max_chars,
        suffixes=frozenset(suffix or ()),
        under=tuple(under or ()),
        with_tests=with_tests,
        with_docs=with_docs,
        with_bots=with_bots,
        near_duplicates=None if near_duplicates == 1 else near_duplicates,
        max_leak=LeakGrade.PATH if rewrite_with else max_leak,
        functions=functions,
        with_patch=patch,
        per_directory=per_directory,
        count=count,
        seed=seed,
    )
    for path in (out, validation_to):
        if path is not None:
            refuse_other_file(path)
    seat = _rewriting_seat(rewrite_with, base_url, rewrite_config)
    unless = _parse_unless(unless_rewritten)
    console = make_console(is_quiet=False, is_json=as_json)
    opened = Repositories(repos)
    found = [_mine_repository(opened, text, settings, console) for text in repositories]
    spent = None
    if seat is not None:
        worker = _RewriteJob(seat, out.with_suffix(".rewrites.jsonl"), opened, rewrite_tries, unless, at_once)
        found, spent = worker.run(found, max_leak, console)
    is_any = any(one.tasks for one in found)
    if is_any:
        _write_files(found, out, validation, validation_to)
    if as_json:
        print_json(_as_json(found, spent))
    else:
        _print_outcome(found, spent, f"in {out}" if is_any else "", console)
    if not is_any:
        print_error("no task was found, so nothing is written; the funnel says why")
        raise typer.Exit(ExitCode.NEGATIVE)


def _rewriting_seat(model: str, base_url: str, file: Path | None) -> SeatConfig | None:
    if not model:
        if base_url or file:
            raise ConfigError("--base-url and --rewrite-config say how a model is asked: name it with --rewrite-with")
        return None
    values: object = {} if file is None else read_toml(file).get("rewrite", {})
    base = validate_section(SeatConfig, values, f"{file} [rewrite]")
    over = {"model": model, "base_url": base_url}
    seat = override_section(SeatConfig, base, over, "the settings on the command line")
    warn_of_missing_keys(seat)
    return seat


def _parse_unless(text: str) -> UnrewrittenPolicy:
    match text:
        case "keep" | "drop":
            return text
        case _:
            raise ConfigError(f"--unless-rewritten is {text!r}; use keep or drop")


def _mine_repository(repositories: Repositories, text: str, settings: MineSettings, console: Console) -> MinedTasks:
    repo, tip = repo_and_commit(text)
    with make_progress(console) as progress:
        bar = progress.add_task(f"{repo}: cloning", total=None)

        def show_progress(what: str, done: int, total: int | None) -> None:
            progress.update(bar, description=f"{repo}: {what}", completed=done, total=total)

        return mine_tasks(repositories, repo, tip, settings, show_progress)


@dataclass(frozen=True, slots=True)
class _RewriteJob:
    """The rewriting of all tasks, with its progress."""

    seat: SeatConfig
    file: Path
    repositories: Repositories
    tries: int
    unless: UnrewrittenPolicy
    at_once: int

    def run(
        self, found: Sequence[MinedTasks], max_leak: LeakGrade, console: Console
    ) -> tuple[list[MinedTasks], RewriteCost]:
        """The same with rewritten prompts; those that give too much away all the same are dropped."""
        return anyio.run(self._run, found, max_leak, console)

    async def _run(
        self, found: Sequence[MinedTasks], max_leak: LeakGrade, console: Console
    ) -> tuple[list[MinedTasks], RewriteCost]:
        model = model_from_config("player", self.seat)
        try:
            with RewriteAnswerFile(self.file) as answers, make_progress(console) as progress:
                rewriter = Rewriter(model, self.seat, answers, self.repositories, self.tries, self.unless, self.at_once)
                done: list[MinedTasks] = []
                for one in found:
                    bar = progress.add_task(f"{one.funnel.repo}: rewriting", total=len(one.tasks))
                    tasks = await rewriter.rewrite(one.tasks, lambda n, bar=bar: progress.update(bar, completed=n))
                    done.append(_replace_tasks(one, tasks, max_leak))
            return done, rewriter.spent
        finally:
            await model.aclose()


def _replace_tasks(one: MinedTasks, tasks: Sequence[Task], max_leak: LeakGrade) -> MinedTasks:
    left = tuple(task for task in tasks if LeakGrade(str(task.meta["leak"])) <= max_leak)
    one.funnel.drops[MiningDrop.NOT_REWRITTEN] += len(one.tasks) - len(tasks)
    one.funnel.drops[MiningDrop.LEAK] += len(tasks) - len(left)
    one.funnel.tasks = len(left)
    return MinedTasks(left, one.funnel)


def _write_files(found: Iterable[MinedTasks], out: Path, validation: float | None, validation_to: Path | None) -> None:
    tasks = [task for one in found for task in split_by_time(one.tasks, validation)]
    if validation_to is None:
        write_tasks([(out, tasks)])
        return
    sides = {side: [task for task in tasks if task.meta["split"] == side] for side in ("train", "validation")}
    write_tasks([(out, sides["train"]), (validation_to, sides["validation"])])


def _count_leaks(tasks: Iterable[Task]) -> dict[str, int]:
    counts = Counter(str(task.meta["leak"]) for task in tasks)
    return {leak.value: counts[leak.value] for leak in LeakGrade if counts[leak.value]}


def _as_json(found: Sequence[MinedTasks], spent: RewriteCost | None) -> dict[str, object]:
    rows = [{**one.funnel.as_json(), "leaks": _count_leaks(one.tasks)} for one in found]
    cost = {} if spent is None else {"rewriting": {name: getattr(spent, name) for name in RewriteCost.__slots__}}
    return {"repositories": rows, "tasks": sum(len(one.tasks) for one in found), **cost}


def _print_outcome(found: Sequence[MinedTasks], spent: RewriteCost | None, place: str, console: Console) -> None:
    for one in found:
        console.print(_funnel_table(one.funnel))
        leaks = list_counts(_count_leaks(one.tasks))
        console.print(f"named in prompts: {leaks or '-'}; {one.funnel.seconds:.1f} s", markup=False)
    if spent is not None:
        console.print(
            f"rewriting: {spent.asked} calls, {spent.known} known from before, {spent.failed} tasks not rewritten; "
            f"{spent.input_tokens} + {spent.output_tokens} tokens"
        )
    console.print(f"{sum(len(one.tasks) for one in found)} tasks {place}".rstrip(), markup=False)


def _funnel_table(funnel: MiningFunnel) -> Table:
    table = Table(title=funnel.repo, title_justify="left", show_header=False, box=None)
    table.add_row("commits", str(funnel.seen))
    for drop in MiningDrop:
        if funnel.drops[drop]:
            table.add_row(f"- {drop.value}", str(funnel.drops[drop]), style="dim")
    table.add_row("tasks", str(funnel.tasks), style="bold")
    return table
