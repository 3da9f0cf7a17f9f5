"""What of a directory on disk its snapshot must not show: whatever the engine itself keeps there.

A journal holds its task's answer. A player that is sent into the directory where journals lie would read them there.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

JOURNAL_START = b'{"event":"start"'
"""How every journal begins."""


def hides(root: Path, kept: Iterable[Path]) -> Callable[[bytes], bool]:
    """Whether a path relative to `root` is hidden: it lies in one of the `kept` places, or it is a journal."""
    top = os.path.realpath(root)
    inside = [os.path.relpath(os.path.realpath(place), top) for place in kept]
    prefixes = [os.fsencode(path) for path in inside if path != "." and not path.startswith(os.pardir)]

    def is_hidden(raw: bytes) -> bool:
        if any(raw == prefix or raw.startswith(prefix + b"/") for prefix in prefixes):
            return True
        return raw.endswith(b".jsonl") and is_journal(os.fsencode(top) + b"/" + raw)

    return is_hidden


def is_journal(path: bytes | Path) -> bool:
    """True for a regular file that begins as a journal does; a link is not followed, a pipe not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(descriptor, len(JOURNAL_START)) == JOURNAL_START
    except OSError:
        return False
    finally:
        os.close(descriptor)
