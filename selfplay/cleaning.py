"""Clean a folder of journals: every trace by itself, then all of them side by side, then the files.

Nothing is written before all is decided, and the files of an earlier cleaning stay until then. What models answered
is kept as it arrives, so that a cleaning that was broken off asks nothing twice.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selfplay.clean.across import across
from selfplay.clean.assist import Assistants, Nobody
from selfplay.clean.candidate import Candidate, Unreadable
from selfplay.clean.codes import DropCode
from selfplay.clean.funnel import Count, Funnel, Spent
from selfplay.clean.pipeline import Cleaned, DroppedTrace, clean_trace
from selfplay.clean.place import CleanPlace
from selfplay.clean.settings import CleanSettings
from selfplay.export.lint import lint_row
from selfplay.export.openai_chat import openai_row
from selfplay.export.place import move, workshop, write_lines
from selfplay.export.spool import Spool, open_spool
from selfplay.export.supervision import supervision_of
from selfplay.journals import candidate_or_not
from selfplay.sample import CleanTrace
from selfplay.sampling import gathered
from selfplay.trace import Stratum

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
    settings: CleanSettings
    assisting: Assisting = by_nobody
    at_once: int = 1
    """Traces that are worked on at the same time: more only helps where models are asked."""
    told: Callable[[], None] = lambda: None
    """Told of each trace that has been looked at."""


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
        write_lines(folder / place.traces.name, _in_order(spool, "trace"))
        write_lines(folder / place.pairs.name, _in_order(spool, "pairs"))
        write_lines(folder / place.dropped.name, spool.lines("dropped"))
        write_lines(folder / place.funnel.name, [funnel.model_dump_json(indent=2).encode() + b"\n"])
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
        journals = iter(self.work.journals)

        async def worker() -> None:
            for journal in journals:
                await self._clean_one(journal)
                self.work.told()

        await gathered([worker] * max(1, min(self.work.at_once, len(self.work.journals))))

    async def _clean_one(self, journal: Path) -> None:
        candidate = candidate_or_not(journal)
        if isinstance(candidate, Unreadable):
            self.spool.enter(candidate.name)
            self._drop(DroppedTrace(episode=candidate.name, code=DropCode.UNREADABLE, detail=candidate.detail))
            return
        self.spool.enter(candidate.trace.episode)
        async with self.work.assisting(journal, candidate) as assistants:
            outcome = await clean_trace(candidate, self.work.settings, assistants)
        if isinstance(outcome, Cleaned):
            outcome = _linted(candidate, outcome)
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
        rejected = list(across(self._kept(), self.work.settings.across))
        for each in rejected:
            self._drop_kept(each.episode, each.code, each.detail)
        for episode, kept in _surplus(self.slips, self.work.settings.per_task):
            detail = f"the task has {kept} better ones"
            self._drop_kept(episode, DropCode.SURPLUS, detail)

    def counted(self) -> Count:
        """The counts of all that is left and of all that is not."""
        for clean in self._kept():
            slip = self.slips[clean.episode]
            self.count.keep(clean, slip.hinted_turns, slip.pairs)
        return self.count

    def _kept(self) -> Iterator[CleanTrace]:
        return (CleanTrace.model_validate_json(line) for line in _in_order(self.spool, "trace"))


def _surplus(slips: dict[str, _Slip], per_task: int | None) -> list[tuple[str, int]]:
    """Episodes beyond so many of each task, the worst ones, each with how many are kept."""
    if per_task is None:
        return []
    tasks: dict[str, list[str]] = {}
    for episode in sorted(slips, key=lambda e: slips[e].rank(e)):
        tasks.setdefault(slips[episode].task, []).append(episode)
    return [(episode, per_task) for episodes in tasks.values() for episode in episodes[per_task:]]


def _linted(candidate: Candidate, cleaned: Cleaned) -> Cleaned | DroppedTrace:
    """The trace if a trainer would take it and nothing in it shows that somebody helped."""
    clean = cleaned.clean
    supervision = supervision_of(candidate.trace, candidate.mark)
    problems = lint_row(openai_row(clean), "openai", weights=clean.weights, supervision=supervision)
    if not problems:
        return cleaned
    told = "; ".join(f"{p.where}: {p.text}" for p in problems)
    return DroppedTrace(episode=clean.episode, task=clean.task, code=DropCode.LINT, detail=told)


def _in_order(spool: Spool, kind: str) -> Iterator[bytes]:
    for stratum in Stratum:
        yield from spool.lines(f"{kind} {stratum}")


def _line(text: str) -> bytes:
    return text.encode() + b"\n"
