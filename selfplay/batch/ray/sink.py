"""Where a run's traces are kept that no common disk holds: any filesystem that fsspec knows (s3://, gs://, file://).

It has the layout of a run's folder, so that a plain copy of it is one:

    manifest.json              as in the folder
    episodes/AB/EPISODE.jsonl  journals, of episodes that ended and of those that go on
    ledger/ACTOR.jsonl         what became of each unit

Journals only grow. Each file is written whole, since such filesystems can't append; a journal is uploaded before the
ledger line that says it is over. `carry_out_with_sink` is a worker whose folder is on its own machine only: what it
needs comes from the sink, and what is new goes there.
"""

import hashlib
import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.heartbeat import new_worker_name
from selfplay.batch.ledger import UnitLedgers, UnitLine, parse_ledger
from selfplay.batch.manifest import ensure_manifest, parse_manifest
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.start import RunOrder, carry_out, make_folders
from selfplay.batch.units import WorkUnit
from selfplay.batch.watch import CombinedWatch, NullWatch, RunSession, RunWatch
from selfplay.core.errors import ConfigError, SelfplayError, StorageError
from selfplay.core.files import make_folder, write_atomically
from selfplay.core.terminal_text import slug

SYNC_S = 15.0
"""Seconds between two uploads of what is new: what a lost node can cost."""
_HASH = r"-[0-9a-f]{8}\.jsonl"


class TraceSink:
    """The filesystem. Blocking, for one thread at a time. Every method raises StorageError."""

    def __init__(self, url: str) -> None:
        """Raises ConfigError for an address that nothing is installed for."""
        self.url = url.rstrip("/")
        try:
            fsspec = import_module("fsspec")
            self._files, self._root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"--sink {url}: {error}; fsspec and its part for this kind must be installed") from None

    def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        path = f"{self._root}/{name}"
        with self._wrap_errors(name):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            with self._files.transaction, self._files.open(path, "wb") as file:
                file.write(data)

    def get(self, name: str) -> bytes | None:
        """A file's content; None where there is none."""
        with self._wrap_errors(name):
            try:
                return self._files.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None

    def list_sizes(self, folder: str) -> dict[str, int]:
        """The files of a folder, with their bytes."""
        with self._wrap_errors(folder):
            self._files.invalidate_cache()
            try:
                found: list[dict[str, Any]] = self._files.ls(f"{self._root}/{folder}", detail=True)
            except FileNotFoundError:
                return {}
            return {f"{folder}/{f['name'].rpartition('/')[2]}": f["size"] for f in found if f["type"] == "file"}

    @contextmanager
    def _wrap_errors(self, name: str) -> Generator[None]:
        try:
            yield
        except Exception as error:  # each filesystem has errors of its own
            raise StorageError(f"{self.url}/{name}: {type(error).__name__}: {error}") from error


def select_part(order: RunOrder, number: int, count: int) -> RunOrder:
    """What the `number`-th (from 1) of `count` actors plays, in a folder of its own: tasks, by a hash of their ids."""
    mine = tuple((where, task) for where, task in order.tasks if _actor_number_of(task.brief.id, count) == number)
    return replace(order, tasks=mine, folder=RunFolder(order.folder.root / f"actor-{number}"))


def _actor_number_of(task: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(task.encode()).digest()[:8]) % count + 1


@dataclass(slots=True)
class SinkMirror:
    """A run's folder on this machine, and the sink that outlives it. Blocking, for one thread at a time."""

    folder: RunFolder
    sink: TraceSink
    _sink_sizes: dict[str, int] = field(default_factory=dict[str, int])
    """Sizes of what the sink has, as far as it went through here."""
    units: set[str] = field(default_factory=set[str])
    """Units that ended, by the sink's ledgers."""

    def fetch_ledgers(self) -> set[str]:
        """Download the manifest and the ledgers, as far as they are not here yet; returns the ids of units that ended.

        Raises StorageError, and RunError where the folder holds another run than the sink.
        """
        make_folders(self.folder)
        manifest = self.sink.get(self.folder.manifest.name)
        if manifest is not None:
            ensure_manifest(self.folder, parse_manifest(manifest, f"{self.sink.url}/{self.folder.manifest.name}"))
        for name, size in self.sink.list_sizes("ledger").items():
            if self._sink_sizes.get(name) != size and (data := self.sink.get(name)) is not None:
                write_atomically(self.folder.root / name, data)
                self._sink_sizes[name] = len(data)
                self.units.update(line.unit for line in parse_ledger(data))
        return self.units

    def fetch_journals(self, tasks: Iterable[str]) -> None:
        """Download the journals of tasks that have unfinished units.

        A local journal is kept where it begins with the sink's: it is further. Otherwise another machine went on.
        """
        for task in tasks:
            folder = self.folder.journals_of(task)
            for name in self.sink.list_sizes(folder.relative_to(self.folder.root).as_posix()):
                path = self.folder.root / name
                if _is_journal_of(path, task) and (data := self.sink.get(name)) is not None:
                    here = path.read_bytes() if path.exists() else b""
                    if not here.startswith(data):
                        make_folder(folder, above=True)
                        write_atomically(path, data)
                    self._sink_sizes[name] = len(data)

    def upload(self, tasks: Iterable[str], ledger: str, lines: Iterable[UnitLine]) -> None:
        """Upload what is new of the journals of these tasks, then these lines as the ledger of this name."""
        text = "".join(line.model_dump_json() + "\n" for line in lines).encode()
        for task in tasks:
            for path in self.folder.journals_of(task).glob(f"{slug(task)}-*.jsonl"):
                name = path.relative_to(self.folder.root).as_posix()
                if _is_journal_of(path, task) and self._sink_sizes.get(name) != path.stat().st_size:
                    self._upload_file(name, path.read_bytes())
        if text:
            self._upload_file(f"ledger/{ledger}.jsonl", text)

    def upload_manifest(self) -> None:
        """Upload what the run is."""
        self._upload_file(self.folder.manifest.name, self.folder.manifest.read_bytes())

    def _upload_file(self, name: str, data: bytes) -> None:
        if self._sink_sizes.get(name) != len(data):
            self.sink.put(name, data)
            self._sink_sizes[name] = len(data)


