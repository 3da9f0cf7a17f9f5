"""`selfplay index`: build ahead what searches in a repository's commits use, and show what there is."""

import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from selfplay.cli.console import make_console, make_progress, print_json
from selfplay.cli.options import ReposOption, repo_and_commit
from selfplay.config import SemanticSearchConfig, load_config
from selfplay.environments.find_files.semantic_search import embed_ahead
from selfplay.repos.repositories import IndexSummary, Repositories, build_index, summarise_index
from selfplay_tools.output import format_count, format_size

commands = typer.Typer()

EPILOG = """Examples:

selfplay index ~/src/app@v2.1 ~/src/app@HEAD~200

selfplay index ~/src/app --stats"""


@commands.command(epilog=EPILOG)
def index(
    repositories: Annotated[
        list[str], typer.Argument(help="A path, URL or name under repos/, with or without @COMMIT.")
    ],
    *,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file; where it sets up semantic_search, vectors are made as well.")
    ] = None,
    stats: Annotated[bool, typer.Option("--stats", help="Only tell what is there.")] = False,
    repos: ReposOption = Path("repos"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per repository and commit.")] = False,
) -> None:
    """Clone and index repositories ahead, so that no episode waits for it. Searches work without: they scan meanwhile.

    What is indexed lies under repos/.index: a cache, safe to delete, shared by all commits and processes.
    """
    console = make_console(is_quiet=False, is_json=as_json)
    opened = Repositories(repos)
    semantic = None if config is None else load_config(config).tools.semantic_search
    for text in repositories:
        repo, commit = repo_and_commit(text)
        if not stats:
            _build(console, opened, repo, commit)
            if semantic is not None:
                _embed(console, opened, (repo, commit), semantic)
        summary = summarise_index(opened, repo)
        if as_json:
            print_json(summary.as_json())
        else:
            _print_contents(console, repo, summary)


def _build(console: Console, repositories: Repositories, repo: str, commit: str) -> None:
    began = time.perf_counter()
    with make_progress(console) as progress:
        bar = progress.add_task(f"{repo} at {commit}", total=None)
        full_id = build_index(
            repositories, repo, commit, lambda done, total: progress.update(bar, completed=done, total=total)
        )
    console.print(f"{repo} at {full_id[:12]}: indexed in {time.perf_counter() - began:.1f} s", highlight=False)


def _embed(
    console: Console, repositories: Repositories, source: tuple[str, str], semantic: SemanticSearchConfig
) -> None:
    with closing(repositories.open(*source)) as snapshot, make_progress(console) as progress:
        bar = progress.add_task(f"{source[0]}: vectors", total=None)
        pieces = embed_ahead(semantic, snapshot, lambda done, total: progress.update(bar, completed=done, total=total))
    console.print(f"{source[0]}: {format_count(pieces, 'piece')} have vectors", highlight=False)


def _print_contents(console: Console, repo: str, summary: IndexSummary) -> None:
    commits = format_count(len(summary.commits), "commit")
    contents = f"{format_count(summary.blobs, 'file content')} of {commits}, {format_size(summary.bytes)} on disk"
    console.print(f"{repo}: {contents} in {summary.folder}", highlight=False, soft_wrap=True)
