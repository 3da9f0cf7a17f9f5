"""`selfplay tasks` and `selfplay import`: task files, checked and made of benchmarks' rows."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.table import Table

from selfplay.cli.console import ExitCode, make_console, make_progress, print_error, print_json
from selfplay.cli.options import JsonOption, ReposOption
from selfplay.core.errors import InputError
from selfplay.core.files import convert_os_errors, make_folder, write_atomically
from selfplay.core.jsonl import json_line
from selfplay.core.task import Task
from selfplay.core.terminal_text import sanitize
from selfplay.repos.repositories import Repositories
from selfplay.tasks.check import TaskCheckResult, check_tasks
from selfplay.tasks.importers import BENCHMARK_FORMATS, BenchmarkFormat, RejectedRow, RepositoryLocations, import_rows
from selfplay.tasks.prompt_leaks import LeakGrade
from selfplay.tasks.task_files import refuse_other_file, write_tasks

commands = typer.Typer()
tasks = typer.Typer(help="Look at task files.", no_args_is_help=True)
commands.add_typer(tasks, name="tasks")

CHECK_EPILOG = """Examples:

selfplay tasks check tasks.jsonl

selfplay tasks check swebench.jsonl -o playable.jsonl --max-leak module"""


@tasks.callback()
def _root() -> None:
    """Keep `check` a command of its own."""


@tasks.command(epilog=CHECK_EPILOG)
def check(
    file: Annotated[Path, typer.Argument(help="A task file.")],
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the tasks without problems here, graded in `meta`.")
    ] = None,
    max_leak: Annotated[
        LeakGrade, typer.Option(help="The most that a prompt may name of its targets.")
    ] = LeakGrade.PATH,
    threads: Annotated[int, typer.Option(min=1, help="Tasks looked at at the same time.")] = 4,
    repos: ReposOption = Path("repos"),
    as_json: JsonOption = False,
) -> None:
    """Check every task of a file: its row, clone, commit, targets and prompt, duplicates, and what it gives away.

    One line per problem. Exit code 1 if there is any.
    """
    if out is not None:
        refuse_other_file(out)
    console = make_console(is_quiet=False, is_json=as_json)
    with make_progress(console) as progress:
        bar = progress.add_task("checking", total=None)

        async def run() -> TaskCheckResult:
            return await check_tasks(
                file,
                Repositories(repos, hidden=(file,)),
                max_leak,
                lambda done, total: progress.update(bar, completed=done, total=total),
                threads,
            )

        checked = anyio.run(run)
    if out is not None and checked.good:
        write_tasks([(out, checked.good)])
    if as_json:
        print_json(_check_as_json(checked))
    else:
        _print_check(checked, out, console)
    raise typer.Exit(ExitCode.NEGATIVE if checked.problems else ExitCode.DONE)


def _check_as_json(checked: TaskCheckResult) -> dict[str, object]:
    return {
        "rows": checked.rows,
        "good": len(checked.good),
        "problems": [
            {name: getattr(one, name) for name in ("where", "task", "kind", "text")} for one in checked.problems
        ],
        "leaks": {leak.value: checked.leaks[leak] for leak in LeakGrade if checked.leaks[leak]},
        "repositories": dict(checked.repositories),
        "targets": {str(number): count for number, count in sorted(checked.targets.items())},
    }


def _print_check(checked: TaskCheckResult, out: Path | None, console: Console) -> None:
    for one in checked.problems:
        console.print(sanitize(f"{one.where} {one.task} {one.kind}: {one.text}"), markup=False, soft_wrap=True)
    table = Table(show_header=False, box=None)
    for repo, count in checked.repositories.most_common():
        table.add_row(sanitize(repo), str(count))
    for leak in LeakGrade:
        if checked.leaks[leak]:
            table.add_row(f"names {leak.value}", str(checked.leaks[leak]))
    for number, count in sorted(checked.targets.items()):
        table.add_row(f"{number} target{'s' if number > 1 else ''}", str(count))
    table.add_row("rows", str(checked.rows))
    table.add_row("without a problem", str(len(checked.good)), style="bold")
    console.print(table)
    if out is not None:
        outcome = f"{len(checked.good)} tasks in {out}" if checked.good else "no task to write"
        console.print(outcome, markup=False)


IMPORT_EPILOG = """Examples:

