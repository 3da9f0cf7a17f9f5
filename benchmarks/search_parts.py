"""What `search.py` measures, each part in a process of its own: latencies in ms, memory in MB, processor time in s."""

import os
import random
import re
import resource
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import anyio

from selfplay.core.threads import ThreadPool
from selfplay_tools.code.code_file import code_of
from selfplay_tools.index.patterns import LinePattern
from selfplay_tools.index.store.repository_index import open_repository_index
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.tools.find_references import FindReferences, find_references
from selfplay_tools.tools.find_symbol import FindSymbol, find_symbol
from selfplay_tools.tools.grep import Grep, grep
from selfplay_tools.tools.read_file import ReadFile, read_file
from selfplay_tools.tools.search import Search, search

Figures = dict[str, float]
_CODE = (".c", ".h", ".py", ".go", ".rs", ".js", ".ts", ".java", ".cc", ".cpp", ".rb")
FIRST = 50
_READERS, _READ_S = 200, 10.0
_COMMENT = re.compile(r"\s*(\*|#|//|/\*)\s*[A-Z]")
_SIZES = range(2_000, 500_000)
_WORDS = range(3, 13)


@dataclass(frozen=True, slots=True)
class SearchCase:
    """What is measured on."""

    git_dir: Path
    store: Path
    commit: str
    following: str
    patterns: Sequence[str]

    def open_commit(self, commit: str | None = None) -> CommitSnapshot:
        """The commit over the store."""
        return CommitSnapshot(self.git_dir, commit or self.commit, store=self.store)


