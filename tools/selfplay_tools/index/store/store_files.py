"""The small files of a store: its manifest, the lock of its one writer, and the commits that were asked for lately.

The manifest says which segments there are, and is replaced as a whole. It names the version of everything in the store;
another version counts as an empty store, whose files are removed and made anew.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from filelock import BaseFileLock, FileLock, Timeout

from selfplay_tools.index.store.array_file import write_atomically
from selfplay_tools.index.store.background import stop_if_exiting
from selfplay_tools.index.store.blob_segment import FileStamp, SegmentFiles


class RecentCommits:
    """A folder of marks. Safe to use from several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, commit: str) -> None:
        """Note that a commit was asked for now. Never fails."""
        try:
            self._folder.mkdir(exist_ok=True)
            (self._folder / commit).touch()
        except OSError:  # a store that can't be written to is read all the same
            return

    def latest(self) -> list[str]:
        """The commits that were asked for, the latest first."""
        try:
            found = [(entry.stat().st_mtime_ns, entry.name) for entry in os.scandir(self._folder)]
        except OSError:
            return []
        return [name for _, name in sorted(found, reverse=True)]

    def forget(self, commit: str) -> None:
        """As if the commit was never asked for. Raises OSError."""
        (self._folder / commit).unlink(missing_ok=True)


STORE_VERSION = 3
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class StoreManifest:
    """The segments by name, and the number that the next one gets."""

    segments: Mapping[str, SegmentFiles] = field(default_factory=dict[str, SegmentFiles])
    following: int = 1


def read_manifest(folder: Path) -> StoreManifest:
    """The manifest; an empty one where there is none that can be used."""
    try:
        whole = json.loads((folder / MANIFEST_NAME).read_bytes())
        body = json.dumps(whole["body"])
        if whole["version"] != STORE_VERSION or whole["sha256"] != _digest(body):
            return StoreManifest()
        return _parse_body(whole["body"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return StoreManifest()


def write_manifest(folder: Path, manifest: StoreManifest) -> None:
    """Replace the manifest. Raises OSError."""
    segments = {
        name: {suffix: asdict(stamp) for suffix, stamp in files.items()} for name, files in manifest.segments.items()
    }
    body = {"following": manifest.following, "segments": segments}
    whole = {"version": STORE_VERSION, "sha256": _digest(json.dumps(body)), "body": body}
    write_atomically(folder / MANIFEST_NAME, [json.dumps(whole).encode()])


def _parse_body(body: "_ManifestBody") -> StoreManifest:
    found = {
        str(name): {str(suffix): FileStamp(**stamp) for suffix, stamp in files.items()}
        for name, files in body["segments"].items()
    }
    return StoreManifest(found, int(body["following"]))


class _ManifestBody(TypedDict):
    following: int
    segments: dict[str, dict[str, dict[str, Any]]]


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


_PATIENCE_S = 1.0
"""How long a lock is waited for before it is asked whether the interpreter ends."""
LOCK_NAME = "lock"
_SUFFIXES = frozenset({"text", "blobs", "grams", "words", "json"})


class StoreWriteLock:
    """Held while a store is written to."""

    def __init__(self, folder: Path, on_acquired: Callable[[], None], on_wait: Callable[[], None] | None) -> None:
        """`on_acquired` is called with the lock held; `on_wait` before, if another process or thread has it."""
        self._lock = FileLock(folder / LOCK_NAME)
        self._on_acquired = on_acquired
        self._on_wait = on_wait

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            if self._on_wait:
                self._on_wait()
            wait_for_lock(self._lock)
        try:
            self._on_acquired()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def wait_for_lock(lock: BaseFileLock) -> None:
    """Acquire the lock, once the one who has it now is done."""
    while True:
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            stop_if_exiting()
        else:
            return


def is_store_file(path: Path) -> bool:
    """Whether a file of the folder is a segment's or the manifest, perhaps half-written."""
    stem, _, suffix = path.name.partition(".")
    return (stem.isdigit() or stem == "manifest") and suffix.removesuffix(".part") in _SUFFIXES