selfplay import swebench SWE-bench_Verified.parquet -o tasks.jsonl

selfplay import locbench locbench.jsonl -o tasks.jsonl --repos-from ~/clones

selfplay import openai chats.jsonl -o tasks.jsonl"""

LISTED = 10


@commands.command("import", epilog=IMPORT_EPILOG)
def import_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="swebench, locbench or openai.")],
    file: Annotated[Path, typer.Argument(help="JSONL, a JSON list, or Parquet (needs pyarrow).")],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="The task file.")],
    repos_from: Annotated[
        Path | None,
        typer.Option(help='A folder of clones, or a JSON file {"owner/name": "path or URL"}; by default GitHub.'),
    ] = None,
    files: Annotated[bool, typer.Option("--files", help="Whole files as targets, where rows name functions.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn rows of SWE-bench (Lite, Verified, SWE-smith), Loc-Bench or chat rows with metadata into tasks.

    Rows that give none are written beside the tasks, as NAME.rejected.jsonl, each with its reason; exit code 1 then.
    Where no row gives one, nothing is written.
    """
    chosen = _parse_format(kind)
    refuse_other_file(out)
    rows = [made for _, made in import_rows(file, chosen, RepositoryLocations.from_path(repos_from), whole_files=files)]
    tasks = [made for made in rows if isinstance(made, Task)]
    rejected = [made for made in rows if isinstance(made, RejectedRow)]
    if not rows:
        raise InputError(f"{file}: no row in it")
    beside = out.with_suffix(".rejected.jsonl")
    if tasks:
        _write_rejected(beside, rejected)
        write_tasks([(out, tasks)])
    if as_json:
        print_json({"tasks": len(tasks), "rejected": list(map(_rejected_row, rejected))})
    elif tasks:
        _print_import(tasks, rejected, out, beside)
    if not tasks:
        print_error(
            f"{file}: no row gives a task of the kind {kind!r}, so nothing is written: {_count_by_reason(rejected)}"
        )
    raise typer.Exit(ExitCode.NEGATIVE if rejected else ExitCode.DONE)


def _parse_format(kind: str) -> BenchmarkFormat:
    match kind:
        case "swebench" | "locbench" | "openai":
            return kind
        case _:
            raise InputError(f"unknown kind {kind!r}; use one of {', '.join(BENCHMARK_FORMATS)}")


def _rejected_row(one: RejectedRow) -> dict[str, str]:
    return {"where": one.where, "id": one.id, "reason": one.reason}


def _count_by_reason(rejected: list[RejectedRow]) -> str:
    reasons = Counter(one.reason for one in rejected).most_common()
    listed = [f"{count} rows: {reason}" if count > 1 else f"1 row: {reason}" for reason, count in reasons[:LISTED]]
    more = len(reasons) - LISTED
    return "; ".join(listed) + (f"; and {more} more reasons" if more > 0 else "")


def _write_rejected(path: Path, rejected: list[RejectedRow]) -> None:
    if rejected:
        make_folder(path.parent, above=True)
        write_atomically(path, b"".join(json_line(_rejected_row(one)) for one in rejected))
        return
    with convert_os_errors(path, "removed"):
        path.unlink(missing_ok=True)


def _print_import(tasks: list[Task], rejected: list[RejectedRow], out: Path, beside: Path) -> None:
    console = make_console(is_quiet=False, is_json=False)
    for one in rejected[:LISTED]:
        console.print(sanitize(f"{one.where} {one.id}: {one.reason}"), markup=False, soft_wrap=True)
    if len(rejected) > LISTED:
        console.print(f"and {len(rejected) - LISTED} more")
    repos = Counter(task.brief.repo for task in tasks)
    console.print(f"{len(tasks)} tasks of {len(repos)} repositories in {out}", markup=False)
    if rejected:
        console.print(f"{len(rejected)} rows rejected, see {beside}", markup=False)
