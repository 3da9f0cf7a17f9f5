"""Stores that are damaged, half-written, of another version, shared or too large: right answers, never wrong ones."""

import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay_tools.index.store.blob_table import BlobRecord, normalise
from selfplay_tools.index.store.repository_index import open_repository_index
from selfplay_tools.index.store.segment_store import MAX_SEGMENTS, SegmentStore
from selfplay_tools.index.store.store_files import MANIFEST_NAME, STORE_VERSION, StoreManifest, read_manifest
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.tools.grep import Grep, grep
from tests.repositories import commit_files, make_git_dir

FILES = {
    b"src/%02d.py" % number: b"def function_%d():\n    return %d\n" % (number, number) * 20 for number in range(12)
}


def make_blobs(oids: Sequence[bytes]) -> "list[BlobRecord]":
    """Blobs whose content follows from their ids."""
    return [BlobRecord(oid, 40, normalise(oid.hex().encode() + b"\n")) for oid in oids]


def oid_of(number: int) -> bytes:
    return number.to_bytes(20, "big")[::-1]


def fill(store: SegmentStore, numbers: Sequence[int]) -> None:
    store.add([oid_of(number) for number in numbers], lambda oids: iter(make_blobs(oids)))


def stored_texts(store: SegmentStore) -> dict[bytes, bytes]:
    return {
        blob.oid: blob.text.source
        for segment in store.segments
        for blob in segment.read_blobs()
        if blob.text is not None
    }


def is_right(store: SegmentStore, numbers: Sequence[int]) -> bool:
    """Whether everything it holds is true, and nothing that is asked for is claimed and not there."""
    found = stored_texts(store)
    missing = set(store.find_missing([oid_of(number) for number in numbers]))
    return all(source == oid.hex().encode() + b"\n" for oid, source in found.items()) and all(
        (oid_of(number) in found) != (oid_of(number) in missing) for number in numbers
    )


def answers(git_dir: Path, commit: str, store: Path | None) -> list[object]:
    with closing(CommitSnapshot(git_dir, commit, store=store)) as snapshot:
        asked = Grep.model_validate({"pattern": r"function_1\d?\b|return 7"})
        return [
            grep(snapshot, asked),
            snapshot.index.rank(["function", "7"], 20).best,
            snapshot.index.list_unsearched(),
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Path]:
    """A repository, its commit, and a whole store of it."""
    root = tmp_path_factory.mktemp("store")
    git_dir = make_git_dir(root / "r.git")
    commit = commit_files(git_dir, FILES)
    answers(git_dir, commit, root / "index")
    return git_dir, commit, root / "index"


def test_a_store_is_found_again(made: tuple[Path, str, Path]) -> None:
    store = SegmentStore(made[2])
    assert [sorted(segment.files) for segment in store.segments] == [["blobs", "grams", "text", "words"]]
    assert len(store.segments[0]) == len(FILES)


SUFFIXES = ["text", "blobs", "grams", "words", "manifest"]


def file_of(folder: Path, suffix: str) -> Path:
    return folder / MANIFEST_NAME if suffix == "manifest" else next(folder.glob(f"*.{suffix}"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "remove", "grow", "zeros"])
def test_damage_never_changes_an_answer(
    made: tuple[Path, str, Path], tmp_path: Path, suffix: str, seed: int, harm: str
) -> None:
    git_dir, commit, whole = made
    folder = tmp_path / "index"
    shutil.copytree(whole, folder)
    do_harm(file_of(folder, suffix), harm, random.Random(f"{suffix} {seed} {harm}"))  # noqa: S311  # which byte
    expected = answers(git_dir, commit, None)
    assert answers(git_dir, commit, folder) == expected
    assert answers(git_dir, commit, folder) == expected
    again = SegmentStore(folder)
    assert len({oid for segment in again.segments for oid in map(bytes, segment.table.oids)}) == len(FILES)


