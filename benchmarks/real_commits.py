"""Whole episodes on real commits, with the heuristic pair: what they end as, and what became of every hint.

python -m benchmarks.real_commits REPOSITORY... [--count 3] [--seed 3] [--json]

For each repository (a path; a bare clone will do) commits are drawn from the last 600 without merges that change one to
four files of its main language and nothing new: the message is the task, the parent the commit, the changed files the
targets. No language model takes part: this measures the machinery, not how well anybody searches.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import anyio

from selfplay.clean.folder import CleanFolder
from selfplay.clean.journals import journals_in
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings
from selfplay.config import RunConfig
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.trace import HintKind, Trace
from selfplay.environments.environment import Environment
from selfplay.episode.play import play_task, set_up_episode
from selfplay.episode.seats import open_seat_models
from selfplay.export.formats.trl import TRL
from selfplay.export.write_rows import write_rows
from selfplay.gate import ShownText, check_hint
from selfplay.repos.repositories import Repositories

SUFFIXES = (".py", ".go", ".js", ".ts", ".rs", ".c", ".java", ".cpp", ".rb")
MAX_TARGETS = 4
MIN_MESSAGE = 20


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def draw_tasks(repository: Path, random: Random) -> Iterator[Task]:
    """Tasks out of the repository's history, in an order that the seed decides."""
    names = git(repository, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    suffix = Counter(Path(name).suffix for name in names if name.endswith(SUFFIXES)).most_common(1)[0][0]
    commits = git(repository, "log", "--no-merges", "--format=%H", "-600").split()
    random.shuffle(commits)
    for commit in commits:
        listed = git(repository, "diff-tree", "--no-commit-id", "--name-only", "--diff-filter=M", "-r", commit)
        paths = [path for path in listed.splitlines() if path.endswith(suffix) and "test" not in path.lower()]
        message = git(repository, "show", "-s", "--format=%B", commit).strip()
        if 1 <= len(paths) <= MAX_TARGETS and len(message) >= MIN_MESSAGE:
            brief = Brief(
                id=f"{repository.name}-{commit[:10]}", repo=str(repository), commit=f"{commit}^", prompt=message
            )
            yield Task(brief=brief, answer=Answer(targets=tuple(Target(path=path) for path in paths)))


@dataclass(frozen=True, slots=True)
class EpisodeOutcome:
    """One episode in figures."""

    repository: str
    task: str
    stop: str
    steps: int
    targets: str
    hints: int
    feedback: int
    refused: int
    revealing: int
    """Delivered hints in which the gate, asked again, finds something. There should be none."""
    seconds: float


async def play(task: Task, repositories: Repositories, folder: Path) -> EpisodeOutcome:
    """Play one task and look at what was said to the player."""
    began = time.perf_counter()
    snapshot = repositories.open(task.brief.repo, task.brief.commit)
    try:
        config = RunConfig()
        stage = set_up_episode(task, snapshot, config)
        async with open_seat_models(config) as cast:
            trace = (await play_task(stage, cast, folder))[0].trace
        seconds = time.perf_counter() - began
        hints = [step.judgement.hint for step in trace.steps if step.judgement.hint is not None]
        return EpisodeOutcome(
            repository=Path(task.brief.repo).name,
            task=task.brief.id,
            stop="" if trace.stop is None else trace.stop.reason,
            steps=len(trace.steps),
            targets=f"{len(trace.found_targets)}/{len(task.answer.targets)}",
            hints=len(hints),
            feedback=sum(hint.kind is HintKind.FEEDBACK for hint in hints),
            refused=sum(bool(a.findings) for step in trace.steps for a in step.judgement.attempts),
            revealing=count_revealing(
                trace, stage.environment, lambda hint, seen: bool(check_hint(hint, stage.guard, seen))
            ),
            seconds=seconds,
        )
    finally:
        snapshot.close()


def count_revealing(trace: Trace, environment: Environment, reveals: Callable[[str, ShownText], bool]) -> int:
    """Hints that the player got and that reveal, given what it had been shown by then."""
    seen = ShownText()
    seen.add(trace.opening.content)
    count = 0
    for step in trace.steps:
        for result in step.results:
            environment.note_shown(seen, step.action, result)
        hint = step.judgement.hint
        count += hint is not None and reveals(hint.text, seen)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        traces = Path(scratch) / "traces"
        repositories = Repositories(Path(scratch) / "repos")
        outcomes: list[EpisodeOutcome] = []
        for repository in given.repositories:
            tasks = draw_tasks(repository.absolute(), Random(given.seed))  # noqa: S311  draws a sample
            for task, _ in zip(tasks, range(given.count), strict=False):
                outcomes.append(anyio.run(play, task, repositories, traces))
                show(outcomes[-1], as_json=given.json)
        clean = CleanFolder(Path(scratch) / "clean")
        anyio.run(clean_to, clean, CleaningWork(journals_in(traces), CleanSettings()))
        rows = write_rows(clean.read_outcomes(), Path(scratch) / "rows", TRL)
        print(f"{rows.rows} rows of {len(outcomes)} episodes; skipped: {dict(rows.skipped)}")
        print(f"delivered hints: {sum(o.hints for o in outcomes)}, revealing: {sum(o.revealing for o in outcomes)}")


def show(one: EpisodeOutcome, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({name: getattr(one, name) for name in EpisodeOutcome.__slots__}))
        return
    print(
        f"{one.task:36} {one.stop:9} steps {one.steps:3}  found {one.targets:4} hints {one.hints:3} "
        f"(feedback {one.feedback}) refused {one.refused:3} revealing {one.revealing} {one.seconds:6.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
