"""A worker's heartbeat: a file that it writes every few seconds, from which others see whether it still plays."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

import orjson

from selfplay.batch.run_folder import RunFolder
from selfplay.core.files import write_atomically
from selfplay.core.jsonl import json_line

BEAT_S = 5.0
"""Seconds between two heartbeats."""
DEAD_AFTER_S = 60.0
"""A worker without a heartbeat for so long is taken for dead, by itself too."""


def machine_id() -> str:
    """A text that differs between machines, between two boots of one machine, and between its containers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Containers of one machine may share its name; a process number says something within one of them only.
        numbers = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot = numbers = ""
    return f"{socket.gethostname()} {boot} {numbers}"


def new_worker_name() -> str:
    """A name that no other worker has."""
    host = "".join(c if c.isalnum() else "-" for c in socket.gethostname())[:32]
    return f"{host}-{os.getpid()}-{token_hex(4)}"


class Heartbeat:
    """This worker's heartbeat, and the others'.

    Ages are differences between times that the file system gave, the same one for all workers: their clocks don't
    matter. A worker on the same machine is known to be dead as soon as its process is gone.
    """

    def __init__(self, folder: RunFolder, worker: str) -> None:
        self.worker = worker
        self._folder = folder
        self._path = self._path_of(worker)
        self._last_beat_s = _boot_clock_s()
        self._identity = {
            "worker": worker,
            "machine": machine_id(),
            "pid": os.getpid(),
            "began": _process_start_ticks(os.getpid()),
            "since": time.time(),
        }

    def beat(self, state: Mapping[str, Any], *, is_over: bool = False) -> None:
        """Show that this worker lives (or, at its end, leaves), and how it is doing. Blocking. Raises StorageError."""
        write_atomically(self._path, json_line({**self._identity, **state, "is_over": is_over}))
        self._last_beat_s = _boot_clock_s()

    @property
    def is_lost(self) -> bool:
        """True when others may soon take this worker for dead: it was halted, or could not write."""
        return _boot_clock_s() - self._last_beat_s > DEAD_AFTER_S * 2 / 3

    def is_alive(self, worker: str) -> bool:
        """Whether another worker still plays: it has not left, its process runs, its last heartbeat is recent."""
        if not worker:
            return False
        return is_worker_alive(read_worker_state(self._path_of(worker)), self.age_s(self._path_of(worker)))

    def age_s(self, path: Path) -> float:
        """Seconds from when a file was written to our own last heartbeat; DEAD_AFTER_S where there is no such file."""
        try:
            return self._path.stat().st_mtime - path.stat().st_mtime
        except OSError:
            return DEAD_AFTER_S

    def _path_of(self, worker: str) -> Path:
        return self._folder.workers / f"{worker}.json"


def is_worker_alive(state: Mapping[str, Any] | None, age_s: float) -> bool:
    """Whether a worker that wrote this state so many seconds ago still plays."""
    if state is None or state.get("is_over"):
        return False
    if state.get("machine") == machine_id():
        began = _process_start_ticks(state.get("pid", 0))
        if began is None or (began and began != state.get("began")):
            return False
    return age_s < DEAD_AFTER_S  # also of a process that is there: it may be suspended


def read_worker_state(path: Path) -> dict[str, Any] | None:
    """What a worker last wrote of itself; None where nothing can be read."""
    try:
        state = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return cast("dict[str, Any]", state) if isinstance(state, dict) else None


def _boot_clock_s() -> float:
    """Seconds that go on while the machine sleeps, unlike the monotonic clock's, and don't jump when a clock is set."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if boot is None else time.clock_gettime(boot)


def _process_start_ticks(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's ticks: a number that is used again has another time.

    None where there is no such process; empty where it exists and the system does not say when it began.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass  # it is there, and another user's
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
