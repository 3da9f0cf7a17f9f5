import errno
import os
import resource
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from selfplay.batch.heartbeat import DEAD_AFTER_S, Heartbeat, new_worker_name, read_worker_state
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.start import make_folders
from selfplay.batch.units import UnitLeases, UnitQueue, WorkUnit, make_units
from selfplay.core.errors import StorageError
from selfplay.core.files import write_atomically
from selfplay.core.task import Answer, Brief, Target, Task


def make_unit(name: str, repo: str = "r", sample: int = 1) -> WorkUnit:
    brief = Brief(id=name, repo=repo, commit="main", prompt="find it")
    return WorkUnit(Task(brief=brief, answer=Answer(targets=(Target(path="a"),))), sample, "")


def zero_age(_: Path) -> float:
    return 0.0


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that knows no links."""

    def refuse(_: Path, __: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    make_folders(folder)
    return folder


def test_only_one_of_two_living_workers_gets_a_unit(folder: RunFolder) -> None:
    first, second = (UnitLeases(folder, name, bool, zero_age) for name in ("a", "b"))
    assert first.acquire(make_unit("t")) == 1
    assert second.acquire(make_unit("t")) == 0
    assert first.acquire(make_unit("t")) == 1, "what one has one keeps"


def test_a_dead_workers_unit_goes_to_one_of_those_who_notice(folder: RunFolder) -> None:
    living = {"b", "c"}
    dead, *others = (UnitLeases(folder, name, living.__contains__, zero_age) for name in ("a", "b", "c"))
    dead.acquire(make_unit("t"))
    assert [each.acquire(make_unit("t")) for each in others] == [2, 0]
    living.remove("b")
    assert others[1].acquire(make_unit("t")) == 3


def test_a_lease_without_a_name_is_of_one_who_is_about_to_write_it_or_died_long_ago(folder: RunFolder) -> None:
    pulse = Heartbeat(folder, "me")
    pulse.beat({})
    mine = UnitLeases(folder, "me", pulse.is_alive, pulse.age_s)
    lease = folder.leases / f"{make_unit('t').file_name}.1"
    lease.touch()
    assert mine.acquire(make_unit("t")) == 0
    old = lease.stat().st_mtime - 3600
    os.utime(lease, (old, old))
    assert mine.acquire(make_unit("t")) == 2


def test_a_lease_is_there_with_its_name_or_not_at_all(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def look(_: int) -> None:
        seen.append([path.read_text() for path in folder.leases.glob("*.1")])

    monkeypatch.setattr(os, "fsync", look)
    dying = UnitLeases(folder, "a", bool, zero_age)
    for name in "tu":
        dying.acquire(make_unit(name))
    assert seen == [[], ["a"]], "killed while it writes a lease, a worker leaves none without a name"
    assert [path.name for path in folder.leases.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("no_links")
def test_where_a_disk_knows_no_links_a_unit_is_had_all_the_same(folder: RunFolder) -> None:
    living = {"a", "b"}
    first, second = (UnitLeases(folder, name, living.__contains__, zero_age) for name in ("a", "b"))
    assert (first.acquire(make_unit("t")), second.acquire(make_unit("t"))) == (1, 0)
    living.remove("a")
    assert second.acquire(make_unit("t")) == 2
    assert [path.read_text() for path in sorted(folder.leases.iterdir())] == ["a", "b"]


def test_a_lease_that_was_made_without_an_answer_is_ones_own(folder: RunFolder) -> None:
    (folder.leases / f"{make_unit('t').file_name}.1").write_text(
        "a"
    )  # a network's disk made the link, its answer was lost
    first, second = (UnitLeases(folder, name, bool, zero_age) for name in ("a", "b"))
    assert (first.acquire(make_unit("t")), second.acquire(make_unit("t"))) == (1, 0)


@pytest.mark.parametrize("links", ["some", "none"])
def test_a_lease_that_could_not_be_written_is_not_left_behind(
    folder: RunFolder, links: str, request: pytest.FixtureRequest
) -> None:
    if links == "none":
        request.getfixturevalue("no_links")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # files can be made, nothing can be written
    try:
        with pytest.raises(StorageError, match="can't be written"):
            UnitLeases(folder, "a", bool, zero_age).acquire(make_unit("t"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(folder.leases.iterdir()) == []


@pytest.fixture
def _switch_often() -> Generator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_switch_often")
@pytest.mark.parametrize("links", ["some", "none"])
def test_of_two_workers_that_reach_for_a_unit_at_once_one_has_it(
    folder: RunFolder, links: str, request: pytest.FixtureRequest
) -> None:
    if links == "none":
        request.getfixturevalue("no_links")
    units, together = [make_unit(f"t{number}") for number in range(300)], Barrier(2)

    def take_all(worker: str) -> list[int]:
        leases = UnitLeases(folder, worker, bool, zero_age)
        taken: list[int] = []
        for each in units:
            together.wait()
            taken.append(leases.acquire(each))
        return taken

    with ThreadPoolExecutor(2) as both:
        one, other = both.map(take_all, ("one", "other"))
    assert [bool(a) + bool(b) for a, b in zip(one, other, strict=True)] == [1] * len(units)


def test_a_unit_that_was_given_up_is_anybodys(folder: RunFolder) -> None:
    first, second = (UnitLeases(folder, name, bool, zero_age) for name in ("a", "b"))
    first.acquire(make_unit("t"))
    first.release(make_unit("t"))
    assert second.acquire(make_unit("t")) == 3


def test_a_worker_on_this_machine_is_alive_as_long_as_its_process(folder: RunFolder) -> None:
    mine, other = Heartbeat(folder, new_worker_name()), Heartbeat(folder, new_worker_name())
    for pulse in (other, mine):
        pulse.beat({})
    assert mine.is_alive(other.worker)
    path = folder.workers / f"{other.worker}.json"
    state = read_worker_state(path)
    assert state is not None
    write_atomically(path, path.read_bytes().replace(f'"pid":{os.getpid()}'.encode(), b'"pid":999999999'))
    assert not mine.is_alive(other.worker)


def test_a_process_that_is_there_and_gives_no_signs_of_life_is_suspended_and_is_not_waited_for(
    folder: RunFolder,
) -> None:
    mine, other = Heartbeat(folder, new_worker_name()), Heartbeat(folder, new_worker_name())
    for pulse in (other, mine):
        pulse.beat({})
    path = folder.workers / f"{other.worker}.json"
    old = path.stat().st_mtime - 2 * DEAD_AFTER_S
    os.utime(path, (old, old))
    assert not mine.is_alive(other.worker)


def test_a_worker_elsewhere_is_alive_as_long_as_it_gives_signs_of_life(folder: RunFolder) -> None:
    mine, other = Heartbeat(folder, new_worker_name()), Heartbeat(folder, new_worker_name())
    other.beat({"machine": "another"})
    mine.beat({})
    assert mine.is_alive(other.worker)
    path = folder.workers / f"{other.worker}.json"
    old = path.stat().st_mtime - 3600
    os.utime(path, (old, old))
    assert not mine.is_alive(other.worker)


def test_who_has_left_holds_nothing_any_more(folder: RunFolder) -> None:
    mine, other = Heartbeat(folder, new_worker_name()), Heartbeat(folder, new_worker_name())
    other.beat({}, is_over=True)
    assert not mine.is_alive(other.worker)


def test_repositories_take_turns_and_keep_their_order() -> None:
    tasks = [("", make_unit(name, repo).task) for name, repo in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"))]
    queue = UnitQueue(make_units(tasks, 1))
    taken = [queue.pop_next() for _ in range(5)]
    assert [each.id if each else None for each in taken] == ["a1#1", "b1#1", "a2#1", "a3#1", None]


def test_each_task_has_its_turn_before_any_has_a_second() -> None:
    tasks = [("", make_unit(name).task) for name in ("a", "b")]
    assert [each.id for each in make_units(tasks, 2)] == ["a#1", "b#1", "a#2", "b#2"]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("a file")
    with pytest.raises(StorageError, match="can't be written"):
        write_atomically(tmp_path / "in the way" / "x.json", b"{}")
    write_atomically(tmp_path / "x.json", b"{}")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