def find_unfinished_tasks(order: RunOrder, ledgers: UnitLedgers) -> set[str]:
    """Tasks of an order some unit of which has not come to its end."""
    samples = range(1, order.settings.samples + 1)
    ids = (task.brief.id for _, task in order.tasks)
    return {task for task in ids if any(f"{task}#{sample}" not in ledgers.units for sample in samples)}


def _is_journal_of(path: Path, task: str) -> bool:
    return re.fullmatch(re.escape(slug(task)) + _HASH, path.name) is not None


@dataclass(frozen=True, slots=True)
class SinkPart:
    """Where an actor's traces go, and which of the actors it is."""

    url: str
    number: int
    """From 1."""
    count: int
    sync_s: float = SYNC_S


@dataclass(slots=True)
class _SinkUploader(NullWatch):
    """Collects what is new here, and uploads it."""

    mirror: SinkMirror
    name: str = field(default_factory=new_worker_name)
    tasks: set[str] = field(default_factory=set[str])
    lines: list[UnitLine] = field(default_factory=list[UnitLine])

    def on_unit_started(self, unit: WorkUnit) -> None:
        self.tasks.add(unit.task.brief.id)

    def on_unit_ended(self, line: UnitLine) -> None:
        self.lines.append(line)

    def download(self, order: RunOrder) -> None:
        """Download what others did. What was done here before and never uploaded counts as new too. Blocking."""
        before, after = UnitLedgers(order.folder), UnitLedgers(order.folder)
        before.refresh()
        theirs = self.mirror.fetch_ledgers()
        after.refresh()
        self.lines = [line for unit, line in before.units.items() if unit not in theirs]
        self.tasks = {line.task for line in self.lines}
        self.mirror.fetch_journals(find_unfinished_tasks(order, after))

    async def upload(self) -> None:
        """Upload what is new. Raises StorageError."""
        await anyio.to_thread.run_sync(self.mirror.upload, frozenset(self.tasks), self.name, tuple(self.lines))

    async def upload_repeatedly(self, seconds: float) -> None:
        while True:
            await anyio.sleep(seconds)
            try:
                await self.upload()
            except StorageError:
                continue  # it may work the next time; a failure of the last upload is raised


async def carry_out_with_sink(
    order: RunOrder, part: SinkPart, watch: RunWatch, graceful_stop: GracefulStop
) -> RunSession:
    """As `carry_out`, for this actor's part of the tasks. Raises what that raises, and StorageError for the sink."""
    order = select_part(order, part.number, part.count)
    uploader = _SinkUploader(SinkMirror(order.folder, TraceSink(part.url)))
    await anyio.to_thread.run_sync(uploader.download, order)
    outcome: list[RunSession | SelfplayError] = []
    async with anyio.create_task_group() as group:
        group.start_soon(uploader.upload_repeatedly, part.sync_s)
        try:
            outcome.append(
                await carry_out(order, CombinedWatch(watch, uploader), heeds_signals=False, graceful_stop=graceful_stop)
            )
        except SelfplayError as error:  # a task group would wrap it
            outcome.append(error)
        group.cancel_scope.cancel()
    try:
        await uploader.upload()
    except StorageError as error:
        raise StorageError(f"{error}; what is new lies in {order.folder.root}, start again from there") from error
    [session] = outcome
    if isinstance(session, SelfplayError):
        raise session
    return session
