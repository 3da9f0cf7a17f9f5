"""Blobs out of git in bulk: one process for thousands of them, read as fast as git unpacks."""

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import IO

import numpy as np

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import pipes, start
from selfplay_tools.store.blobs import Blob
from selfplay_tools.store.cleaning import clean, holds_controls

_BUFFER_BYTES = 1 << 20
_GROUP_BYTES = 1 << 18
"""Of contents that are checked together."""


def contents(git_dir: Path, oids: Sequence[bytes]) -> Generator[tuple[bytes, bytes]]:
    """Id and content of each blob that is there, in the order asked for. Raises GitFailed.

    A caller that stops early must close the iterator; the process ends with it.
    """
    process = start(git_dir, "cat-file", "--batch", "--buffer")
    stdin, stdout = pipes(process)
    asking = Thread(target=_ask, args=(stdin, oids), name="asks for blobs", daemon=True)
    asking.start()
    try:
        with os.fdopen(os.dup(stdout.fileno()), "rb", _BUFFER_BYTES) as answers:
            for oid in oids:
                data = _answer(answers, oid, git_dir)
                if data is not None:
                    yield oid, data
    finally:
        process.kill()
        process.wait()
        stdout.close()
        asking.join()


def _ask(stdin: IO[bytes], oids: Sequence[bytes]) -> None:
    try:
        with stdin:
            stdin.write(b"".join(b"%s\n" % oid.hex().encode() for oid in oids))
    except (OSError, ValueError):
        pass  # the process has ended; whoever reads its answers finds out


def _answer(answers: IO[bytes], oid: bytes, git_dir: Path) -> bytes | None:
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


def blobs(git_dir: Path, oids: Sequence[bytes]) -> Generator[Blob]:
    """As `contents`, cleaned."""
    group: list[tuple[bytes, bytes]] = []
    size = 0
    found = contents(git_dir, oids)
    try:
        for oid, data in found:
            group.append((oid, data))
            size += len(data)
            if size >= _GROUP_BYTES:
                yield from _cleaned(group)
                group, size = [], 0
        yield from _cleaned(group)
    finally:
        found.close()


def _cleaned(group: Sequence[tuple[bytes, bytes]]) -> Iterator[Blob]:
    together = np.frombuffer(b"".join(data for _, data in group), np.uint8)
    # Most contents have none: one look at all of them is quicker than a look at each.
    known = None if holds_controls(together) else False
    for oid, data in group:
        yield Blob(oid, len(data), clean(data, has_controls=known))
