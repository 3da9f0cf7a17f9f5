"""The engine as a library: play, read, clean and export from Python. `import selfplay` gives these names.

Coroutines run under asyncio, as in a notebook, and under trio; the engine itself lives in an asyncio loop, which is one
of a thread's own where the caller has another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel
import sniffio
from anyio import to_thread

from selfplay.batch.run import RunSession
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import RunOrder, carry_out
from selfplay.clean.folder import CLEAN_FOLDER_NAME, CleanFolder
from selfplay.clean.funnel import CleaningFunnel
from selfplay.clean.journals import journals_in
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings
from selfplay.config import RunConfig, SeatConfig
from selfplay.core.errors import InputError
from selfplay.core.task import FIND_FILES, Answer, Brief, Goal, Target, Task
from selfplay.core.task_rows import read_tasks as read_task_rows
from selfplay.core.trace import Trace
from selfplay.environments.environment import EnvironmentKind
from selfplay.environments.registry import register_kind
from selfplay.episode.model_kinds import model_from_config
from selfplay.episode.play import PlayedEpisode, open_setup, play_task
from selfplay.episode.seats import open_seat_models
from selfplay.export.export_format import ExportFormat
from selfplay.export.formats import find_format
from selfplay.export.write_rows import ExportSummary, write_rows
from selfplay.journal.events import Seat
from selfplay.journal.journal import EventWatcher
from selfplay.journal.replay import read_trace
from selfplay.models.protocol import Model
from selfplay.repos.repositories import Repositories
from selfplay_tools.tools.tool import AnyTool

T = TypeVar("T")

DEFAULT_CONFIG = RunConfig()


def make_task(
    prompt: str,
    *,
    targets: Sequence[str | Target] = (),
    goals: Sequence[Goal] = (),
    repo: str | Path = "",
    commit: str = "HEAD",
    environment: str = FIND_FILES,
    id: str = "task",  # noqa: A002  the key of a task file
) -> Task:
    """A task: `targets` are paths in a repository, `PATH` or `Target` objects; `goals` are those of other environments.

    Raises pydantic.ValidationError for what can be no task.
    """
    parts = tuple(Target(path=one) if isinstance(one, str) else one for one in targets)
    brief = Brief(id=id, environment=environment, repo=str(repo), commit=commit if repo else "", prompt=prompt)
    return Task(brief=brief, answer=Answer(targets=parts, goals=tuple(goals)))


async def play(
    task: Task,
    config: RunConfig = DEFAULT_CONFIG,
    *,
    out: Path | str = "traces",
    repos: Path | str = "repos",
    models: Mapping[str, Model] | None = None,
    tools: Sequence[AnyTool] | None = None,
    environment: EnvironmentKind | None = None,
    watch: EventWatcher | None = None,
) -> tuple[PlayedEpisode, ...]:
    """Play one task as its hint policy says; episodes whose journals lie in `out` are resumed, or read if they ended.

    `models` fills seats (`player`, `supervisor`, `judge`) with objects instead of what `config` names; they are closed
    at the end. `tools` are offered instead of the configured ones. `environment` is a kind of one's own, whose name the
    task has. `watch` is called with every event of the journal. Several episodes come back for the policy `after_miss`.

    Raises ConfigError, TaskError, RepositoryError, ModelError and JournalError; all are SelfplayError.
    """
    if environment is not None:
        register_kind(environment)
    given = dict(models or {})
    repositories = Repositories(Path(repos), hidden=(Path(out),))

    def make_model(seat: Seat, seat_config: SeatConfig) -> Model:
        return given[seat] if seat in given else model_from_config(seat, seat_config)

    async def play_here() -> tuple[PlayedEpisode, ...]:
        async with (
            open_seat_models(config, make_model) as seats,
            open_setup(task, config, repositories, tools=tools) as setup,
        ):
            return await play_task(setup, seats, Path(out), watch)

    return await _on_asyncio(play_here)


async def play_many(
    tasks: Sequence[Task],
    config: RunConfig = DEFAULT_CONFIG,
    *,
    out: Path | str,
    repos: Path | str = "repos",
    settings: BatchSettings | None = None,
) -> RunSession:
    """Play many tasks into a run's folder, as `selfplay batch` does: within limits and budget; call it again to resume.

    Raises ConfigError, RunError and StorageError before anything is played; what goes wrong in one episode stays in it.
    """
    named = [(f"task {number}", task) for number, task in enumerate(tasks, 1)]
    order = RunOrder(named, RunFolder(Path(out)), config, settings or BatchSettings(), Path(repos))
    return await _on_asyncio(partial(carry_out, order, heeds_signals=False))


def read_tasks(path: Path | str) -> list[Task]:
    """The tasks of a task file. Raises InputError for the first line that is none, and for an id that stands twice."""
    return [task for _, task in read_task_rows(Path(path))]


def read_traces(place: Path | str) -> Iterator[Trace]:
    """The trace of each journal in a folder and below, or of one journal. Raises InputError, JournalError."""
    for journal in journals_in(Path(place)):
        yield read_trace(journal)


async def clean_traces(
    place: Path | str, settings: CleanSettings | None = None, *, out: Path | str | None = None
) -> CleaningFunnel:
    """Clean all journals of a folder, without asking models, into `out` (by default `PLACE/clean`).

    Returns what became of them. `open_clean` opens the outcome. Raises InputError, ConfigError, ExportError.
    """
    folder = CleanFolder(Path(out) if out is not None else Path(place) / CLEAN_FOLDER_NAME)
    work = CleaningWork(journals_in(Path(place)), settings or CleanSettings())
    return await _on_asyncio(partial(clean_to, folder, work))


def open_clean(place: Path | str) -> CleanFolder:
    """What `clean_traces` made of a folder of journals: traces, pairs, funnel. Raises InputError if it made nothing."""
    for folder in (CleanFolder(Path(place)), CleanFolder(Path(place) / CLEAN_FOLDER_NAME)):
        if folder.is_complete:
            return folder
    raise InputError(f"{place}: no clean traces there; call clean_traces({str(place)!r}) first")


def export_rows(place: Path | str, out: Path | str, row_format: str | ExportFormat = "trl") -> ExportSummary:
    """Write the rows of clean traces, and their contract, into a folder or a `.jsonl` file.

    `row_format` is a format's name, `package.module:object`, or an object. Raises InputError, ConfigError, ExportError,
    NothingToExport.
    """
    chosen = find_format(row_format) if isinstance(row_format, str) else row_format
    return write_rows(open_clean(place).read_outcomes(), Path(out), chosen)


async def _on_asyncio(work: Callable[[], Awaitable[T]]) -> T:
    """Await the work here under asyncio, elsewhere in a thread with a loop of its own; cancelled when the caller is."""
    if sniffio.current_async_library() == "asyncio":
        return await work()
    loop = _OwnLoop(work)
    async with anyio.create_task_group() as group:
        group.start_soon(loop.cancel_with_caller)
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(loop.run)
        group.cancel_scope.cancel()
    await anyio.lowlevel.checkpoint()
    return loop.result()


class _OwnLoop(Generic[T]):
    """An asyncio loop of a thread, with one piece of work in it."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._results: list[T] = []
        self._errors: list[Exception] = []
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False

    def run(self) -> None:
        """Do the work. Blocking; what it returns or raises is kept for `result`."""
        asyncio.run(self._keep_outcome())

    async def _keep_outcome(self) -> None:
        self._task = asyncio.current_task()
        if self._is_cancelled:
            return
        try:
            self._results.append(await self._work())
        except Exception as error:  # noqa: BLE001  raised by `result`, outside of any group
            self._errors.append(error)
        except asyncio.CancelledError:
            pass  # the caller was cancelled: nobody waits for a result

    async def cancel_with_caller(self) -> None:
        """Wait to be cancelled, and cancel the work then."""
        try:
            await anyio.sleep_forever()
        finally:
            self._is_cancelled = True
            if self._task is not None and not self._task.done():
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def result(self) -> T:
        """What the work returned. Raises what it raised."""
        if self._errors:
            raise self._errors[0]
        return self._results[0]
