"""Contents out of git, by one process or by several."""

import threading
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import run_git
from selfplay_tools.index.store.bulk_reader import read_contents
from tests.repositories import commit_files, make_git_dir

COUNT = 3000


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[bytes, bytes]]:
    """Many small blobs, a few that are not so small, by their ids."""
    git_dir = make_git_dir(tmp_path_factory.mktemp("ingest") / "r.git")
    sizes = {number: 1 + (700_000 if number % 997 == 0 else number % 50) for number in range(COUNT)}
    files = {b"%05d" % number: b"%d " % number * size for number, size in sizes.items()}
    commit_files(git_dir, files)
    listed = run_git(git_dir, "ls-tree", "-z", "main").split(b"\0")[:-1]
    by_id = {bytes.fromhex(line.split()[2].decode()): files[line.partition(b"\t")[2]] for line in listed}
    assert len(by_id) == COUNT
    return git_dir, by_id


@pytest.mark.parametrize("count", [0, 1, 100, COUNT])
def test_contents_come_in_the_order_asked_for_without_those_that_are_missing(
    repository: tuple[Path, dict[bytes, bytes]], count: int
) -> None:
    git_dir, by_id = repository
    oids = list(by_id)[::-1][:count]
    asked = [oid for number, real in enumerate(oids) for oid in ([real, bytes([number % 250] * 20)][: 1 + number % 2])]
    assert list(read_contents(git_dir, asked)) == [(oid, by_id[oid]) for oid in oids]


@pytest.mark.parametrize("count", [0, 1, 700])
def test_a_caller_that_stops_early_leaves_nothing_running(
    repository: tuple[Path, dict[bytes, bytes]], count: int
) -> None:
    git_dir, by_id = repository
    with closing(read_contents(git_dir, list(by_id))) as found:
        assert list(islice(found, count)) == list(islice(by_id.items(), count))
    assert not [thread for thread in threading.enumerate() if thread.name in {"reads blobs", "asks for blobs"}]


@pytest.mark.parametrize("count", [1, COUNT])
def test_a_git_that_fails_is_said_so(tmp_path: Path, count: int) -> None:
    oids = [number.to_bytes(20, "big") for number in range(count)]
    with pytest.raises(GitFailed):
        list(read_contents(tmp_path / "gone", oids))
