"""Where a run's traces are kept that no common disk holds: any filesystem that fsspec knows (s3://, gs://, file://).

It has the layout of a run's folder, so that a plain copy of it is one:

    manifest.json              as in the folder
    episodes/AB/EPISODE.jsonl  journals, of episodes that ended and of those that go on
    ledger/ACTOR.jsonl         what became of each unit

Journals only grow. Each file is written whole, since such filesystems know no appending; a journal goes up before the
ledger line that says it is over.
"""

import hashlib
import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from selfplay.batch.ledger import UnitLedgers, UnitLine, parse_ledger
from selfplay.batch.manifest import ensure_manifest, parse_manifest
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.start import RunOrder, make_folders
from selfplay.core.errors import ConfigError, StorageError
from selfplay.core.files import make_folder, write_atomically
from selfplay.core.terminal_text import slug

SYNC_S = 15.0
"""Seconds between two times that an actor brings up what is new: what a lost node can cost."""
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
    """That came to their end, as the sink's ledgers tell."""

    def fetch_ledgers(self) -> set[str]:
        """Bring the manifest and what became of the units here, as far as they are not yet; the units.

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
        """Bring the journals of tasks here whose units go on.

        One that is here stays where it is further: the sink's is its beginning. Otherwise another machine went on.
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
        """Bring up what is new of the journals of these tasks, then these lines as the ledger of this name."""
        text = "".join(line.model_dump_json() + "\n" for line in lines).encode()
        for task in tasks:
            for path in self.folder.journals_of(task).glob(f"{slug(task)}-*.jsonl"):
                name = path.relative_to(self.folder.root).as_posix()
                if _is_journal_of(path, task) and self._sink_sizes.get(name) != path.stat().st_size:
                    self._upload_file(name, path.read_bytes())
        if text:
            self._upload_file(f"ledger/{ledger}.jsonl", text)

    def upload_manifest(self) -> None:
        """Bring up what the run is."""
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
