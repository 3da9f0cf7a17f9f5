"""Clean journals, or traces from elsewhere: every one by itself, then all of them side by side, then the files.

Nothing is written before all is decided, and the files of an earlier cleaning stay until then. What models answered
is stored as it arrives, so that a cleaning that was broken off asks nothing twice.
"""

import multiprocessing
import signal
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from selfplay.clean.across import DEFAULT_KEY_NAMES, AcrossSettings, RowFault, find_pair_faults, reject_traces
from selfplay.clean.assistants.protocol import Assistants, NoAssistants, run_without_waiting
from selfplay.clean.folder import CleanFolder
from selfplay.clean.funnel import CleaningFunnel, CleaningSpending, FunnelCount
from selfplay.clean.importing import ImportedTrace, UnreadDocument, read_traces
from selfplay.clean.importing.clean_imported import ImportOptions, clean_imported
from selfplay.clean.journals import CleaningCandidate, UnreadableJournal, key_names_of, read_candidate_or_reason
from selfplay.clean.pipeline import CleanedTrace, clean_trace
from selfplay.clean.settings import CleanSettings
from selfplay.config import KeyName
from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.files import open_scratch_folder, write_together
from selfplay.core.threads import gather_results
from selfplay.core.trace import Stratum
from selfplay.export.formats import FORMATS
from selfplay.export.lint import Supervision, supervision_of
from selfplay.export.row_models import describe_problems
from selfplay.export.spool import Spool, open_spool

Outcome = tuple[str, CleanedTrace | DroppedTrace]
"""An episode, and what came of it."""
OpenAssistants = Callable[[Path, CleaningCandidate], AbstractAsyncContextManager[Assistants]]
"""Makes the assistants of an episode, given its journal."""


@asynccontextmanager
async def open_no_assistants(_journal: Path, _candidate: CleaningCandidate) -> AsyncGenerator[Assistants]:
    """No models."""
    yield NoAssistants()


@dataclass(frozen=True, slots=True)
class CleaningWork:
    """What is to be cleaned, and how."""

    journals: Sequence[Path]
    """With `import_options`: files with traces from elsewhere."""
    settings: CleanSettings
    open_assistants: OpenAssistants = open_no_assistants
    at_once: int = 1
    """Traces that are worked on at the same time, where models are asked."""
    processes: int = 1
    """Processes that share the traces, where no models are asked."""
    notify: Callable[[], None] = lambda: None
    """Called after each file."""
    import_options: ImportOptions | None = None
    """How traces from elsewhere are cleaned; None for journals."""
    key_names: tuple[KeyName, ...] = ()
    """Further environment variables whose values must stand in no row, beside those that settings and journals name."""

    @property
    def across(self) -> AcrossSettings:
        """What is checked across traces, with every key that the episodes were played with."""
        settings = self.settings.across
        own = () if self.import_options else key_names_of(self.journals)
        names = dict.fromkeys((*settings.key_names, *DEFAULT_KEY_NAMES, *self.key_names, *own))
        return settings.model_copy(update={"key_names": tuple(names)})


async def clean_to(
    place: CleanFolder, work: CleaningWork, spent: Callable[[], CleaningSpending] = CleaningSpending, sources: str = ""
) -> CleaningFunnel:
    """Clean journals and put the outcome into a folder; returns what became of all of them.

    The same journals, settings and replies give the same bytes, in whatever order the replies come. Raises InputError
    for settings that can't be used, StorageError for a place that can't be written, ExportError for an episode that
    comes twice, and what the assistants raise; then the place stays as it was.
    """
    with open_scratch_folder(place.path) as folder, open_spool(folder / "spool") as spool:
        run = _CleaningRun(work, spool)
        await run.clean_each()
        run.compare_all()
        funnel = run.count_kept().to_funnel(spent(), sources)
        funnel = funnel.model_copy(update={"is_imported": work.import_options is not None})
        contents = (
            _read_in_order(spool, "trace"),
            _read_in_order(spool, "pairs"),
            spool.lines("dropped"),
            [_encode_line(_without_run_counts(funnel).model_dump_json(indent=2))],
        )
        write_together(folder, list(zip(place.results, contents, strict=True)))
    return funnel


