"""Actors on machines that share no disk: a folder each, and a sink."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.ledger import UnitLine, parse_ledger
from selfplay.batch.ray.actor import ActorClient
from selfplay.batch.ray.sink import SinkMirror, SinkPart, TraceSink, carry_out_with_sink, select_part
from selfplay.batch.ray.start import split_settings
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import RunOrder
from selfplay.batch.watch import NullWatch
from selfplay.config import HintConfig
from selfplay.core.errors import ConfigError, RunError, StorageError
from tests.selfplay.batch.ray.local_actors import LocalActor, make_fleet
from tests.selfplay.batch.runs import (
    CONFIG,
    make_order,
    make_repository,
    make_tasks,
    play_run,
    read_journals,
    read_ledger,
)

pytest.importorskip("fsspec", reason="needs the extra `ray`")
pytestmark = pytest.mark.anyio


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}"


def move_order(machine: str, the_order: RunOrder) -> RunOrder:
    """The order, as it reaches a machine."""
    return replace(the_order, folder=RunFolder(the_order.folder.root.parent / machine))


def copy_from_sink(url: str, the_order: RunOrder) -> RunOrder:
    """The order, with a plain copy of the sink as its folder."""
    copy = move_order("copy", the_order)
    sink = TraceSink(url)
    folders = ["ledger", *(f"episodes/{n:02x}" for n in range(256))]
    for name in ["manifest.json", *(name for folder in folders for name in sink.list_sizes(folder))]:
        path = copy.folder.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sink.get(name) or b"")
    return copy


async def check_whole(url: str, the_order: RunOrder, count: int) -> None:
    """The sink holds a run that has ended, each unit once."""
    copy = copy_from_sink(url, the_order)
    lines = [line for path in copy.folder.ledgers.iterdir() for line in parse_ledger(path.read_bytes())]
    assert sorted(line.unit for line in lines) == sorted(f"t{n}#1" for n in range(count))
    before = read_journals(copy)
    assert len(before) == count
    assert (await play_run(copy)).unfinished_count == 0
    assert read_journals(copy) == before, "nothing was left to play"


async def test_what_actors_without_a_common_disk_play_comes_together_in_the_sink(
    tmp_path: Path, repo: Path, url: str
) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 8))
    mirror = SinkMirror(the_order.folder, TraceSink(url))

    def start(number: int, share: BatchSettings) -> ActorClient:
        return LocalActor(replace(move_order(f"machine-{number}", the_order), settings=share), SinkPart(url, number, 2))

    driver = make_fleet(the_order, start, fetch=mirror.fetch_ledgers)
    mirror.upload_manifest()
    session = await driver.play(split_settings(the_order.settings, 2))
    assert (session.error, session.unfinished_count) == (None, 0)
    assert len({line.worker for line in read_ledger(the_order).values()}) == 2
    assert not read_journals(the_order), "the driver needs none"
    await check_whole(url, the_order, 8)


async def test_an_actor_on_another_machine_goes_on_from_the_sink(tmp_path: Path, repo: Path, url: str) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 8))
    mirror = SinkMirror(the_order.folder, TraceSink(url))
    actors: list[ActorClient] = []

    def start(number: int, share: BatchSettings) -> ActorClient:
        machine = move_order(f"machine-{len(actors)}", the_order)
        actors.append(LocalActor(replace(machine, settings=share), SinkPart(url, number, 1, sync_s=0.01)))
        return actors[-1]

    there: list[UnitLine] = []

    class Killer(NullWatch):
        def on_unit_ended(self, line: UnitLine) -> None:
            if len(actors) == 1:
                there.append(line)
                actors[0].kill()

    driver = make_fleet(the_order, start, Killer(), fetch=mirror.fetch_ledgers)
    mirror.upload_manifest()
    session = await driver.play(split_settings(the_order.settings, 1))
    assert (session.error, session.unfinished_count, len(actors), bool(there)) == (None, 0, 2, True)
    await check_whole(url, the_order, 8)
    second = move_order("machine-1/actor-1", the_order).folder.root
    for line in there:
        assert not (second / line.episodes[0].path).exists(), "what had ended is not even brought here"


async def test_what_never_went_up_goes_up_at_the_next_start(tmp_path: Path, repo: Path, url: str) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 3))
    mine = select_part(the_order, 1, 1)
    await play_run(mine)
    before = read_journals(mine)
    session = await carry_out_with_sink(the_order, SinkPart(url, 1, 1), NullWatch(), GracefulStop())
    assert session.unfinished_count == 0
    assert read_journals(mine) == before
    SinkMirror(mine.folder, TraceSink(url)).upload_manifest()
    await check_whole(url, the_order, 3)


def test_a_journal_that_went_on_elsewhere_takes_the_place_of_the_one_here(tmp_path: Path, url: str) -> None:
    folder, sink = RunFolder(tmp_path), TraceSink(url)
    path = folder.journals_of("t") / "t-01234567.jsonl"
    name = path.relative_to(tmp_path).as_posix()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1\n2\n3\n")
    sink.put(name, b"1\n2\n")
    SinkMirror(folder, sink).fetch_journals(["t"])
    assert path.read_bytes() == b"1\n2\n3\n", "the one here is further"
    sink.put(name, b"1\n2\nother\n")
    SinkMirror(folder, sink).fetch_journals(["t"])
    assert path.read_bytes() == b"1\n2\nother\n"


async def test_a_sink_that_holds_another_run_is_refused(tmp_path: Path, repo: Path, url: str) -> None:
    the_order = make_order(
        tmp_path, make_tasks(repo, 1), config=CONFIG.model_copy(update={"hints": HintConfig(policy="never")})
    )
    await play_run(the_order)
    SinkMirror(the_order.folder, TraceSink(url)).upload_manifest()
    other = make_order(tmp_path, make_tasks(repo, 1), name="other")
    await play_run(other)
    with pytest.raises(RunError, match=r"config.hints.policy"):
        SinkMirror(other.folder, TraceSink(url)).fetch_ledgers()


def test_a_sink_that_can_not_be_had_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--sink nothing://x"):
        TraceSink("nothing://x")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/run/x"):
        TraceSink(f"file://{tmp_path}/file/run").put("x", b"")


def test_each_task_belongs_to_exactly_one_actor(tmp_path: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(tmp_path, 50))
    parts = [select_part(the_order, number, 3) for number in (1, 2, 3)]
    assert sorted(where for part in parts for where, _ in part.tasks) == sorted(where for where, _ in the_order.tasks)
    assert all(part.tasks for part in parts)
    assert len({part.folder.root for part in parts}) == 3