def measure_build(case: SearchCase) -> Figures:
    """From a clone with nothing stored: the first answer, usable signatures, everything."""
    shutil.rmtree(case.store, ignore_errors=True)
    figures: Figures = {}
    watch = _Stopwatch()
    with closing(case.open_commit()) as snapshot:
        _run_grep(snapshot, case.patterns[0])
        figures["first answer, wall s"] = watch.wall()
        repository_index = open_repository_index(case.git_dir.absolute(), case.store.absolute())
        repository_index.wait_until_idle()
        figures["all indexed meanwhile, wall s"] = watch.wall()
    shutil.rmtree(case.store)
    del repository_index, snapshot
    oids = _list_oids(case)
    watch = _Stopwatch()
    repository_index = open_repository_index(case.git_dir.absolute(), case.store.absolute())
    repository_index.add(oids)
    figures["signatures, wall s"], figures["signatures, cpu s"] = watch.wall(), watch.cpu()
    repository_index.add_with_words(oids)
    figures["all, wall s"], figures["all, cpu s"] = watch.wall(), watch.cpu()
    source = sum(len(segment.text) for segment in repository_index.store.segments)
    figures["source MB"] = source / 1e6
    figures["index, % of source"] = 100 * (repository_index.store.size - source) / source
    figures["peak RSS MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _list_oids(case: SearchCase) -> list[str]:
    with closing(CommitSnapshot(case.git_dir, case.commit)) as snapshot:
        return [entry.oid for entry in snapshot.entries if entry.kind == "file" and entry.size <= 2 << 20]


def measure_greps(case: SearchCase) -> Figures:
    """The first 50 hits of each pattern, alone and counted on as the tool does."""
    with closing(case.open_commit()) as snapshot:
        firsts = [lambda pattern=pattern: _find_first(snapshot, pattern) for pattern in case.patterns]
        figures = _measure_latencies("first 50 hits", firsts, rounds=7)
        before = time.process_time()
        for first in firsts:
            first()
        figures["first 50 hits cpu s, all patterns once"] = time.process_time() - before
        calls = [lambda pattern=pattern: _run_grep(snapshot, pattern) for pattern in case.patterns]
        figures |= _measure_latencies("grep", calls, rounds=7)
        before = time.process_time()
        for call in calls:
            call()
        figures["grep cpu s, all patterns once"] = time.process_time() - before
        figures["anonymous MB after"] = _anonymous_mb()
    return figures


def measure_worst(case: SearchCase) -> Figures:
    """A pattern without a literal that hardly matches: everything is read."""
    with closing(case.open_commit()) as snapshot:
        return _measure_latencies("worst regex", [lambda: _run_grep(snapshot, "[A-Z]{5}_[A-Z]{7}_[0-9]{7}")], rounds=3)


def measure_cold(case: SearchCase) -> Figures:
    """The first query of a process, with nothing of the index in memory."""
    with closing(case.open_commit()) as snapshot:
        for path in case.store.iterdir():
            _evict_from_memory(path)
        began = time.perf_counter()
        _run_grep(snapshot, case.patterns[0])
        return {"cold first grep, ms": 1e3 * (time.perf_counter() - began)}


def measure_ranks(case: SearchCase) -> Figures:
    """The best 20 of queries made of words of the tree."""
    with closing(case.open_commit()) as snapshot:
        queries = _draw_queries(snapshot)
        began = time.perf_counter()
        snapshot.index.rank(queries[0].split(), 20)
        figures = {"first rank of a commit, ms": 1e3 * (time.perf_counter() - began)}
        figures |= _measure_latencies(
            "rank", [lambda q=query: snapshot.index.rank([q], 20) for query in queries], rounds=3
        )
        figures |= _measure_latencies(
            "search tool", [lambda q=query: search(snapshot, _search_arguments(q)) for query in queries], rounds=1
        )
        figures["anonymous MB after"] = _anonymous_mb()
    return figures


def measure_names(case: SearchCase) -> Figures:
    """Definitions of names when nothing is known of them, again, and their references."""
    with closing(case.open_commit()) as snapshot:
        some = _draw_names(snapshot)
    with closing(case.open_commit()) as snapshot:
        symbols = [lambda n=name: find_symbol(snapshot, FindSymbol.model_validate({"name": n})) for name in some]
        uses = [
            lambda n=name: find_references(snapshot, FindReferences.model_validate({"name": n, "limit": 100}))
            for name in some
        ]
        return (
            _measure_latencies("definition", symbols, rounds=1)
            | _measure_latencies("definition again", symbols, rounds=1)
            | _measure_latencies("references", uses, rounds=1)
            | _measure_latencies("references again", uses, rounds=1)
        )


def measure_reads(case: SearchCase) -> Figures:
    """200 lines of some file."""
    with closing(case.open_commit()) as snapshot:
        paths = _seeded_random(3).sample(_list_code_files(snapshot), 300)
        asked = [ReadFile.model_validate({"path": path, "start": 1, "count": 200}) for path in paths]
        calls = [lambda one=one: read_file(snapshot, one) for one in asked]
        texts = [lambda p=path: snapshot.text_span(p).lines_of(0)[100:300] for path in paths]
        return _measure_latencies("200 lines", texts, rounds=3) | _measure_latencies("read_file tool", calls, rounds=3)


def measure_further(case: SearchCase) -> Figures:
    """Another commit of the same repository, of which a few files differ."""
    with closing(case.open_commit()) as snapshot:
        _run_grep(snapshot, case.patterns[0])
        disk, memory = _disk_bytes(case.store), _anonymous_mb()
        watch = _Stopwatch()
        with closing(case.open_commit(case.following)) as other:
            opened, used = watch.wall(), watch.cpu()
            watch = _Stopwatch()
            _run_grep(other, case.patterns[0])
            return {
                "further commit opened, wall ms": 1e3 * opened,
                "further commit opened, cpu ms": 1e3 * used,
                "and first grep, wall ms": 1e3 * watch.wall(),
                "and first grep, cpu ms": 1e3 * watch.cpu(),
                "disk MB": (_disk_bytes(case.store) - disk) / 1e6,
                "anonymous MB more": _anonymous_mb() - memory,
            }


def measure_crowd(case: SearchCase) -> Figures:
    """200 readers in a closed loop on this process' one core."""
    with closing(case.open_commit()) as snapshot:
        for pattern in case.patterns:
            _run_grep(snapshot, pattern)
        figures: Figures = {}
        for what, ask in (("grep tool", _run_grep), (f"first {FIRST} hits", _find_first)):
            found = anyio.run(_measure_crowd, snapshot, list(case.patterns), ask)
            figures |= {f"{what}: {name}": value for name, value in found.items()}
        return figures


async def _measure_crowd(
    snapshot: Snapshot, patterns: Sequence[str], ask: Callable[[Snapshot, str], object]
) -> Figures:
    threads = ThreadPool(4)  # those that an episode's tools run in
    lags: list[float] = []
    done = 0
    until = time.perf_counter() + _READ_S

    async def read(number: int) -> None:
        nonlocal done
        at = number
        while time.perf_counter() < until:
            await threads.run(partial(ask, snapshot, patterns[at % len(patterns)]))
            at += 1
            done += 1

    async def tick() -> None:
        while time.perf_counter() < until:
            began = time.perf_counter()
            await anyio.sleep(0.005)
            lags.append(time.perf_counter() - began - 0.005)

    before = time.process_time()
    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        for number in range(_READERS):
            group.start_soon(read, number)
    cpu = time.process_time() - before
    return {
        "greps a second": done / _READ_S,
        "cpu ms a grep": 1e3 * cpu / max(done, 1),
        "loop lag p50, ms": 1e3 * statistics.median(lags),
        "loop lag p99, ms": 1e3 * _percentile(lags, 99),
    }


PARTS: dict[str, Callable[[SearchCase], Figures]] = {
    "build": measure_build,
    "grep": measure_greps,
    "worst": measure_worst,
    "cold": measure_cold,
    "rank": measure_ranks,
    "names": measure_names,
    "read": measure_reads,
    "crowd": measure_crowd,
    "further": measure_further,
}


def _seeded_random(seed: int) -> random.Random:
    """The same choice each time."""
    return random.Random(seed)  # noqa: S311  # what to measure on, no secret


def _find_first(snapshot: Snapshot, source: str) -> list[tuple[str, int, str]]:
    """The first matching lines, with path and number, and nothing of the others."""
    pattern = LinePattern(source)
    rows: list[tuple[str, int, str]] = []
    for span in snapshot.index.find_spans(pattern.need):
        for found in pattern.find_texts(span):
            lines, path = span.lines_of(found.which), span.paths[found.which]
            numbered = lines.number_places(islice(found.matches, FIRST - len(rows)))
            rows += [(path, number + 1, lines[number]) for number, _ in numbered]
            if len(rows) == FIRST:
                return rows
    return rows


def _run_grep(snapshot: Snapshot, pattern: str) -> None:
    grep(snapshot, Grep.model_validate({"pattern": pattern}))


def _search_arguments(query: str) -> Search:
    return Search.model_validate({"query": query})


def _measure_latencies(what: str, calls: Sequence[Callable[[], object]], *, rounds: int) -> Figures:
    """Wall and processor time of single calls; with several rounds, after one that is not counted."""
    walls: list[float] = []
    cpus: list[float] = []
    for round_number in range(rounds + (rounds > 1)):
        for call in calls:
            began, used = time.perf_counter(), time.process_time()
            call()
            if round_number or rounds == 1:
                walls.append(1e3 * (time.perf_counter() - began))
                cpus.append(1e3 * (time.process_time() - used))
    return {
        f"{what} {name}, {clock} ms": value
        for clock, taken in (("wall", walls), ("cpu", cpus))
        for name, value in (("p50", statistics.median(taken)), ("p95", _percentile(taken, 95)), ("max", max(taken)))
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _list_code_files(snapshot: Snapshot) -> list[str]:
    return [entry.path for entry in snapshot.entries if entry.path.endswith(_CODE) and entry.size in _SIZES]


def _draw_names(snapshot: Snapshot) -> list[str]:
    chance = _seeded_random(7)
    files = _list_code_files(snapshot)
    found: list[str] = []
    for path in chance.sample(files, min(150, len(files))):
        some = sorted({one.name for one in code_of(snapshot, path).definitions if one.name.isidentifier()})
        if some:
            found.append(chance.choice(some))
    return found


def _draw_queries(snapshot: Snapshot) -> list[str]:
    """Comments' words, as people describe what they look for."""
    chance = _seeded_random(11)
    files = _list_code_files(snapshot)
    found: list[str] = []
    for path in chance.sample(files, min(400, len(files))):
        lines = [line.strip(" */#\t") for line in snapshot.text(path).lines if _COMMENT.match(line)]
        lines = [line for line in lines if sum(map(str.isalpha, line.split())) in _WORDS]
        if lines:
            found.append(chance.choice(lines))
    return found[:200]


@dataclass(slots=True)
class _Stopwatch:
    began: float
    used: float

    def __init__(self) -> None:
        self.began, self.used = time.perf_counter(), _cpu_seconds()

    def wall(self) -> float:
        return time.perf_counter() - self.began

    def cpu(self) -> float:
        """Of this process and of those it started."""
        return _cpu_seconds() - self.used


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _anonymous_mb() -> float:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else 0.0


def _disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _evict_from_memory(path: Path) -> None:
    """Have the system drop what it holds of a file in memory."""
    if path.is_file():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