@dataclass(frozen=True, slots=True)
class _KeptTrace:
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
class _CleaningRun:
    """Traces while they are cleaned: on disk in the spool, with a short record of each in memory."""

    work: CleaningWork
    spool: Spool
    kept: dict[str, _KeptTrace] = field(default_factory=dict[str, "_KeptTrace"])
    count: FunnelCount = field(default_factory=FunnelCount)

    async def clean_each(self) -> None:
        """Clean every trace by itself."""
        if self.work.processes > 1:
            for outcomes in _clean_in_processes(self.work):
                self._add_outcomes(outcomes)
            return
        journals = iter(self.work.journals)

        async def worker() -> None:
            for journal in journals:
                found = _clean_file(journal, self.work.settings, self.work.open_assistants, self.work.import_options)
                async with aclosing(found) as outcomes:
                    async for outcome in outcomes:
                        self._add_outcome(*outcome)
                self.work.notify()

        await gather_results([worker] * max(1, min(self.work.at_once, len(self.work.journals))))

    def _add_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._add_outcome(*outcome)
        self.work.notify()

    def _add_outcome(self, episode: str, outcome: CleanedTrace | DroppedTrace) -> None:
        self.spool.register(episode)
        if isinstance(outcome, DroppedTrace):
            self._drop(outcome)
        else:
            self._keep(outcome)

    def _keep(self, cleaned: CleanedTrace) -> None:
        clean = cleaned.clean
        stratum = clean.stratum or Stratum.HINTED
        masked = len(clean.turns) - sum(clean.weights)
        kept = _KeptTrace(clean.task, stratum, masked, len(clean.turns), cleaned.hinted_turns, len(cleaned.pairs))
        self.kept[clean.episode] = kept
        self.spool.put(f"trace {stratum}", clean.episode, _encode_line(clean.model_dump_json()))
        pairs = b"".join(_encode_line(pair.model_dump_json()) for pair in cleaned.pairs)
        self.spool.put(f"pairs {stratum}", clean.episode, pairs)

    def _drop(self, dropped: DroppedTrace) -> None:
        self.count.dropped[dropped.code] += 1
        self.spool.put("dropped", dropped.episode, _encode_line(dropped.model_dump_json()))

    def _drop_kept(self, episode: str, code: DropCode, detail: str) -> None:
        kept = self.kept.pop(episode)
        self.spool.remove(f"trace {kept.stratum}", episode)
        self.spool.remove(f"pairs {kept.stratum}", episode)
        self._drop(DroppedTrace(episode=episode, task=kept.task, code=code, detail=detail))

    def compare_all(self) -> None:
        """Check across the traces: those without hints come first, so that they stay."""
        rejected = list(reject_traces(self._read_kept(), self.work.across))
        for each in rejected:
            self._drop_kept(each.episode, each.code, each.detail)
        self._check_pairs()
        for episode, kept in _find_surplus(self.kept, self.work.settings.per_task):
            detail = f"the task has {kept} better ones"
            self._drop_kept(episode, DropCode.SURPLUS, detail)

    def _check_pairs(self) -> None:
        """Take out the pairs whose rejected side must not stand in a row; the checks of traces did not see it."""
        if not any(kept.pairs for kept in self.kept.values()):
            return
        faults = find_pair_faults(self._read_pairs(), self.work.across)
        bad: dict[str, list[tuple[RowFault, ...]]] = {}
        for pair, found in zip(self._read_pairs(), faults, strict=True):
            bad.setdefault(pair.episode, []).append(found)
        for episode, of_each in bad.items():
            if any(of_each):
                self._remove_faulty_pairs(episode, of_each)

    def _remove_faulty_pairs(self, episode: str, faults: Sequence[tuple[RowFault, ...]]) -> None:
        kept = self.kept[episode]
        lines = self.spool.lines_of(f"pairs {kept.stratum}", episode).splitlines(keepends=True)
        fit = [line for line, found in zip(lines, faults, strict=True) if not found]
        self.spool.remove(f"pairs {kept.stratum}", episode)
        self.spool.put(f"pairs {kept.stratum}", episode, b"".join(fit))
        self.kept[episode] = replace(kept, pairs=len(fit))
        self.count.dropped_pairs.update(found[0].code for found in faults if found)

    def _read_pairs(self) -> Iterator[PreferencePair]:
        for lines in _read_in_order(self.spool, "pairs"):
            for line in lines.splitlines():
                yield PreferencePair.model_validate_json(line)

    def count_kept(self) -> FunnelCount:
        """The counts of all that is left and of all that is not."""
        for clean in self._read_kept():
            kept = self.kept[clean.episode]
            self.count.keep(clean, kept.hinted_turns, kept.pairs)
        return self.count

    def _read_kept(self) -> Iterator[CleanTrace]:
        return (CleanTrace.model_validate_json(line) for line in _read_in_order(self.spool, "trace"))


