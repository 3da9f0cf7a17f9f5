"""A real cluster of two nodes on this machine, whose actors, node and driver are killed. Needs Ray, and a minute."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from selfplay.batch.episode_tally import prices_of, tally_of
from selfplay.batch.heartbeat import read_worker_state
from selfplay.batch.ledger import UnitLine
from selfplay.batch.run_folder import RunFolder
from selfplay.config import load_config
from selfplay.core.usage import Usage
from selfplay.journal.events import read_events
from tests.loopback import (
    Behaviour,
    Json,
    LoopbackServer,
    PendingRequest,
    answer_properly,
    message_with_calls,
    run_in_thread,
)
from tests.selfplay.batch.runs import (
    count_ledger_lines,
    make_order,
    make_repository,
    make_tasks,
    read_ledger,
    write_tasks,
)

pytest.importorskip("ray", reason="needs the extra `ray`")
PATIENCE_S = 180.0
TASKS, STEPS, SLOTS, ACTORS = 16, 12, 8, 4
EACH = SLOTS // ACTORS


@pytest.fixture(scope="module")
def cluster() -> Generator[Any]:
    """Its first node. All that Ray writes goes to a folder of its own, with a short path: it puts sockets there."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray") as folder:
        for name in ("HOME", "RAY_TMPDIR"):
            patch.setenv(name, folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OPENAI_API_KEY", "unused")
        patch.delenv("RAY_ADDRESS", raising=False)
        first = {"num_cpus": ACTORS // 2, "include_dashboard": False}
        made = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=first)
        try:
            yield made
        finally:
            made.shutdown()


@dataclass
class AnswerGate:
    """Lets so many requests through, in the order of their arrival; the others wait for their answers."""

    server: LoopbackServer = field(init=False)
    allowed: int = 0

    def __post_init__(self) -> None:
        self.server = LoopbackServer(list_folder, plan=lambda number, _: self.behaviour(number))

    def behaviour(self, number: int) -> Behaviour:
        async def behave(exchange: PendingRequest) -> None:
            while number >= self.allowed:  # noqa: ASYNC110  opened from another thread
                await asyncio.sleep(0.005)
            await answer_properly(exchange)

        return behave


@dataclass(frozen=True)
class GatedRun:
    """A run whose model waits at a gate."""

    tmp: Path
    gate: AnswerGate
    address: str

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.tmp / "run")

    @property
    def config(self) -> Path:
        return self.tmp / "run.toml"

    def write(self) -> None:
        write_tasks(self.tmp / "tasks.jsonl", make_tasks(make_repository(self.tmp / "pump.git"), TASKS))
        self.config.write_text(
            f'[player]\nmodel = "openai:m"\nbase_url = "{self.gate.server.base_url}"\n[hints]\npolicy = "never"\n'
            f'[limits]\nsteps = {STEPS}\n[batch]\nat_once = {SLOTS}\n[batch.budget]\nunknown_price = "ignore"\n'
        )

    @contextmanager
    def start_driver(self, *options: str) -> Generator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "selfplay", "batch", "tasks.jsonl", "--out", "run", "--config", "run.toml"]
        command += ["--engine", "ray", "--ray-address", self.address, "--ray-actors", str(ACTORS)]
        with subprocess.Popen(
            [*command, *options],
            cwd=self.tmp,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def find_actors(self) -> list[int]:
        """Process ids of the workers that play."""
        states = [read_worker_state(path) or {"is_over": True} for path in self.folder.workers.glob("*.json")]
        return [state["pid"] for state in states if not state["is_over"] and is_process_alive(state["pid"])]

    def read_journals(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(self.folder.episodes.rglob("*.jsonl"))}

    def allow_answers(self, process: subprocess.Popen[str], answers: int, slots: int) -> dict[Path, bytes]:
        """Let so many calls be answered, until all slots wait for the next; what was kept then."""
        self.gate.allowed += answers
        wait_for(lambda: len(self.gate.server.received) >= self.gate.allowed + slots, process)
        return self.read_journals()

    def read_ledger(self) -> dict[str, UnitLine]:
        return read_ledger(make_order(self.tmp, ()))


def list_folder(_: Json) -> Json:
    return message_with_calls(("list_dir", {}))


def is_process_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def scene(tmp_path: Path, cluster: Any) -> Generator[GatedRun]:  # noqa: ANN401  Ray's
    gate = AnswerGate()
    with run_in_thread(gate.server):
        scene = GatedRun(tmp_path, gate, cluster.address)
        scene.write()
        yield scene
        gate.allowed = sys.maxsize


def test_with_actor_node_and_driver_killed_every_unit_ends_once_and_only_calls_in_flight_are_lost(
    scene: GatedRun,
    cluster: Any,  # noqa: ANN401  Ray's
) -> None:
    second = cluster.add_node(num_cpus=ACTORS // 2)
    kept: list[dict[Path, bytes]] = []
    with scene.start_driver() as process:
        kept.append(scene.allow_answers(process, 30, SLOTS))
        assert len(scene.find_actors()) == ACTORS
        os.kill(scene.find_actors()[0], signal.SIGKILL)

        # Another actor takes its place, and takes its units up.
        kept.append(scene.allow_answers(process, EACH + 30, SLOTS))
        before = scene.find_actors()
        assert len(before) == ACTORS
        cluster.remove_node(second, allow_graceful=False)
        wait_for(lambda: sum(map(is_process_alive, before)) == ACTORS // 2, process)

        # There is room for half of them now.
        kept.append(scene.allow_answers(process, SLOTS // 2 + 30, SLOTS // 2))
        process.kill()
    wait_for_none(scene.find_actors)
    assert len(scene.read_ledger()) < TASKS

    scene.gate.allowed = sys.maxsize
    with scene.start_driver() as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    check_run(scene, kept, lost=EACH + SLOTS // 2 + SLOTS // 2)


def wait_for_none(actors: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while actors():
        assert time.monotonic() < deadline, "actors outlive their driver"
        time.sleep(0.02)


def check_run(scene: GatedRun, kept: list[dict[Path, bytes]], lost: int) -> None:
    lines, journals = scene.read_ledger(), scene.read_journals()
    assert sorted(lines) == sorted(f"t{n}#1" for n in range(TASKS))
    assert count_ledger_lines(make_order(scene.tmp, ())) == TASKS
    assert [text.count(b'"event":"stop"') for text in journals.values()] == [1] * TASKS
    for earlier in kept:
        for path, text in earlier.items():
            assert journals[path].startswith(text[: text.rfind(b"\n") + 1]), f"{path}: what was kept is gone"
    tallies = [tally_of(read_events(path), prices_of(load_config(scene.config))) for path in journals]
    episodes = [episode for line in lines.values() for episode in line.episodes]
    recorded = sum(tally.calls for tally in tallies)
    assert recorded == sum(episode.calls for episode in episodes) == TASKS * STEPS
    assert sum((e.usage for e in episodes), Usage()) == sum((tally.spent.usage for tally in tallies), Usage())
    assert len(scene.gate.server.received) - recorded == lost


def test_interrupted_once_actors_finish_their_calls_and_leave(scene: GatedRun) -> None:
    with scene.start_driver() as process:
        scene.allow_answers(process, 12, SLOTS // 2)
        process.send_signal(signal.SIGINT)
        wait_for(lambda: have_all_reason(scene, "interrupted"), process)
        scene.gate.allowed = sys.maxsize
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, output
    recorded = sum(text.count(b'"event":"call"') for text in scene.read_journals().values())
    assert recorded == len(scene.gate.server.received) == 12 + SLOTS // 2
    assert scene.find_actors() == []


def have_all_reason(scene: GatedRun, reason: str) -> bool:
    """Whether both actors that had room end for this reason."""
    states = [read_worker_state(path) or {} for path in scene.folder.root.rglob("workers/*.json")]
    return len([state for state in states if str(state.get("reason", "")).startswith(reason)]) == ACTORS // 2


def test_with_a_sink_each_actor_plays_in_a_folder_of_its_own_and_all_of_it_comes_together(scene: GatedRun) -> None:
    """There is room for half of the actors at a time; the sink alone is enough to go on from."""
    pytest.importorskip("fsspec")
    sink = scene.tmp / "sink"
    with scene.start_driver("--sink", f"file://{sink}") as process:
        scene.allow_answers(process, TASKS * STEPS // 2, SLOTS // 2)
        process.send_signal(signal.SIGINT)
        wait_for(lambda: have_all_reason(scene, "interrupted"), process)
        scene.gate.allowed = sys.maxsize
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, output
    shutil.rmtree(scene.folder.root)
    with scene.start_driver("--sink", f"file://{sink}") as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    shutil.rmtree(scene.folder.root)
    sink.rename(scene.folder.root)
    check_run(scene, [], lost=0)
