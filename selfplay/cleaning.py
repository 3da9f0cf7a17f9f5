"""Clean journals, or traces from elsewhere: every one by itself, then all of them side by side, then the files.

Nothing is written before all is decided, and the files of an earlier cleaning stay until then. What models answered
is kept as it arrives, so that a cleaning that was broken off asks nothing twice.
"""

import multiprocessing
import signal
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from selfplay.clean.across import DEFAULT_KEY_NAMES, AcrossSettings, Fault, across, faults_of_pairs
from selfplay.clean.assist import Assistants, Nobody, at_once
from selfplay.clean.candidate import Candidate, Unreadable
from selfplay.clean.codes import DropCode
from selfplay.clean.funnel import Count, Funnel, Spent
from selfplay.clean.pipeline import Cleaned, DroppedTrace, clean_trace
from selfplay.clean.place import CleanPlace
from selfplay.clean.settings import CleanSettings
from selfplay.config import KeyName
from selfplay.export.lint import lint_row
from selfplay.export.openai_chat import openai_row
from selfplay.export.place import move, workshop, write_lines
from selfplay.export.spool import Spool, open_spool
from selfplay.export.supervision import Supervision, supervision_of
from selfplay.export.trl import trl_row
from selfplay.foreign import Foreign, clean_foreign
from selfplay.imported import Imported, Unread, read_traces
from selfplay.journals import candidate_or_not, key_names_of
from selfplay.sample import CleanTrace, PreferencePair
from selfplay.sampling import gathered
from selfplay.trace import Stratum

Outcome = tuple[str, Cleaned | DroppedTrace]
"""An episode, and what came of it."""
Assisting = Callable[[Path, Candidate], AbstractAsyncContextManager[Assistants]]
"""Makes the assistants of an episode, given its journal."""


