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

from selfplay.threads import Threads
from selfplay_tools.code import code_of
from selfplay_tools.commit import CommitSnapshot
from selfplay_tools.grepping import Grep, grep
from selfplay_tools.patterns import Pattern
from selfplay_tools.reading import ReadFile, read_file
from selfplay_tools.references import FindReferences, find_references
from selfplay_tools.searching import Search, search
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.store.library import library_at
from selfplay_tools.symbols import FindSymbol, find_symbol

Figures = dict[str, float]
_CODE = (".c", ".h", ".py", ".go", ".rs", ".js", ".ts", ".java", ".cc", ".cpp", ".rb")
FIRST = 50
_READERS, _READ_S = 200, 10.0
_COMMENT = re.compile(r"\s*(\*|#|//|/\*)\s*[A-Z]")
_SIZES = range(2_000, 500_000)
_WORDS = range(3, 13)


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured on."""

    git_dir: Path
    store: Path
    commit: str
    following: str
    patterns: Sequence[str]

    def opened(self, commit: str | None = None) -> CommitSnapshot:
        """The commit over the store."""
        return CommitSnapshot(self.git_dir, commit or self.commit, store=self.store)


def build(case: Case) -> Figures:
    """From a clone with nothing stored: the first answer, usable signatures, everything."""
    shutil.rmtree(case.store, ignore_errors=True)
    figures: Figures = {}
    watch = _Watch()
    with closing(case.opened()) as snapshot:
        _asked(snapshot, case.patterns[0])
        figures["first answer, wall s"] = watch.wall()
        library = library_at(case.git_dir.absolute(), case.store.absolute())
        library.settle()
        figures["all indexed meanwhile, wall s"] = watch.wall()
    shutil.rmtree(case.store)
    del library, snapshot
    oids = _oids(case)
    watch = _Watch()
    library = library_at(case.git_dir.absolute(), case.store.absolute())
    library.add(oids)
    figures["signatures, wall s"], figures["signatures, cpu s"] = watch.wall(), watch.cpu()
    library.finish(oids)
    figures["all, wall s"], figures["all, cpu s"] = watch.wall(), watch.cpu()
    source = sum(len(segment.text) for segment in library.store.segments)
    figures["source MB"] = source / 1e6
    figures["index, % of source"] = 100 * (library.store.size - source) / source
    figures["peak RSS MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _oids(case: Case) -> list[str]:
    with closing(CommitSnapshot(case.git_dir, case.commit)) as snapshot:
        return [entry.oid for entry in snapshot.entries if entry.kind == "file" and entry.size <= 2 << 20]


def greps(case: Case) -> Figures:
    """The first 50 hits of each pattern, alone and counted on as the tool does."""
    with closing(case.opened()) as snapshot:
        firsts = [lambda pattern=pattern: _first(snapshot, pattern) for pattern in case.patterns]
        figures = _latencies("first 50 hits", firsts, rounds=7)
        before = time.process_time()
        for first in firsts:
            first()
        figures["first 50 hits cpu s, all patterns once"] = time.process_time() - before
        calls = [lambda pattern=pattern: _asked(snapshot, pattern) for pattern in case.patterns]
        figures |= _latencies("grep", calls, rounds=7)
        before = time.process_time()
        for call in calls:
            call()
        figures["grep cpu s, all patterns once"] = time.process_time() - before
        figures["anonymous MB after"] = _anonymous_mb()
    return figures


def worst(case: Case) -> Figures:
    """A pattern without a literal that hardly matches: everything is read."""
    with closing(case.opened()) as snapshot:
        return _latencies("worst regex", [lambda: _asked(snapshot, "[A-Z]{5}_[A-Z]{7}_[0-9]{7}")], rounds=3)


def cold(case: Case) -> Figures:
    """The first query of a process, with nothing of the index in memory."""
    with closing(case.opened()) as snapshot:
        for path in case.store.iterdir():
            _forget(path)
        began = time.perf_counter()
        _asked(snapshot, case.patterns[0])
        return {"cold first grep, ms": 1e3 * (time.perf_counter() - began)}


def ranks(case: Case) -> Figures:
    """The best 20 of queries made of words of the tree."""
    with closing(case.opened()) as snapshot:
        queries = _queries(snapshot)
        began = time.perf_counter()
        snapshot.index.rank(queries[0].split(), 20)
        figures = {"first rank of a commit, ms": 1e3 * (time.perf_counter() - began)}
        figures |= _latencies("rank", [lambda q=query: snapshot.index.rank([q], 20) for query in queries], rounds=3)
        figures |= _latencies(
            "search tool", [lambda q=query: search(snapshot, _search(q)) for query in queries], rounds=1
        )
        figures["anonymous MB after"] = _anonymous_mb()
    return figures


def names(case: Case) -> Figures:
    """Definitions of names when nothing is known of them, again, and their references."""
    with closing(case.opened()) as snapshot:
        some = _names(snapshot)
    with closing(case.opened()) as snapshot:
        symbols = [lambda n=name: find_symbol(snapshot, FindSymbol.model_validate({"name": n})) for name in some]
        uses = [
            lambda n=name: find_references(snapshot, FindReferences.model_validate({"name": n, "limit": 100}))
            for name in some
        ]
        return (
            _latencies("definition", symbols, rounds=1)
            | _latencies("definition again", symbols, rounds=1)
            | _latencies("references", uses, rounds=1)
            | _latencies("references again", uses, rounds=1)
        )


def reads(case: Case) -> Figures:
    """200 lines of some file."""
    with closing(case.opened()) as snapshot:
        paths = _chance(3).sample(_code_files(snapshot), 300)
        asked = [ReadFile.model_validate({"path": path, "start": 1, "count": 200}) for path in paths]
        calls = [lambda one=one: read_file(snapshot, one) for one in asked]
        texts = [lambda p=path: snapshot.source(p).text(0)[100:300] for path in paths]
        return _latencies("200 lines", texts, rounds=3) | _latencies("read_file tool", calls, rounds=3)


def further(case: Case) -> Figures:
    """Another commit of the same repository, of which a few files differ."""
    with closing(case.opened()) as snapshot:
        _asked(snapshot, case.patterns[0])
        disk, memory = _disk(case.store), _anonymous_mb()
        watch = _Watch()
        with closing(case.opened(case.following)) as other:
            opened, used = watch.wall(), watch.cpu()
            watch = _Watch()
            _asked(other, case.patterns[0])
            return {
                "further commit opened, wall ms": 1e3 * opened,
                "further commit opened, cpu ms": 1e3 * used,
                "and first grep, wall ms": 1e3 * watch.wall(),
                "and first grep, cpu ms": 1e3 * watch.cpu(),
                "disk MB": (_disk(case.store) - disk) / 1e6,
                "anonymous MB more": _anonymous_mb() - memory,
            }


def crowd(case: Case) -> Figures:
    """200 readers in a closed loop on this process' one core."""
    with closing(case.opened()) as snapshot:
        for pattern in case.patterns:
            _asked(snapshot, pattern)
        figures: Figures = {}
        for what, ask in (("grep tool", _asked), (f"first {FIRST} hits", _first)):
            found = anyio.run(_crowd, snapshot, list(case.patterns), ask)
            figures |= {f"{what}: {name}": value for name, value in found.items()}
        return figures


