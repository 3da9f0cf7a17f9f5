"""Blobs out of git in bulk: one process for thousands of them, read as fast as git unpacks."""

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain, cycle
from pathlib import Path
from threading import Condition, Thread
from typing import IO

import numpy as np

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import pipes_of, start_git
from selfplay_tools.index.store.background import stop_if_exiting
from selfplay_tools.index.store.blob_table import BlobRecord, has_control_characters, normalise

_BUFFER_BYTES = 1 << 20
_GROUP_BYTES = 1 << 18
"""Of contents that are checked together."""
_READERS = 2
_MANY = 2048
"""Blobs that are worth more than one process."""
_PORTION = 256
"""Blobs that one process reads before the next one takes its turn."""
_GROUPS_AHEAD = 32
"""Of `_GROUP_BYTES`, that each process may be ahead."""


def read_contents(git_dir: Path, oids: Sequence[bytes]) -> Generator[tuple[bytes, bytes]]:
    """Id and content of each blob that is there, in the order asked for. Raises GitFailed.

    A caller that stops early must close the iterator; the processes end with it.
    """
    with closing(_read_each(git_dir, oids) if len(oids) < _MANY else _read_in_parallel(git_dir, oids)) as found:
        for oid, data in zip(oids, found, strict=True):
            if data is not None:
                yield oid, data


def _read_in_parallel(git_dir: Path, oids: Sequence[bytes]) -> Generator[bytes | None]:
    """As `_read_each`, by several processes: git takes longer to unpack than all that is done with the contents."""
    portions = [oids[at : at + _PORTION] for at in range(0, len(oids), _PORTION)]
    readers = [_ReadAhead(git_dir, list(chain(*portions[at::_READERS]))) for at in range(_READERS)]
    try:
        for portion, reader in zip(portions, cycle(readers), strict=False):
            for _ in portion:
                yield reader.take_next()
    finally:
        for reader in readers:
            reader.close()


class _ReadAhead:
    """Reads contents in a thread of its own, some way ahead of its user."""

    def __init__(self, git_dir: Path, oids: Sequence[bytes]) -> None:
        self._ready: deque[list[bytes | None]] = deque()
        self._taken: list[bytes | None] = []
        """In reverse."""
        self._is_closed = False
        self._is_at_end = False
        self._failure: GitFailed | None = None
        self._change = Condition()
        self._thread = Thread(target=self._read, args=(git_dir, oids), name="reads blobs", daemon=True)
        self._thread.start()

    def take_next(self) -> bytes | None:
        """The next of `_read_each`. Raises GitFailed."""
        if not self._taken:
            with self._change:
                self._change.wait_for(lambda: self._ready or self._is_at_end)
                if not self._ready:
                    raise self._failure or GitFailed("reading from git ended too early")
                self._taken = self._ready.popleft()[::-1]
                self._change.notify()
        return self._taken.pop()

    def close(self) -> None:
        """End the thread and its process."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        self._thread.join()

    def _read(self, git_dir: Path, oids: Sequence[bytes]) -> None:
        try:
            with closing(_read_each(git_dir, oids)) as found:
                group: list[bytes | None] = []
                size = 0
                for data in found:
                    group.append(data)
                    size += len(data or b"")
                    if size >= _GROUP_BYTES:
                        if not self._hand_over(group):
                            return
                        group, size = [], 0
                self._hand_over(group)
        except GitFailed as failure:
            self._failure = failure
        finally:
            with self._change:
                self._is_at_end = True
                self._change.notify()

    def _hand_over(self, group: list[bytes | None]) -> bool:
        """False once it is closed."""
        with self._change:
            self._change.wait_for(lambda: len(self._ready) < _GROUPS_AHEAD or self._is_closed)
            if group:
                self._ready.append(group)
            self._change.notify()
            return not self._is_closed


def _read_each(git_dir: Path, oids: Sequence[bytes]) -> Generator[bytes | None]:
    """The content of each blob; None for one that is not there. Raises GitFailed."""
    process = start_git(git_dir, "cat-file", "--batch", "--buffer")
    stdin, stdout = pipes_of(process)
    asker = Thread(target=_send_ids, args=(stdin, oids), name="asks for blobs", daemon=True)
    asker.start()
    try:
        with os.fdopen(os.dup(stdout.fileno()), "rb", _BUFFER_BYTES) as answers:
            for oid in oids:
                yield _read_answer(answers, oid, git_dir)
    finally:
        process.kill()
        process.wait()
        stdout.close()
        asker.join()


def _send_ids(stdin: IO[bytes], oids: Sequence[bytes]) -> None:
    try:
        with stdin:
            stdin.write(b"".join(b"%s\n" % oid.hex().encode() for oid in oids))
    except (OSError, ValueError):
        pass  # the process has ended; reading its answers fails then


def _read_answer(answers: IO[bytes], oid: bytes, git_dir: Path) -> bytes | None:
    head = answers.readline().split()
    if len(head) == 2 and head[1] == b"missing":  # noqa: PLR2004  # `<oid> missing`
        return None
    if len(head) != 3 or head[0] != oid.hex().encode():  # noqa: PLR2004  # `<oid> blob <size>`
        raise GitFailed(f"git cat-file in {git_dir} ended, or answered out of protocol, at {oid.hex()}")
    size = int(head[2])
    data = answers.read(size + 1)
    if len(data) != size + 1:
        raise GitFailed(f"git cat-file in {git_dir} ended in the middle of {oid.hex()}")
    return data[:-1]


def read_blobs(git_dir: Path, oids: Sequence[bytes]) -> Generator[BlobRecord]:
    """As `read_contents`, normalised."""
    group: list[tuple[bytes, bytes]] = []
    size = 0
    found = read_contents(git_dir, oids)
    try:
        for oid, data in found:
            stop_if_exiting()
            group.append((oid, data))
            size += len(data)
            if size >= _GROUP_BYTES:
                yield from _normalise_group(group)
                group, size = [], 0
        yield from _normalise_group(group)
    finally:
        found.close()


def _normalise_group(group: Sequence[tuple[bytes, bytes]]) -> Iterator[BlobRecord]:
    together = np.frombuffer(b"".join(data for _, data in group), np.uint8)
    # Most contents have none: one look at all of them is quicker than a look at each.
    known = None if has_control_characters(together) else False
    for oid, data in group:
        yield BlobRecord(oid, len(data), normalise(data, has_controls=known))