@asynccontextmanager
async def by_nobody(_journal: Path, _candidate: Candidate) -> AsyncGenerator[Assistants]:
    """No models."""
    yield Nobody()


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be cleaned, and how."""

    journals: Sequence[Path]
    """With `foreign`: files with traces from elsewhere."""
    settings: CleanSettings
    assisting: Assisting = by_nobody
    at_once: int = 1
    """Traces that are worked on at the same time, where models are asked."""
    processes: int = 1
    """Processes that share the traces, where no models are asked."""
    told: Callable[[], None] = lambda: None
    """Told of each file that has been looked at."""
    foreign: Foreign | None = None
    """How traces from elsewhere are cleaned; None for journals."""
    key_names: tuple[KeyName, ...] = ()
    """Further environment variables whose values must stand in no row, beside those that settings and journals name."""

    @property
    def across(self) -> AcrossSettings:
        """What is checked across traces, with every key that the episodes were played with."""
        settings = self.settings.across
        own = () if self.foreign else key_names_of(self.journals)
        names = dict.fromkeys((*settings.key_names, *DEFAULT_KEY_NAMES, *self.key_names, *own))
        return settings.model_copy(update={"key_names": tuple(names)})


async def clean_to(place: CleanPlace, work: Work, spent: Callable[[], Spent] = Spent, sources: str = "") -> Funnel:
    """Clean journals and put the outcome into a folder; returns what became of all of them.

    The same journals, settings and replies give the same bytes, in whatever order the replies come. Raises InputError
    for settings that can't be used, ExportError for a place that can't be written and for an episode that comes twice,
    and what the assistants raise; then the place stays as it was.
    """
    with workshop(place.folder) as folder, open_spool(folder / "spool") as spool:
        bench = _Bench(work, spool)
        await bench.clean()
        bench.compare()
        funnel = bench.counted().funnel(spent(), sources)
        funnel = funnel.model_copy(update={"is_imported": work.foreign is not None})
        write_lines(folder / place.traces.name, _in_order(spool, "trace"))
        write_lines(folder / place.pairs.name, _in_order(spool, "pairs"))
        write_lines(folder / place.dropped.name, spool.lines("dropped"))
        write_lines(folder / place.funnel.name, [_told_again(funnel).model_dump_json(indent=2).encode() + b"\n"])
        move(folder, place.results)
    return funnel


@dataclass(frozen=True, slots=True)
class _Slip:
    """What is remembered of a trace that may give a row, while the trace itself lies on disk."""

    task: str
    stratum: Stratum
    masked_turns: int
    turns: int
    hinted_turns: int
    pairs: int

    def rank(self, episode: str) -> tuple[bool, int, int, str]:
        """Lower is better: without hints, fewer turns that are not learned, fewer turns, then by name."""
        return self.stratum is not Stratum.UNHINTED, self.masked_turns, self.turns, episode


@dataclass(slots=True)
class _Bench:
    """Traces on their way: on disk in the spool, with a slip for each in memory."""

    work: Work
    spool: Spool
    slips: dict[str, _Slip] = field(default_factory=dict[str, "_Slip"])
    count: Count = field(default_factory=Count)

    async def clean(self) -> None:
        """Clean every trace by itself."""
        if self.work.processes > 1:
            for outcomes in _by_processes(self.work):
                self._enter_all(outcomes)
            return
        journals = iter(self.work.journals)

        async def worker() -> None:
            for journal in journals:
                found = _cleaned(journal, self.work.settings, self.work.assisting, self.work.foreign)
                async with aclosing(found) as outcomes:
                    async for outcome in outcomes:
                        self._enter(*outcome)
                self.work.told()

        await gathered([worker] * max(1, min(self.work.at_once, len(self.work.journals))))

    def _enter_all(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._enter(*outcome)
        self.work.told()

    def _enter(self, episode: str, outcome: Cleaned | DroppedTrace) -> None:
        self.spool.enter(episode)
        if isinstance(outcome, DroppedTrace):
            self._drop(outcome)
        else:
            self._keep(outcome)

    def _keep(self, cleaned: Cleaned) -> None:
        clean = cleaned.clean
        stratum = clean.stratum or Stratum.HINTED
        masked = len(clean.turns) - sum(clean.weights)
        slip = _Slip(clean.task, stratum, masked, len(clean.turns), cleaned.hinted_turns, len(cleaned.pairs))
        self.slips[clean.episode] = slip
        self.spool.put(f"trace {stratum}", clean.episode, _line(clean.model_dump_json()))
        pairs = b"".join(_line(pair.model_dump_json()) for pair in cleaned.pairs)
        self.spool.put(f"pairs {stratum}", clean.episode, pairs)

    def _drop(self, dropped: DroppedTrace) -> None:
        self.count.dropped[dropped.code] += 1
        self.spool.put("dropped", dropped.episode, _line(dropped.model_dump_json()))

    def _drop_kept(self, episode: str, code: DropCode, detail: str) -> None:
        slip = self.slips.pop(episode)
        self.spool.take_back(f"trace {slip.stratum}", episode)
        self.spool.take_back(f"pairs {slip.stratum}", episode)
        self._drop(DroppedTrace(episode=episode, task=slip.task, code=code, detail=detail))

    def compare(self) -> None:
        """Look across the traces: those without hints come first, so that they stay."""
        rejected = list(across(self._kept(), self.work.across))
        for each in rejected:
            self._drop_kept(each.episode, each.code, each.detail)
        self._check_pairs()
        for episode, kept in _surplus(self.slips, self.work.settings.per_task):
            detail = f"the task has {kept} better ones"
            self._drop_kept(episode, DropCode.SURPLUS, detail)

    def _check_pairs(self) -> None:
        """Take out the pairs whose rejected side must not stand in a row: no trace was checked for it."""
        if not any(slip.pairs for slip in self.slips.values()):
            return
        faults = faults_of_pairs(self._pairs(), self.work.across)
        bad: dict[str, list[tuple[Fault, ...]]] = {}
        for pair, found in zip(self._pairs(), faults, strict=True):
            bad.setdefault(pair.episode, []).append(found)
        for episode, of_each in bad.items():
            if any(of_each):
                self._take_out(episode, of_each)

    def _take_out(self, episode: str, faults: Sequence[tuple[Fault, ...]]) -> None:
        slip = self.slips[episode]
        lines = self.spool.lines_of(f"pairs {slip.stratum}", episode).splitlines(keepends=True)
        fit = [line for line, found in zip(lines, faults, strict=True) if not found]
        self.spool.take_back(f"pairs {slip.stratum}", episode)
        self.spool.put(f"pairs {slip.stratum}", episode, b"".join(fit))
        self.slips[episode] = replace(slip, pairs=len(fit))
        self.count.dropped_pairs.update(found[0].code for found in faults if found)

    def _pairs(self) -> Iterator[PreferencePair]:
        for lines in _in_order(self.spool, "pairs"):
            for line in lines.splitlines():
                yield PreferencePair.model_validate_json(line)

    def counted(self) -> Count:
        """The counts of all that is left and of all that is not."""
        for clean in self._kept():
            slip = self.slips[clean.episode]
            self.count.keep(clean, slip.hinted_turns, slip.pairs)
        return self.count

    def _kept(self) -> Iterator[CleanTrace]:
        return (CleanTrace.model_validate_json(line) for line in _in_order(self.spool, "trace"))


async def _cleaned(
    path: Path, settings: CleanSettings, assisting: Assisting, foreign: Foreign | None
) -> AsyncGenerator[Outcome]:
    """The episodes of a file, each with what of it is worth training on; a journal has one, other files any number."""
    if foreign is None:
        yield await _cleaned_journal(path, settings, assisting)
        return
    for found in read_traces(path):
        yield await _cleaned_import(found, foreign)


async def _cleaned_import(found: Imported | Unread, foreign: Foreign) -> Outcome:
    name = foreign.name(found.where)
    if isinstance(found, Unread):
        return name, DroppedTrace(episode=name, code=DropCode.UNREADABLE, detail=found.reason)
    outcome = await clean_foreign(found, foreign)
    return name, _linted(outcome, Supervision()) if isinstance(outcome, Cleaned) else outcome


async def _cleaned_journal(journal: Path, settings: CleanSettings, assisting: Assisting) -> Outcome:
    candidate = candidate_or_not(journal)
    if isinstance(candidate, Unreadable):
        name, detail = candidate.name, candidate.detail
        return name, DroppedTrace(episode=name, code=DropCode.UNREADABLE, detail=detail)
    async with assisting(journal, candidate) as assistants:
        outcome = await clean_trace(candidate, settings, assistants)
    if isinstance(outcome, Cleaned):
        outcome = _linted(outcome, supervision_of(candidate.trace, candidate.mark))
    return candidate.trace.episode, outcome


def _cleaned_offline(settings: CleanSettings, foreign: Foreign | None, path: Path) -> list[Outcome]:
    return at_once(_listed(_cleaned(path, settings, by_nobody, foreign)))


async def _listed(outcomes: AsyncGenerator[Outcome]) -> list[Outcome]:
    return [outcome async for outcome in outcomes]


def _by_processes(work: Work) -> Iterator[list[Outcome]]:
    """The same for every file, in order; an interruption is left to this process."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(work.processes, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield from pool.map(partial(_cleaned_offline, work.settings, work.foreign), work.journals, chunksize=16)
    finally:
        pool.shutdown(cancel_futures=True)


