import os
import shutil
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from selfplay_tools.errors import GitFailed
from selfplay_tools.git import complaint_of, git_environment, read_records, run_git
from selfplay_tools.snapshot.blob_reader import BlobReader
from selfplay_tools.snapshot.commit import CommitSnapshot
from tests.repositories import commit_files, git, make_git_dir, write_blob

FakeGit = Callable[[str], Path]


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    return make_git_dir(tmp_path / "r.git")


@pytest.fixture
def in_front_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGit:
    """Put a shell script in git's place: `$LOG` is a file for it, the real git comes after the script."""

    def install(script: str) -> Path:
        folder, log = tmp_path / "bin", tmp_path / "log"
        folder.mkdir()
        log.touch()
        (folder / "git").write_text(f'#!/bin/sh\nLOG={log}\n{script}\nexec {shutil.which("git")} "$@"\n')
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return log

    return install


def test_no_git_variable_is_inherited() -> None:
    base = {"PATH": "/bin", "GIT_DIR": "/evil", "GIT_EXEC_PATH": "/evil", "GIT_CONFIG_PARAMETERS": "'a.b=c'"}
    made = git_environment(base=base)
    assert made["PATH"] == "/bin"
    assert "/evil" not in made.values()
    assert "GIT_CONFIG_PARAMETERS" not in made


def test_no_transport_is_allowed_unless_named() -> None:
    assert git_environment(base={})["GIT_ALLOW_PROTOCOL"] == "none"
    assert git_environment(base={}, protocols=("file", "https"))["GIT_ALLOW_PROTOCOL"] == "file:https"


def test_settings_reach_git(git_dir: Path) -> None:
    listed = run_git(git_dir, "config", "--list").decode()
    assert "core.hookspath=/dev/null" in listed
    assert "core.fsmonitor=false" in listed
    assert f"safe.directory={git_dir}" in listed


def test_a_failure_carries_git_s_words(git_dir: Path) -> None:
    with pytest.raises(GitFailed, match=r"git cat-file in .*: .*nothing"):
        run_git(git_dir, "cat-file", "-t", "nothing")
    with pytest.raises(GitFailed, match="Not a valid object name nothing"):
        list(read_records(git_dir, "ls-tree", "-z", "nothing"))


def test_words_are_one_line() -> None:
    assert complaint_of(b"fatal: bad thing\nerror: worse\n") == "bad thing; worse"
    assert complaint_of(b"") == "no reason given"


def test_a_machine_without_git_is_reported(git_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitFailed, match="is it installed"):
        run_git(git_dir, "version")


def test_many_reads_take_one_process(git_dir: Path, in_front_of_git: FakeGit) -> None:
    commit = commit_files(git_dir, {b"f%d" % i: b"%d\n" % i for i in range(300)})
    log = in_front_of_git('echo "$2" >> $LOG')
    with closing(CommitSnapshot(git_dir, commit)) as snapshot:
        assert [snapshot.read(f"f{i}") for i in range(300)] == [b"%d\n" % i for i in range(300)]
        assert len(list(snapshot.index.find_candidates(["1"], ignore_case=False))) > 1
    assert log.read_text().split() == ["rev-parse", "ls-tree", "cat-file"]


def test_threads_read_right_with_at_most_one_process_each(git_dir: Path, in_front_of_git: FakeGit) -> None:
    contents = [b"%d\n" % i * (i + 1) for i in range(100)]
    oids = [write_blob(git_dir, content) for content in contents[:20]]
    log = in_front_of_git('echo "$2" >> $LOG')
    together = threading.Barrier(8)

    def read_all(_: int) -> bool:
        together.wait()
        return all(blobs.read(oid, 1 << 20) == content for oid, content in zip(oids, contents, strict=False))

    with closing(BlobReader(git_dir)) as blobs, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read_all, range(8)))
    assert log.read_text().split().count("cat-file") <= 8


def test_a_reader_that_dies_is_replaced_once(git_dir: Path, in_front_of_git: FakeGit) -> None:
    oid = write_blob(git_dir, b"content")
    log = in_front_of_git('echo x >> $LOG; [ "$(wc -l < $LOG)" -gt 1 ] || exit 3')
    with closing(BlobReader(git_dir)) as blobs:
        assert blobs.read(oid, 100) == b"content"
    assert log.read_text() == "x\nx\n"


def test_a_reader_that_dies_in_a_batch_is_replaced(git_dir: Path, in_front_of_git: FakeGit) -> None:
    oids = [write_blob(git_dir, b"%d" % i) for i in range(5)]
    in_front_of_git('echo x >> $LOG; [ "$(wc -l < $LOG)" -gt 1 ] || exit 3')
    with closing(BlobReader(git_dir)) as blobs:
        assert list(blobs.read_many(oids)) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_reader_that_dies_twice_is_an_error(git_dir: Path, in_front_of_git: FakeGit) -> None:
    oid = write_blob(git_dir, b"content")
    log = in_front_of_git("echo x >> $LOG; exit 3")
    with closing(BlobReader(git_dir)) as blobs, pytest.raises(GitFailed, match="died twice"):
        blobs.read(oid, 100)
    assert log.read_text() == "x\nx\n"


def test_nonsense_in_place_of_an_answer_is_an_error(git_dir: Path, in_front_of_git: FakeGit) -> None:
    oid = write_blob(git_dir, b"content")
    in_front_of_git("echo hello you there; exit")
    with closing(BlobReader(git_dir)) as blobs, pytest.raises(GitFailed, match="died twice"):
        blobs.read(oid, 100)


def test_a_missing_blob_is_an_error_and_the_next_one_is_read(git_dir: Path) -> None:
    oid = write_blob(git_dir, b"content")
    with closing(BlobReader(git_dir)) as blobs:
        with pytest.raises(GitFailed, match="lacks the content"):
            blobs.read("1" * 40, 100)
        assert blobs.read(oid, 100) == b"content"


def test_an_abandoned_batch_leaves_no_wrong_answers(git_dir: Path) -> None:
    oids = [write_blob(git_dir, b"%d" % i) for i in range(5)]
    with closing(BlobReader(git_dir)) as blobs:
        batch = blobs.read_many(oids)
        assert next(batch) == b"0"
        batch.close()
        assert blobs.read(oids[3], 100) == b"3"


def test_a_200_mb_blob_is_served_without_holding_it(git_dir: Path, tmp_path: Path) -> None:
    size = 200 << 20
    zeros = tmp_path / "zeros"
    with zeros.open("wb") as file:
        file.write(b"beginning\n")
        file.truncate(size)
    oid = git(git_dir, "-c", "core.compression=1", "hash-object", "-w", str(zeros)).decode().strip()
    zeros.unlink()
    small = write_blob(git_dir, b"small")
    with closing(BlobReader(git_dir)) as blobs:
        tracemalloc.start()
        assert blobs.read(oid, 10) == b"beginning\n"
        assert len(blobs.read(oid, 1 << 20)) == 1 << 20
        assert blobs.read(small, 10) == b"small"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 << 20
