"""`selfplay tasks`: task files."""

from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.table import Table

from selfplay.cli.console import ExitCode, make_console, make_progress, print_json
from selfplay.core.terminal_text import sanitize
from selfplay.repos.repositories import Repositories
from selfplay.tasks.mine import LeakGrade, TaskCheckResult, check_tasks, refuse_other_file, write_tasks

tasks = typer.Typer(help="Look at task files.", no_args_is_help=True)

EPILOG = """Examples:

selfplay tasks check tasks.jsonl

selfplay tasks check swebench.jsonl -o playable.jsonl --max-leak module"""


@tasks.callback()
def _root() -> None:
    """Keep `check` a command of its own."""


@tasks.command(epilog=EPILOG)
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
    repos: Annotated[Path, typer.Option(help="Folder of clones.", envvar="SELFPLAY_REPOS")] = Path("repos"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
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
        print_json(_as_json(checked))
    else:
        _print_outcome(checked, out, console)
    raise typer.Exit(ExitCode.NEGATIVE if checked.problems else ExitCode.DONE)


def _as_json(checked: TaskCheckResult) -> dict[str, object]:
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


def _print_outcome(checked: TaskCheckResult, out: Path | None, console: Console) -> None:
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
        told = f"{len(checked.good)} tasks in {out}" if checked.good else "no task to write"
        console.print(told, markup=False)
