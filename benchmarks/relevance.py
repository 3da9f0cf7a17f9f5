"""How well `search` finds the files that a change touches, next to plain BM25 and ripgrep.

    python benchmarks/relevance.py CLONE ... [--held-out CLONE ...] [--tasks 60] [--jobs 2] [--json]

Each clone gives tasks from its history (`mining.py`): a commit's message is the query, its parent is searched, the
source files that it changed are to be found. Printed are, for every way to rank (`ranking_methods.py`), the share of
those files among the first 1, 5, 10 and 20, and the mean reciprocal rank of the first of them; each repository counts
the same. Asked is once with the whole message and once with its subject, once over all text files and once over sources
alone. Needs bm25s and ripgrep.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from mining import CommitTask, files_of, is_source, mine_tasks, name_of, read_contents
from ranking_methods import ABLATION, METHODS, Corpus, QueryWords, TextCounts, ranks_of

from selfplay_tools.index.store.blob_table import normalise

CUTS = (1, 5, 10, 20)
SEED = 1
QUESTIONS = ("message", "subject")
AMONG = ("all", "sources")
OURS = "ours"


@dataclass(frozen=True)
class MethodResult:
    """How one way did on one repository's tasks."""

    repository: str
    way: str
    question: str
    among: str
    ranks: tuple[tuple[float, ...], ...]
    """For each task the ranks of its files."""

    @property
    def figures(self) -> tuple[float, ...]:
        """Recall at each of `CUTS`, then the mean reciprocal rank."""
        recalls = [np.mean([np.mean([rank <= cut for rank in ranks]) for ranks in self.ranks]) for cut in CUTS]
        return (*map(float, recalls), float(np.mean([1 / ranks[0] for ranks in self.ranks])))


def measure_repository(repository: Path, count: int) -> list[MethodResult]:
    """All ways on one repository."""
    tasks = mine_tasks(repository, count, SEED)
    asked = QueryWords.of_queries(task.query for task in tasks)
    listed = {commit: files_of(repository, commit) for commit in sorted({task.commit for task in tasks})}
    oids = sorted({file.oid for files in listed.values() for file in files})
    ranks: dict[tuple[str, str, str], list[tuple[float, ...]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        known: dict[str, TextCounts] = {}
        for oid, data in read_contents(repository, oids):
            text = normalise(data)
            if text is not None:
                known[oid] = TextCounts.of(text.source, asked)
                (Path(folder) / oid).write_bytes(text.source)
        for task in tasks:
            files = [file for file in listed[task.commit] if file.oid in known]
            corpus = Corpus([file.path for file in files], [file.oid for file in files], known, Path(folder))
            for key, found in _rank_targets(corpus, task).items():
                ranks.setdefault(key, []).append(found)
    return [MethodResult(name_of(repository), *key, tuple(found)) for key, found in ranks.items()]


def _rank_targets(corpus: Corpus, task: CommitTask) -> dict[tuple[str, str, str], tuple[float, ...]]:
    sources = np.array([is_source(path) for path in corpus.paths])
    found: dict[tuple[str, str, str], tuple[float, ...]] = {}
    for question, query in zip(QUESTIONS, (task.query, task.subject), strict=True):
        for name, way in {**METHODS, **ABLATION}.items():
            scores = way(corpus, query)
            for among, kept in zip(AMONG, (scores, np.where(sources, scores, 0.0)), strict=True):
                found[name, question, among] = tuple(ranks_of(kept, corpus.paths, task))
    return found


def mean_figures(found: Sequence[MethodResult], way: str, question: str, among: str) -> tuple[float, ...]:
    """The figures of all repositories, each counting the same."""
    rows = [one.figures for one in found if (one.way, one.question, one.among) == (way, question, among)]
    return tuple(float(value) for value in np.mean(rows, axis=0))


def make_table(title: str, found: Sequence[MethodResult]) -> list[str]:
    tasks = sum(len(one.ranks) for one in found if (one.way, one.question, one.among) == (OURS, *_FIRST))
    repositories = sorted({one.repository for one in found})
    lines = [f"{title}: {tasks} tasks of {', '.join(repositories)}", ""]
    for question in QUESTIONS:
        for among in AMONG:
            lines += [
                "",
                f"| asked: {question}, ranked: {among} | @1 | @5 | @10 | @20 | MRR |",
                "|---|---|---|---|---|---|",
            ]
            lines += [_table_row(way, mean_figures(found, way, question, among)) for way in METHODS]
    return [*lines, "", *_ablation_table(found), "", *_repository_table(found)]


_FIRST = (QUESTIONS[0], AMONG[0])


def _table_row(name: str, figures: Sequence[float]) -> str:
    return f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} |"


def _ablation_table(found: Sequence[MethodResult]) -> list[str]:
    """What each ingredient gives, averaged over both questions."""
    lines = ["| ablation | all: @1 | @10 | MRR | sources: @1 | @10 | MRR |", "|---|---|---|---|---|---|---|"]
    for way in (OURS, *ABLATION):
        figures: list[float] = []
        for among in AMONG:
            both = np.mean([mean_figures(found, way, question, among) for question in QUESTIONS], axis=0)
            figures += [float(both[0]), float(both[2]), float(both[4])]
        lines.append(_table_row(way, figures))
    return lines


def _repository_table(found: Sequence[MethodResult]) -> list[str]:
    """Ours next to the best of the others, whole message over all files."""
    rival = "bm25s, split, path in the text"
    lines = [f"| repository | ours @10 | MRR | {rival} @10 | MRR | tasks better / worse |", "|---|---|---|---|---|---|"]
    by_name = {(one.repository, one.way): one for one in found if (one.question, one.among) == _FIRST}
    for name in sorted({one.repository for one in found}):
        own, other = by_name[name, OURS], by_name[name, rival]
        better = sum(a[0] < b[0] for a, b in zip(own.ranks, other.ranks, strict=True))
        worse = sum(a[0] > b[0] for a, b in zip(own.ranks, other.ranks, strict=True))
        figures = (own.figures[2], own.figures[4], other.figures[2], other.figures[4])
        lines.append(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} | {better} / {worse} |")
    return lines


def json_rows(half: str, found: Sequence[MethodResult]) -> list[str]:
    names = [*(f"recall_at_{cut}" for cut in CUTS), "mrr"]
    return [
        json.dumps(
            {"half": half}
            | {key: value for key, value in asdict(one).items() if key != "ranks"}
            | dict(zip(names, one.figures, strict=True))
        )
        for one in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", nargs="*", type=Path, help="clones, bare or not, to tune the ranking on")
    parser.add_argument("--held-out", nargs="*", type=Path, default=[], help="clones that were not used for that")
    parser.add_argument("--tasks", type=int, default=60, help="tasks per repository, where it has as many")
    parser.add_argument("--jobs", type=int, default=2, help="repositories at once")
    parser.add_argument("--json", action="store_true", help="one JSON row per repository and way")
    options = parser.parse_args()
    halves: Mapping[str, list[Path]] = {"development": options.clones, "held out": options.held_out}
    every = [clone for clones in halves.values() for clone in clones]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        found = dict(zip(every, pool.map(measure_repository, every, [options.tasks] * len(every)), strict=True))
    for half, clones in halves.items():
        of_half = [one for clone in clones for one in found[clone]]
        if of_half:
            print(
                "\n".join(json_rows(half, of_half) if options.json else [*make_table(half.capitalize(), of_half), ""])
            )


if __name__ == "__main__":
    main()
