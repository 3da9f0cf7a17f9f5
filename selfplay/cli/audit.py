"""`selfplay audit`: check what was made elsewhere."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import orjson
import typer
from pydantic import ValidationError
from rich.text import Text

from selfplay.audit.echoes import AT_ONCE, audit_echoes, audit_echoes_with_judge
from selfplay.audit.hints import audit_hints
from selfplay.audit.traces import AuditSeverity, TraceAuditSummary, audit_traces
from selfplay.clean.across import AcrossSettings
from selfplay.clean.assistants.echo_judge import open_echo_judge
from selfplay.clean.settings import load_clean_settings
from selfplay.cli.console import ExitCode, list_counts, make_console, print_error, print_json
from selfplay.cli.options import JudgeOption, ReposOption, ServerUrlOption, override_judge
from selfplay.config import SeatConfig
from selfplay.core.errors import ConfigError, InputError
from selfplay.core.json_rows import explain_errors
from selfplay.repos.repositories import Repositories

STDIN = Path("-")

RowRenamer = Callable[[dict[str, Any]], dict[str, Any]]
"""A row that says `-` where it named the copy of standard input."""


@contextmanager
def open_inputs(files: Sequence[Path]) -> Generator[tuple[list[Path], RowRenamer]]:
    """The files, with a copy of standard input for `-`, which is gone afterwards: readers look at a file twice.

    An InputError that passes through names `-`, too. Raises InputError if `-` stands there twice.
    """
    if STDIN not in files:
        yield list(files), lambda row: row
        return
    if list(files).count(STDIN) > 1:
        raise InputError("-: standard input can be read only once")
    with tempfile.TemporaryDirectory(prefix="selfplay-stdin-") as folder:
        copy = Path(folder) / "stdin"
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield (
                [copy if path == STDIN else path for path in files],
                lambda row: orjson.loads(orjson.dumps(row).replace(bytes(copy), bytes(STDIN))),
            )
        except InputError as error:
            raise InputError(str(error).replace(str(copy), str(STDIN))) from None


commands = typer.Typer()
audit = typer.Typer(help="Check hints, echoes and whole traces from any source.", no_args_is_help=True)
commands.add_typer(audit, name="audit")

HINTS_EPILOG = """Example:

selfplay audit hints hints.jsonl

where each row is {"task": {a task, as in a task file}, "shown": ["what the player has seen"], "hint": "..."}"""


@audit.command(epilog=HINTS_EPILOG)
def hints(
    file: Annotated[Path, typer.Argument(help="JSONL: task, shown, hint; - for standard input.")],
    *,
    repos: ReposOption = Path("repos"),
) -> None:
    """Say of each hint whether it reveals the answer: one JSON row each, in order, on standard output.

    Exit code 1 if any reveals, or could be checked in part only: its repository can't be opened, a target is not there.
    """
    reveals = partial = 0
    with open_inputs([file]) as ([path], _):
        for row in audit_hints(path, Repositories(repos)):
            reveals += row["reveals"]
            partial += "partial" in row
            print_json(row)
    if partial:
        print_error(f"{partial} hints could be checked in part only, see `partial` in their rows")
    raise typer.Exit(ExitCode.NEGATIVE if reveals or partial else ExitCode.DONE)


ECHOES_EPILOG = """Example:

selfplay audit echoes turns.jsonl

selfplay audit echoes turns.jsonl --judge openai:gpt-5-mini