async def _crowd(snapshot: Snapshot, patterns: Sequence[str], ask: Callable[[Snapshot, str], object]) -> Figures:
    threads = Threads(4)  # those that an episode's tools run in
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


PARTS: dict[str, Callable[[Case], Figures]] = {
    "build": build,
    "grep": greps,
    "worst": worst,
    "cold": cold,
    "rank": ranks,
    "names": names,
    "read": reads,
    "crowd": crowd,
    "further": further,
}


def _chance(seed: int) -> random.Random:
    """The same choice each time."""
    return random.Random(seed)  # noqa: S311  # what to measure on, no secret


def _first(snapshot: Snapshot, source: str) -> list[tuple[str, int, str]]:
    """The first matching lines, with path and number, and nothing of the others."""
    pattern = Pattern(source)
    rows: list[tuple[str, int, str]] = []
    for span in snapshot.index.spans(pattern.need):
        for found in pattern.hits(span):
            lines, path = span.text(found.which), span.paths[found.which]
            numbered = lines.numbered(islice(found.matches, FIRST - len(rows)))
            rows += [(path, number + 1, lines[number]) for number, _ in numbered]
            if len(rows) == FIRST:
                return rows
    return rows


def _asked(snapshot: Snapshot, pattern: str) -> None:
    grep(snapshot, Grep.model_validate({"pattern": pattern}))


def _search(query: str) -> Search:
    return Search.model_validate({"query": query})


def _latencies(what: str, calls: Sequence[Callable[[], object]], *, rounds: int) -> Figures:
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


def _code_files(snapshot: Snapshot) -> list[str]:
    return [entry.path for entry in snapshot.entries if entry.path.endswith(_CODE) and entry.size in _SIZES]


def _names(snapshot: Snapshot) -> list[str]:
    chance = _chance(7)
    files = _code_files(snapshot)
    found: list[str] = []
    for path in chance.sample(files, min(150, len(files))):
        some = sorted({one.name for one in code_of(snapshot, path).definitions if one.name.isidentifier()})
        if some:
            found.append(chance.choice(some))
    return found


def _queries(snapshot: Snapshot) -> list[str]:
    """Comments' words, as people describe what they look for."""
    chance = _chance(11)
    files = _code_files(snapshot)
    found: list[str] = []
    for path in chance.sample(files, min(400, len(files))):
        lines = [line.strip(" */#\t") for line in snapshot.text(path).lines if _COMMENT.match(line)]
        lines = [line for line in lines if sum(map(str.isalpha, line.split())) in _WORDS]
        if lines:
            found.append(chance.choice(lines))
    return found[:200]


@dataclass(slots=True)
class _Watch:
    began: float
    used: float

    def __init__(self) -> None:
        self.began, self.used = time.perf_counter(), _cpu()

    def wall(self) -> float:
        return time.perf_counter() - self.began

    def cpu(self) -> float:
        """Of this process and of those it started."""
        return _cpu() - self.used


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _anonymous_mb() -> float:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else 0.0


def _disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _forget(path: Path) -> None:
    """Have the system drop what it holds of a file in memory."""
    if path.is_file():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
