"""What of a directory on disk its snapshot must not show: whatever the engine itself keeps there.

A journal holds its task's answer, and so do task files, clean traces, exported rows and reports, wherever they were
put. A player that is sent into the directory where they lie would read it there.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

from selfplay.prompts import load_prompt

JOURNAL_START = b'{"event":"start"'
"""How every journal begins."""

_HEAD_BYTES = 64 << 10
"""So much of a file shows what it is: more than the longest prompt of a task that is mined."""
_TEXT = rb'"(?:[^"\\]|\\.)*+"'
_PROMPT_CHARS = 40
_SYSTEM = rb'\[\{"role":"system","content":' + re.escape(orjson.dumps(load_prompt("player").text[:_PROMPT_CHARS])[:-1])
_LINES = re.compile(
    re.escape(JOURNAL_START)
    + rb'|\{"(?:episode|unit)":'  # clean traces, pairs, notes beside rows; ledgers
    + _TEXT
    + rb',"task":"'
    + rb'|\{"seat":"\w+","sha256":"'  # what models were asked while traces were cleaned
    + rb'|\{"(?:messages|prompt|input":\{"messages)":'  # rows of both formats, of whole traces and of pairs
    + _SYSTEM
)
_TARGETS = re.compile(
    rb'"(?:targets"\s*:\s*\[\s*\{\s*"(?:path|symbol|lines)|goals"\s*:\s*\[\s*\{\s*"(?:id|about|tool|where|secrets))"\s*:'
)
"""What a row of a task file has and hardly anything else."""
_REPORT = b": a run of selfplay</title>"


def hidden_path_filter(root: Path, hidden: Iterable[Path]) -> Callable[[bytes], bool]:
    """Whether a path relative to `root` is hidden: it lies in one of the `hidden` places, or the engine wrote it."""
    top = os.path.realpath(root)
    inside = [os.path.relpath(os.path.realpath(place), top) for place in hidden]
    prefixes = [os.fsencode(path) for path in inside if path != "." and not path.startswith(os.pardir)]

    def is_hidden(raw: bytes) -> bool:
        if any(raw == prefix or raw.startswith(prefix + b"/") for prefix in prefixes):
            return True
        return raw.endswith((b".jsonl", b".html")) and is_engine_file(os.fsencode(top) + b"/" + raw)

    return is_hidden


def is_engine_file(path: bytes) -> bool:
    """True for a regular file that holds tasks or episodes in a form that only the engine writes, task files too."""
    head = _read_head(path, _HEAD_BYTES)
    if path.endswith(b".html"):
        return _REPORT in head
    return _LINES.match(head.lstrip()) is not None or (b'"prompt"' in head and _TARGETS.search(head) is not None)


def is_journal(path: bytes | Path) -> bool:
    """True for a regular file that begins as a journal does; a link is not followed, a pipe not waited for."""
    return _read_head(path, len(JOURNAL_START)) == JOURNAL_START


def _read_head(path: bytes | Path, max_bytes: int) -> bytes:
    """The beginning of a regular file; empty for everything else, and for one that can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, max_bytes)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