def do_harm(path: Path, harm: str, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    match harm:
        case "flip":
            data[at] ^= 1 << chance.randrange(8)
        case "cut":
            del data[at:]
        case "empty":
            data.clear()
        case "grow":
            data += b"x"
        case "zeros":
            data[at:] = bytes(len(data) - at)
        case _:
            path.unlink()
            return
    path.write_bytes(data)


def test_damage_that_keeps_the_time_of_change_is_seen(made: tuple[Path, str, Path], tmp_path: Path) -> None:
    git_dir, commit, whole = made
    folder = tmp_path / "index"
    shutil.copytree(whole, folder)
    answers(git_dir, commit, folder)
    path = file_of(folder, "text")
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"function", b"junction"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [len(segment) for segment in SegmentStore(folder).segments] == []


def test_a_copy_is_read_through_once_and_then_trusted(made: tuple[Path, str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(made[2], folder)
    before = read_manifest(folder)
    store = SegmentStore(folder)
    after = read_manifest(folder)
    assert before != after == StoreManifest({one.name: one.files for one in store.segments}, before.following)


def test_another_version_is_made_anew(made: tuple[Path, str, Path], tmp_path: Path) -> None:
    git_dir, commit, whole = made
    folder = tmp_path / "index"
    shutil.copytree(whole, folder)
    path = folder / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "version": STORE_VERSION + 1}))
    assert SegmentStore(folder).segments == ()
    assert answers(git_dir, commit, folder) == answers(git_dir, commit, None)
    assert len(list(folder.glob("*.text"))) == 1


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path / "index")
    fill(store, range(3))
    for name in ("000007.text", "000007.blobs.part", "manifest.json.part"):
        (store.folder / name).write_bytes(b"half")
    (store.folder / "not ours").write_bytes(b"kept")
    fill(store, range(5))
    assert {path.name for path in store.folder.iterdir() if "000007" in path.name or "part" in path.name} == set()
    assert (store.folder / "not ours").exists()
    assert is_right(SegmentStore(store.folder), range(8))


@given(st.lists(st.lists(st.integers(0, 40), max_size=8), max_size=20))
@settings(max_examples=20, deadline=None)
def test_blobs_are_stored_once_whoever_asks(tmp_path_factory: pytest.TempPathFactory, asked: list[list[int]]) -> None:
    folder = tmp_path_factory.mktemp("once")
    for numbers in asked:
        fill(SegmentStore(folder), numbers)
    store = SegmentStore(folder)
    wanted = {number for numbers in asked for number in numbers}
    assert sum(map(len, store.segments)) == len(wanted) == len(stored_texts(store))
    assert is_right(store, range(41))


def test_small_segments_are_put_together(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path)
    for number in range(3 * MAX_SEGMENTS):
        fill(store, [number])
    assert len(store.segments) <= MAX_SEGMENTS
    assert is_right(store, range(4 * MAX_SEGMENTS))
    assert len(stored_texts(SegmentStore(tmp_path))) == 3 * MAX_SEGMENTS
    assert len(list(tmp_path.glob("*.text"))) == len(store.segments)


def test_a_reader_keeps_what_a_writer_removes(tmp_path: Path) -> None:
    reader, writer = SegmentStore(tmp_path), SegmentStore(tmp_path)
    fill(writer, [0])
    (before,) = reader.refresh()
    for number in range(1, 2 * MAX_SEGMENTS):
        fill(writer, [number])
    assert not (tmp_path / f"{before.name}.text").exists()
    assert bytes(before.source_of(0)) == oid_of(0).hex().encode() + b"\n"
    reader.refresh()
    assert stored_texts(reader) == stored_texts(writer)


def test_texts_are_parted_into_segments_by_size(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path, segment_bytes=100)
    fill(store, range(10))
    assert len(store.segments) == 4
    assert is_right(store, range(12))


def test_what_only_old_commits_hold_goes_first(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path, max_bytes=40_000)
    commits = {f"commit{number}": [oid_of(10 * number + at) for at in range(10)] for number in range(5)}
    for number, (commit, oids) in enumerate(commits.items()):
        store.add(oids, lambda wanted: iter(make_blobs(wanted)))
        store.commits.note(commit)
        os.utime(tmp_path / "used" / commit, (number, number))
    assert store.size > 40_000
    store.shrink(lambda commit: commits[commit])
    assert store.size <= 40_000
    assert store.commits.latest()[0] == "commit4"
    assert set(commits["commit4"]) <= set(stored_texts(store))
    assert not set(commits["commit0"]) & set(stored_texts(store))
    assert is_right(SegmentStore(tmp_path), range(60))


def test_a_store_within_its_limit_is_left_alone(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path)
    fill(store, range(5))
    before = store.segments
    store.shrink(lambda _: [])
    assert store.segments is before