where each row is {"text": "what the player said in a turn", "hint": "what stood before it, if anything did"}"""


@audit.command(epilog=ECHOES_EPILOG)
def echoes(
    file: Annotated[Path, typer.Argument(help="JSONL: text, and hint if there was one; - for standard input.")],
    *,
    judge: JudgeOption = "",
    judge_url: ServerUrlOption = "",
    config: Annotated[Path | None, typer.Option(help="A TOML file: the judge of its table `clean.judge`.")] = None,
) -> None:
    """Say of each text whether it answers or leans on a hint: one JSON row each, in order, on standard output.

    Exit code 1 if any does.
    """
    seat = override_judge(load_clean_settings(config).judge if config else None, judge, judge_url)
    count = faults = 0
    with open_inputs([file]) as ([path], _):
        if seat is not None:
            count, faults = anyio.run(_judge_echoes, path, seat)
        else:
            for row in audit_echoes(path):
                count += row["echo"]
                print_json(row)
    if faults:
        print_error(f"{faults} answers of the judge could not be used, see `faults` in their rows")
    raise typer.Exit(ExitCode.NEGATIVE if count else ExitCode.DONE)


async def _judge_echoes(file: Path, seat: SeatConfig) -> tuple[int, int]:
    """Print the rows; returns how many have an echo, and how many answers could not be used."""
    count = 0
    async with AsyncExitStack() as stack:
        judge = open_echo_judge(seat, stack, anyio.CapacityLimiter(AT_ONCE))
        async with aclosing(audit_echoes_with_judge(file, judge)) as rows:
            async for row in rows:
                count += row["echo"]
                print_json(row)
    return count, judge.faults.total()


TRACES_EPILOG = """Examples:

selfplay audit traces traces/clean/traces.jsonl data/sft.jsonl

selfplay audit traces runs/*.traj --max-row-tokens 32000 --tokenizer tokenizer.json

Files: journals, clean traces and exports of this program; OpenAI chat rows, SWE-agent, mini-swe-agent and ATIF."""


@audit.command(epilog=TRACES_EPILOG)
def traces(
    files: Annotated[
        list[Path], typer.Argument(help="Traces or rows, in any of the forms below; - for standard input.")
    ],
    *,
    max_row_tokens: Annotated[int | None, typer.Option(min=1, help="Longer traces are findings.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="tokenizer.json of the target, or tiktoken:NAME.")] = None,
    benchmarks: Annotated[
        list[Path] | None, typer.Option(help="File of repositories that no trace may be from.")
    ] = None,
    allow_token: Annotated[list[str] | None, typer.Option(help="Special token that may stand in a trace.")] = None,
    token_family: Annotated[list[str] | None, typer.Option(help="Special tokens to look for: chatml, ...")] = None,
    allow_rule: Annotated[list[str] | None, typer.Option(help="Rule of the secret scanner to let through.")] = None,
    key_env: Annotated[list[str] | None, typer.Option(help="Variable whose value is a key.")] = None,
    scanner: Annotated[str, typer.Option(help="Secret scanner: auto (if installed), on, off.")] = "auto",
    near_duplicates: Annotated[float, typer.Option(min=0, max=1, help="Similarity that counts; 0 for none.")] = 0.85,
) -> None:
    """Say of each trace what should not be trained on: one JSON row each, in order, on standard output.

    A summary goes to standard error. Exit code 1 if any trace has a finding that is no mere note.
    """
    values = {
        "max_tokens": max_row_tokens,
        "tokenizer": tokenizer,
        "benchmarks": tuple(benchmarks or ()),
        "allowed_tokens": tuple(allow_token or ()),
        "token_families": tuple(token_family) if token_family else None,
        "allowed_rules": tuple(allow_rule or ()),
        "scanner": scanner,
        "near_duplicates": near_duplicates or None,
    }
    if key_env:
        values["key_names"] = (*AcrossSettings().key_names, *key_env)
    summary = TraceAuditSummary()
    with open_inputs(files) as (paths, rename):
        for audited in audit_traces(paths, _across_settings(values), summary):
            print_json(rename(audited.to_row()))
    _print_summary(summary)
    raise typer.Exit(ExitCode.DONE if summary.passed == summary.traces else ExitCode.NEGATIVE)


def _across_settings(values: dict[str, Any]) -> AcrossSettings:
    try:
        return AcrossSettings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain_errors(error, {(): tuple(AcrossSettings.model_fields)})) from None


def _print_summary(summary: TraceAuditSummary) -> None:
    console = make_console(is_quiet=False, is_json=True)
    style = "green" if summary.passed == summary.traces else "red"
    console.print(Text(f"{summary.passed} of {summary.traces} traces pass", style=style))
    for severity in AuditSeverity:
        counts = {code: n for (code, kind), n in sorted(summary.findings.items()) if kind == severity}
        if counts:
            console.print(f"{severity}s: {list_counts(counts)}")
    if not summary.scanner:
        console.print(
            Text("secrets: only keys of the run were looked for; more: pip install '.[secrets]' in selfplay's checkout")
        )
