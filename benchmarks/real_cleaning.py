"""Cleaning of whole episodes on real commits, with the heuristic pair: the table in docs/cleaning.md.

python -m benchmarks.real_cleaning REPOSITORY... [--count 20] [--seed 3] [--samples 3] [--policy every_step] [--out DIR]

The tasks are those of `benchmarks.real_commits`. The journals of each repository are cleaned by `selfplay clean
--samples 3 --repair models`: the player is asked again where it leaned on a hint, and at each hinted turn. No language
model takes part, so this measures the machinery: the heuristic player takes words of every hint.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast, get_args

import anyio

from benchmarks.real_commits import draw_tasks
from selfplay.clean.evidence import evidence_of, graph_of
from selfplay.clean.folder import CleanFolder
from selfplay.clean.funnel import CleaningFunnel
from selfplay.config import HintConfig, HintPolicy, RunConfig
from selfplay.core.task import Task
from selfplay.core.trace import StopReason, Trace
from selfplay.episode.play import play_task, set_up_episode
from selfplay.episode.seats import open_seat_models
from selfplay.repos.repositories import Repositories

HEAD = (
    "repository",
    "episodes",
    "found all",
    "targets shown in these",
    "with a full chain",
    "with no hinted word on the way",
    "rows",
    "dropped for",
    "turns learned",
    "turns by reliance, 0 to 1",
    "mean reliance",
    "pairs",
)


@dataclass(frozen=True, slots=True)
class RepositoryOutcome:
    """What came of one repository."""

    name: str
    traces: tuple[Trace, ...]
    funnel: CleaningFunnel

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        found = [t for t in self.traces if t.stop is not None and t.stop.reason is StopReason.FOUND]
        evidence = [(t, evidence_of(t.conversation)) for t in found]
        full = [chain.is_grounded for t, e in evidence for chain in graph_of(t, e).chains]
        strict = [chain.is_grounded for t, e in evidence for chain in graph_of(t, e, is_strict=True).chains]
        funnel = self.funnel
        dropped = [f"{code} {n}" for stage in funnel.stages for code, n in stage.dropped.items()]
        return (
            self.name,
            str(len(self.traces)),
            str(len(found)),
            str(len(full)),
            describe_share(full),
            describe_share(strict),
            " + ".join(f"{n} {stratum}" for stratum, n in funnel.strata.items()) or "0",
            ", ".join(dropped) or "-",
            f"{funnel.learned_turns} of {funnel.turns}",
            " ".join(str(n) for n in funnel.reliance.values()) or "-",
            "-" if funnel.mean_reliance is None else f"{funnel.mean_reliance:.2f}",
            str(funnel.pairs),
        )


def describe_share(values: Sequence[bool]) -> str:
    """How many are true, and which part of all that is."""
    return f"{sum(values)} ({sum(values) / len(values):.0%})" if values else "-"


async def play(tasks: Sequence[Task], repositories: Repositories, config: RunConfig, folder: Path) -> list[Trace]:
    """Play the tasks, each to its end; one that was played already is read."""
    traces: list[Trace] = []
    for task in tasks:
        snapshot = repositories.open(task.brief.repo, task.brief.commit)
        try:
            async with open_seat_models(config) as cast_:
                traces += [p.trace for p in await play_task(set_up_episode(task, snapshot, config), cast_, folder)]
        finally:
            snapshot.close()
        show_progress(traces[-1])
    return traces


def show_progress(trace: Trace) -> None:
    stop = trace.stop.reason if trace.stop else "goes on"
    print(f"{trace.episode}: {stop}, {len(trace.steps)} steps", file=sys.stderr, flush=True)


def clean(folder: Path, repos: Path, samples: int) -> CleaningFunnel:
    """Clean by the command, as a user would."""
    options = ["--samples", str(samples), "--repair", "models", "--repos", str(repos), "--quiet"]
    subprocess.run([sys.executable, "-m", "selfplay", "clean", str(folder), *options], check=True)
    return CleaningFunnel.model_validate_json(CleanFolder(folder / "clean").funnel.read_bytes())


def measure_repositories(given: argparse.Namespace, out: Path) -> Iterator[RepositoryOutcome]:
    """One for each repository."""
    config = RunConfig(hints=HintConfig(policy=given.policy))
    for repository in cast("list[Path]", given.repositories):
        tasks = draw_tasks(repository.absolute(), Random(given.seed))  # noqa: S311  draws a sample
        chosen = [task for task, _ in zip(tasks, range(given.count), strict=False)]
        folder = out / given.policy / repository.name
        traces = anyio.run(play, chosen, Repositories(out / "repos"), config, folder)
        yield RepositoryOutcome(repository.name, tuple(traces), clean(folder, out / "repos", given.samples))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=20, help="tasks of each repository")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--policy", choices=get_args(HintPolicy), default="every_step")
    parser.add_argument("--out", type=Path, help="where journals and clones stay; by default nowhere")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
        for outcome in measure_repositories(given, given.out or Path(scratch)):
            print(f"| {' | '.join(outcome.row())} |", flush=True)


if __name__ == "__main__":
    main()
