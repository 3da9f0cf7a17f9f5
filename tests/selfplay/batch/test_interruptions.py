"""Runs in processes of their own, which are killed, interrupted, and run out of disk."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfplay.batch.heartbeat import DEAD_AFTER_S, read_worker_state
from selfplay.config import RunConfig
from selfplay.core.trace import StopReason
from selfplay.journal.events import read_events
from tests.loopback import Json, LoopbackServer, hang, message_with_calls, run_in_thread
from tests.selfplay.batch.runs import (
    check_totals,
    digests,
    make_order,
    make_repository,
    make_tasks,
    read_ledger,
    write_tasks,
)

PATIENCE_S = 3 * DEAD_AFTER_S
"""Longer than a run waits for workers that may have died."""
KEY = {"OPENAI_API_KEY": "unused"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


@contextmanager
def start_run(
    tmp: Path, tasks: Path, *options: str, before: Callable[[], None] | None = None
) -> Generator[subprocess.Popen[str]]:
    """The command at work; it is killed at the end."""
    command = [
        sys.executable,
        "-m",
        "selfplay",
        "batch",
        str(tasks),
        "--out",
        str(tmp / "run"),
        "--repos",
        str(tmp / "repos"),
    ]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **KEY},
        preexec_fn=before,  # noqa: PLW1509  sets a limit of the child, nothing else
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def count_journal_bytes(tmp: Path) -> int:
    """Bytes in all journals of the run."""
    return sum(path.stat().st_size for path in (tmp / "run" / "episodes").rglob("*.jsonl"))


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Wait until it holds, or the process has ended: then False."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return True


def play_to_end(tmp: Path, tasks: Path, *options: str) -> str:
    with start_run(tmp, tasks, *options) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
    return output


def test_killed_again_and_again_a_run_ends_each_task_once_and_as_it_would_have(tmp_path: Path, repo: Path) -> None:
    the_tasks = make_tasks(repo, 12)
    tasks = write_tasks(tmp_path / "tasks.jsonl", the_tasks)
    options = ("--policy", "every_step", "--at-once", "3")
    kills = 0
    for more in (30_000, 170_000, 60_000, 110_000, 90_000):
        size = count_journal_bytes(tmp_path) + more
        with start_run(tmp_path, tasks, *options) as process:
            kills += wait_for(lambda size=size: count_journal_bytes(tmp_path) >= size, process)
            process.kill()
    play_to_end(tmp_path, tasks, *options)
    the_order = make_order(tmp_path, the_tasks, config=RunConfig())
    assert kills >= 2, "the kills did not fall into the run"
    assert sorted(read_ledger(the_order)) == sorted(f"t{n}#1" for n in range(12))
    check_totals(the_order)
    whole = tmp_path / "whole"
    play_to_end(whole, tasks, *options)
    assert digests(the_order) == digests(make_order(whole, the_tasks, config=RunConfig()))


def list_slowly(_: Json) -> Json:
    """Lists the folder, after a while."""
    time.sleep(0.3)
    return message_with_calls(("list_dir", {}))


def write_settings(tmp: Path, base_url: str) -> Path:
    file = tmp / "run.toml"
    file.write_text(
        f'[player]\nmodel = "openai:m"\nbase_url = "{base_url}"\n[hints]\npolicy = "never"\n[limits]\nsteps = 60\n'
        '[batch]\nat_once = 4\n[batch.budget]\nunknown_price = "ignore"\n'
    )
    return file


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_once_a_run_finishes_the_calls_in_flight_and_writes_them(
    tmp_path: Path, repo: Path, number: signal.Signals
) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", make_tasks(repo, 4))
    with run_in_thread(LoopbackServer(list_slowly)) as server:
        config = write_settings(tmp_path, server.base_url)
        with start_run(tmp_path, tasks, "--config", str(config)) as process:
            assert wait_for(lambda: len(server.received) >= 6, process)
            process.send_signal(number)
            output, _ = process.communicate(timeout=PATIENCE_S)
        asked = len(server.received)
    assert process.returncode == 130, output
    answered = [
        e for path in (tmp_path / "run").rglob("episodes/*/*.jsonl") for e in read_events(path) if e["event"] == "call"
    ]
    assert len(answered) == asked, "each call that was made is written down"
    [worker] = (tmp_path / "run" / "workers").iterdir()
    assert (read_worker_state(worker) or {})["is_over"]


def test_interrupted_twice_a_run_leaves_at_once(tmp_path: Path, repo: Path) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", make_tasks(repo, 2))
    with run_in_thread(LoopbackServer(list_slowly, default_behaviour=hang())) as server:
        config = write_settings(tmp_path, server.base_url)
        with start_run(tmp_path, tasks, "--config", str(config)) as process:
            assert wait_for(lambda: len(server.received) >= 2, process)
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            assert process.poll() is None, "it waits for the calls in flight"
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=10)
    assert process.returncode == 130, output
    assert "2 left (interrupted); the same command goes on" in output


def limit_file_size(size: int) -> Callable[[], None]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_disk_that_takes_no_more_ends_the_run_with_an_error_and_nothing_is_lost(tmp_path: Path, repo: Path) -> None:
    the_tasks = make_tasks(repo, 6)
    tasks = write_tasks(tmp_path / "tasks.jsonl", the_tasks)
    with start_run(tmp_path, tasks, "--policy", "every_step", before=limit_file_size(30_000)) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2, output
    assert "can't be written: File too large; mend that and run the same command again" in " ".join(output.split())
    assert "Traceback" not in output
    play_to_end(tmp_path, tasks, "--policy", "every_step")
    the_order = make_order(tmp_path, the_tasks, config=RunConfig())
    assert len(read_ledger(the_order)) == 6
    check_totals(the_order)
    assert all(e.stop is not StopReason.BUG for line in read_ledger(the_order).values() for e in line.episodes)
