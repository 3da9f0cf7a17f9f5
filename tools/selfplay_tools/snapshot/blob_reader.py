"""Contents of blobs, through `git cat-file --batch` processes that keep running.

A thread takes a process out of the pool for one request, so there are never more than threads that read at once.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import pipes_of, start_git

_MAX_SKIPPED_BYTES = 1 << 20
"""Up to this much of an unwanted rest is read and dropped; ending the process is quicker for more."""
_BATCH = 256
"""Requests that are written before the first answer is read: 256 of 41 bytes fit into any pipe's buffer."""


class ReaderDied(Exception):
    """The process ended, or answered out of protocol. Never leaves this module."""


class _CatFileProcess:
    """One `git cat-file --batch`. Used by one thread at a time."""

    def __init__(self, git_dir: Path) -> None:
        self._process = start_git(git_dir, "cat-file", "--batch")
        self._stdin, self._stdout = pipes_of(self._process)
        self.is_usable = True
        """False while an answer is not read to its end."""

    def send_requests(self, oids: Sequence[str]) -> None:
        """Write requests, whose answers must then be taken in the same order."""
        self.is_usable = False
        try:
            self._stdin.write("".join(f"{oid}\n" for oid in oids).encode("ascii"))
            self._stdin.flush()
        except OSError as error:
            raise ReaderDied from error

    def read_answer(self, oid: str, max_bytes: int) -> bytes:
        """The first `max_bytes` of the next answer. Afterwards the reader may be in the middle of it."""
        header = self._stdout.readline().split()
        if len(header) == 2 and header[1] == b"missing":  # noqa: PLR2004 - `<oid> missing`
            raise GitFailed(f"the repository lacks the content {oid}: it is damaged, or a partial clone")
        if len(header) != 3 or header[0] != oid.encode("ascii"):  # noqa: PLR2004 - `<oid> blob <size>`
            raise ReaderDied
        size = int(header[2])
        data = self._stdout.read(min(size, max_bytes))
        if len(data) != min(size, max_bytes):
            raise ReaderDied
        self._skip_rest(size - len(data) + 1)
        return data

    def _skip_rest(self, rest: int) -> None:
        if rest > _MAX_SKIPPED_BYTES:
            self.end()
        elif len(self._stdout.read(rest)) != rest:
            raise ReaderDied

    @property
    def has_ended(self) -> bool:
        return self._stdin.closed

    def end(self) -> None:
        """Kill the process and wait for its end; harmless when repeated."""
        self.is_usable = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout):
            with suppress(BrokenPipeError):  # what was buffered for a dead process
                pipe.close()


class BlobReader:
    """Blobs of one git directory, by their full object ids. Safe to use from several threads."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._idle: list[_CatFileProcess] = []
        self._lock = Lock()
        self._is_closed = False

    def read(self, oid: str, max_bytes: int) -> bytes:
        """The first `max_bytes` bytes of a blob. Raises GitFailed; a reader that died is replaced once."""
        try:
            return self._read_once(oid, max_bytes)
        except ReaderDied:
            pass
        try:
            return self._read_once(oid, max_bytes)
        except ReaderDied as error:
            raise GitFailed(f"git cat-file died twice over {oid} in {self._git_dir}: try `git fsck` there") from error

    def _read_once(self, oid: str, max_bytes: int) -> bytes:
        with self._take_process() as reader:
            reader.send_requests([oid])
            data = reader.read_answer(oid, max_bytes)
            reader.is_usable = not reader.has_ended
            return data

    def read_many(self, oids: Sequence[str]) -> Generator[bytes]:
        """Whole blobs, in the order asked for; meant for many small ones. Raises GitFailed."""
        for start_at in range(0, len(oids), _BATCH):
            yield from self._read_batch(oids[start_at : start_at + _BATCH])

    def _read_batch(self, oids: Sequence[str]) -> Iterator[bytes]:
        done = 0
        try:
            with self._take_process() as reader:
                reader.send_requests(oids)
                for oid in oids:
                    data = reader.read_answer(oid, 1 << 62)
                    done += 1
                    reader.is_usable = done == len(oids)
                    yield data
        except ReaderDied:
            for oid in oids[done:]:
                yield self.read(oid, 1 << 62)

    @contextmanager
    def _take_process(self) -> Generator[_CatFileProcess]:
        with self._lock:
            if self._is_closed:
                raise ValueError("the snapshot is closed")
            reader = self._idle.pop() if self._idle else None
        reader = reader or _CatFileProcess(self._git_dir)
        try:
            yield reader
        finally:
            self._give_back(reader)

    def _give_back(self, reader: _CatFileProcess) -> None:
        with self._lock:
            if reader.is_usable and not self._is_closed:
                self._idle.append(reader)
                return
        reader.end()

    def close(self) -> None:
        """End the idle processes now, and every busy one when its request is answered."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.end()
