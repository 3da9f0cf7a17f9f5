"""Repositories whose servers say nothing."""

import socket
import threading
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.ledger import UnitLine
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import carry_out
from selfplay.batch.watch import NullWatch, RunSession
from selfplay.core.errors import RepositoryError
from selfplay.core.task import Task
from selfplay.repos.repositories import Repositories
from tests.selfplay.batch.runs import make_order, make_repository, make_tasks, read_ledger

pytestmark = pytest.mark.anyio
THREADS = 40
"""That anyio shares out by default."""


@pytest.fixture
def silent() -> Generator[str]:
    """A repository on a server that takes connections and answers none."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/quiet.git"


def task_at(repo: str, where: str, task: Task, commit: str) -> tuple[str, Task]:
    brief = task.brief.model_copy(update={"repo": repo, "commit": commit})
    return where, task.model_copy(update={"brief": brief})


async def test_clones_that_hang_hold_up_neither_the_others_nor_the_end(tmp_path: Path, silent: str) -> None:
    good = make_tasks(make_repository(tmp_path / "pump.git"), 4)
    hanging = [
        task_at(silent, where, task, f"{i:040x}")
        for i, (where, task) in enumerate(make_tasks(tmp_path, THREADS + 8, start=4))
    ]
    the_order = make_order(tmp_path, [*hanging, *good], settings=BatchSettings(at_once=len(hanging) + len(good)))
    graceful_stop, left = GracefulStop(), {f"t{n}#1" for n in range(4)}

    class Watch(NullWatch):
        def on_unit_ended(self, line: UnitLine) -> None:
            left.discard(line.unit)
            if not left:
                graceful_stop.begin("enough")

    with anyio.fail_after(60):
        session: RunSession = await carry_out(the_order, Watch(), heeds_signals=False, graceful_stop=graceful_stop)
    assert (session.reason, session.failed, session.unfinished_count) == ("enough", {}, len(hanging)), (
        "a later start plays them"
    )
    assert sorted(read_ledger(the_order)) == ["t0#1", "t1#1", "t2#1", "t3#1"]
    assert not list((tmp_path / "repos" / ".clones").glob("quiet*.part-*")), "nothing half made is left"


def test_a_clone_can_be_broken_off_for_good(tmp_path: Path, silent: str) -> None:
    repositories = Repositories(tmp_path / "repos")
    errors: list[Exception] = []

    def clone() -> None:
        try:
            repositories.clone(silent)
        except RepositoryError as error:
            errors.append(error)

    threads = [threading.Thread(target=clone) for _ in range(2)]  # the second waits for the first one's lock
    for thread in threads:
        thread.start()
    repositories.break_off()
    for thread in threads:
        thread.join(timeout=30)
    assert len(errors) == len(threads)
    with pytest.raises(RepositoryError):
        repositories.clone(silent)