async def _clean_file(
    path: Path, settings: CleanSettings, open_assistants: OpenAssistants, import_options: ImportOptions | None
) -> AsyncGenerator[Outcome]:
    """The episodes of a file, each with what of it is worth training on; a journal has one, other files any number."""
    if import_options is None:
        yield await _clean_journal(path, settings, open_assistants)
        return
    for found in read_traces(path):
        yield await _clean_import(found, import_options)


async def _clean_import(found: ImportedTrace | UnreadDocument, import_options: ImportOptions) -> Outcome:
    name = import_options.short_name_of(found.where)
    if isinstance(found, UnreadDocument):
        return name, DroppedTrace(episode=name, code=DropCode.UNREADABLE, detail=found.reason)
    outcome = await clean_imported(found, import_options)
    return name, _lint_cleaned(outcome, Supervision()) if isinstance(outcome, CleanedTrace) else outcome


async def _clean_journal(journal: Path, settings: CleanSettings, open_assistants: OpenAssistants) -> Outcome:
    candidate = read_candidate_or_reason(journal)
    if isinstance(candidate, UnreadableJournal):
        name, detail = candidate.name, candidate.detail
        return name, DroppedTrace(episode=name, code=DropCode.UNREADABLE, detail=detail)
    async with open_assistants(journal, candidate) as assistants:
        outcome = await clean_trace(candidate, settings, assistants)
    if isinstance(outcome, CleanedTrace):
        outcome = _lint_cleaned(outcome, supervision_of(candidate.trace, candidate.mark))
    return candidate.trace.episode, outcome


def _clean_file_offline(settings: CleanSettings, import_options: ImportOptions | None, path: Path) -> list[Outcome]:
    return run_without_waiting(_collect(_clean_file(path, settings, open_no_assistants, import_options)))


async def _collect(outcomes: AsyncGenerator[Outcome]) -> list[Outcome]:
    return [outcome async for outcome in outcomes]


def _clean_in_processes(work: CleaningWork) -> Iterator[list[Outcome]]:
    """The same for every file, in order; an interruption is left to this process."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(work.processes, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield from pool.map(
            partial(_clean_file_offline, work.settings, work.import_options), work.journals, chunksize=16
        )
    finally:
        pool.shutdown(cancel_futures=True)


def _find_surplus(kept: dict[str, _KeptTrace], per_task: int | None) -> list[tuple[str, int]]:
    """Episodes beyond so many of each task, the worst ones, each with how many are kept."""
    if per_task is None:
        return []
    tasks: dict[str, list[str]] = {}
    for episode in sorted(kept, key=lambda e: kept[e].rank(e)):
        tasks.setdefault(kept[episode].task, []).append(episode)
    return [(episode, per_task) for episodes in tasks.values() for episode in episodes[per_task:]]


def _lint_cleaned(cleaned: CleanedTrace, supervision: Supervision) -> CleanedTrace | DroppedTrace:
    """The trace if every format that comes along takes it, and no row of it shows that somebody helped."""
    clean = cleaned.clean
    for each in FORMATS.values():
        if problems := each.lint(each.make_row(clean), weights=clean.weights, supervision=supervision):
            detail = describe_problems(problems)
            return DroppedTrace(episode=clean.episode, task=clean.task, code=DropCode.LINT, detail=detail)
    return cleaned


def _read_in_order(spool: Spool, kind: str) -> Iterator[bytes]:
    for stratum in Stratum:
        yield from spool.lines(f"{kind} {stratum}")


def _without_run_counts(funnel: CleaningFunnel) -> CleaningFunnel:
    """The funnel without what only this run did, so that the same cleaning again writes the same."""
    spent = funnel.spent.model_copy(update={"asked": 0, "found": 0})
    return funnel.model_copy(update={"spent": spent})


def _encode_line(text: str) -> bytes:
    return text.encode() + b"\n"