def test_a_place_where_nothing_can_be_written_costs_only_time(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commit = commit_files(git_dir, FILES)
    (tmp_path / "file").write_bytes(b"")
    assert answers(git_dir, commit, tmp_path / "file" / "index") == answers(git_dir, commit, None)


WRITER = """
    import sys
    from pathlib import Path
    from selfplay_tools.snapshot.commit import CommitSnapshot
    from selfplay_tools.index.store.repository_index import open_repository_index
    git_dir, folder, commits = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    for commit in commits:
        snapshot = CommitSnapshot(git_dir, commit, store=folder)
        snapshot.index.rank(["function"], 3)
        snapshot.close()
    problem = open_repository_index(git_dir, folder).problem
    assert problem is None, problem
"""


def test_several_processes_build_at_once(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commits = [
        commit_files(git_dir, {**FILES, b"new.py": b"def function_new_%d(): pass\n" % number}) for number in range(6)
    ]
    folder = tmp_path / "index"
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(git_dir), str(folder)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    orders = [commits, commits[::-1], commits[3:] + commits[:3]]
    writers = [subprocess.Popen([*command, *order], env=env) for order in orders]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    store = SegmentStore(folder)
    assert sum(map(len, store.segments)) == len(FILES) + len(commits)
    for commit in commits:
        assert answers(git_dir, commit, folder) == answers(git_dir, commit, None)


DYING = """
    import os, sys
    from pathlib import Path
    from selfplay_tools.index.store.blob_table import BlobRecord
    from selfplay_tools.index.store.blob_table import normalise
    from selfplay_tools.index.store.segment_store import SegmentStore

    def fetch(oids):
        for oid in oids:
            if oid[0] == 7:
                os._exit(9)
            yield BlobRecord(oid, 40, normalise(oid.hex().encode() + b"\\n"))

    store = SegmentStore(Path(sys.argv[1]), segment_bytes=100)
    store.add([number.to_bytes(20, "big")[::-1] for number in range(10)], fetch)
"""


def test_a_writer_that_dies_leaves_what_it_had_finished(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(DYING), str(tmp_path)]
    assert subprocess.run(command, env=env, check=False).returncode == 9
    store = SegmentStore(tmp_path)
    assert len(stored_texts(store)) == 6
    assert len(list(tmp_path.glob("*.text"))) == 3
    fill(store, range(10))
    assert is_right(store, range(12))
    assert len(list(tmp_path.glob("*.text"))) == len(store.segments)


class _Killed(Exception):
    """Where a writer ended."""


def kill() -> None:
    raise _Killed


def test_texts_are_there_before_their_signatures_and_a_killed_writer_leaves_them(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path, segment_bytes=100)
    with pytest.raises(_Killed):
        store.add([oid_of(number) for number in range(6)], lambda oids: iter(make_blobs(oids)), on_texts_stored=kill)
    again = SegmentStore(tmp_path, segment_bytes=100)
    assert len(stored_texts(again)) == 6
    assert not again.catalog.has_signatures
    fill(again, range(6))
    assert again.catalog.has_signatures
    assert is_right(again, range(7))


def test_a_store_without_its_signatures_answers_and_gets_them(made: tuple[Path, str, Path], tmp_path: Path) -> None:
    git_dir, commit, whole = made
    folder = tmp_path / "index"
    shutil.copytree(whole, folder)
    file_of(folder, "grams").unlink()
    assert not SegmentStore(folder).catalog.has_signatures
    assert answers(git_dir, commit, folder) == answers(git_dir, commit, None)
    open_repository_index(git_dir.absolute(), folder).wait_until_idle()
    assert SegmentStore(folder).catalog.has_signatures


def test_others_write_while_words_are_counted(tmp_path: Path) -> None:
    counting, other = SegmentStore(tmp_path, segment_bytes=100), SegmentStore(tmp_path, segment_bytes=100)
    fill(counting, range(6))
    written: list[int] = []

    def meanwhile() -> bool:
        written.append(len(written))
        fill(other, [100 + len(written)])
        return len(written) > 4

    counting.add_words(meanwhile)
    counting.add_words()
    found = SegmentStore(tmp_path)
    assert written == list(range(5))
    assert len(stored_texts(found)) == 6 + 5
    assert all(segment.words for segment in found.segments)


def test_a_commit_is_answered_while_another_process_writes(made: tuple[Path, str, Path], tmp_path: Path) -> None:
    """Nothing waits for a writer that is busy with something else: contents are read from git."""
    git_dir, commit, _ = made
    folder = tmp_path / "index"
    expected = answers(git_dir, commit, None)
    SegmentStore(folder)
    asked = Grep.model_validate({"pattern": r"function_1\d?\b|return 7"})
    with FileLock(folder / "lock"), closing(CommitSnapshot(git_dir, commit, store=folder)) as snapshot:
        assert [grep(snapshot, asked), snapshot.index.list_unsearched()] == [expected[0], expected[2]]
        assert not SegmentStore(folder).segments
    open_repository_index(git_dir.absolute(), folder).wait_until_idle()
    assert len(stored_texts(SegmentStore(folder))) == len(FILES)