def _surplus(slips: dict[str, _Slip], per_task: int | None) -> list[tuple[str, int]]:
    """Episodes beyond so many of each task, the worst ones, each with how many are kept."""
    if per_task is None:
        return []
    tasks: dict[str, list[str]] = {}
    for episode in sorted(slips, key=lambda e: slips[e].rank(e)):
        tasks.setdefault(slips[episode].task, []).append(episode)
    return [(episode, per_task) for episodes in tasks.values() for episode in episodes[per_task:]]


def _linted(cleaned: Cleaned, supervision: Supervision) -> Cleaned | DroppedTrace:
    """The trace if an export in any format takes it and nothing in it shows that somebody helped."""
    clean = cleaned.clean
    problems = lint_row(openai_row(clean), "openai", weights=clean.weights, supervision=supervision) or lint_row(
        trl_row(clean), "trl", weights=clean.weights
    )
    if not problems:
        return cleaned
    told = "; ".join(f"{p.where}: {p.text}" for p in problems)
    return DroppedTrace(episode=clean.episode, task=clean.task, code=DropCode.LINT, detail=told)


def _in_order(spool: Spool, kind: str) -> Iterator[bytes]:
    for stratum in Stratum:
        yield from spool.lines(f"{kind} {stratum}")


def _told_again(funnel: Funnel) -> Funnel:
    """The funnel without what only this run did, so that the same cleaning again writes the same."""
    spent = funnel.spent.model_copy(update={"asked": 0, "found": 0})
    return funnel.model_copy(update={"spent": spent})


def _line(text: str) -> bytes:
    return text.encode() + b"\n"
