from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfplay_tools.errors import GitFailed, NoSuchCommit, NoSuchPath, NotReadable, ToolsError
from selfplay_tools.protocols import PathKind, Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.snapshot.directory import UNREADABLE, DirectorySnapshot
from selfplay_tools.text.paths import is_served
from tests.repositories import (
    Content,
    Link,
    Program,
    Submodule,
    all_folders,
    commit_files,
    git,
    make_directory,
    make_git_dir,
    open_both_ways,
)

FILES: Mapping[bytes, Content] = {
    b"README.md": b"hello\n",
    b"src/app.py": b"import net\n",
    b"src/net/http.py": b"x = 1\r\ny = 2\r\n",
    b"src/net/data.bin": b"\0\1\2",
    b"bin/run": Program(b"#!/bin/sh\n"),
    b"latest": Link(b"src/net"),
    b"src/net/up": Link(b"../app.py"),
    b"outside": Link(b"/etc/passwd"),
    b"above": Link(b"../../secret"),
    b"loop": Link(b"pool"),
    b"pool": Link(b"loop"),
    b"dangling": Link(b"nothing/here"),
    b"vendor/lib": Submodule("1" * 40),
    b"caf\xe9.txt": b"latin\n",
    b"new\nline.txt": b"odd\n",
    b"-rf": b"dash\n",
    b"Case.txt": b"upper\n",
    b"case.txt": b"lower\n",
}


@pytest.fixture(params=["commit", "directory"])
def snapshot(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Snapshot]:
    """`FILES`, once as a commit and once as a directory."""
    with open_both_ways(tmp_path, FILES) as (committed, on_disk):
        yield committed if request.param == "commit" else on_disk


def test_entries_are_sorted_and_complete(snapshot: Snapshot) -> None:
    paths = [entry.path for entry in snapshot.entries]
    assert paths == sorted(paths)
    assert len(paths) == len(FILES)
    assert {r"caf\xe9.txt", r"new\nline.txt", "-rf", "vendor/lib"} <= set(paths)


def test_an_entry_says_what_it_is(snapshot: Snapshot) -> None:
    run, link, module = (snapshot.entry(path) for path in ("bin/run", "latest", "vendor/lib"))
    assert run is not None
    assert link is not None
    assert module is not None
    assert (run.kind, run.executable, run.size) == (PathKind.FILE, True, 10)
    assert (link.kind, link.size) == (PathKind.LINK, 7)
    assert (module.kind, module.size, module.oid) == (PathKind.SUBMODULE, 0, "1" * 40)
    assert snapshot.entry("src") is None
    assert snapshot.entry("src/nothing") is None


def test_children_are_sorted_by_name(snapshot: Snapshot) -> None:
    assert list(snapshot.children("src")) == [("app.py", PathKind.FILE), ("net", PathKind.FOLDER)]
    with pytest.raises(NoSuchPath):
        snapshot.children("src/app.py")


@pytest.mark.parametrize(
    ("asked", "real"),
    [
        ("", ""),
        (".", ""),
        ("./src//net/", "src/net"),
        ("src/../src/./app.py", "src/app.py"),
        ("src/app.py/", "src/app.py"),
        ("latest", "src/net"),
        ("latest/http.py", "src/net/http.py"),
        ("latest/up", "src/app.py"),
        ("latest/../app.py", "src/app.py"),
        ("vendor/lib", "vendor/lib"),
    ],
)
def test_a_path_is_tidied_and_links_inside_are_followed(snapshot: Snapshot, asked: str, real: str) -> None:
    assert snapshot.resolve(asked) == real


@pytest.mark.parametrize(
    "path", ["/src/app.py", "..", "../src", "src/../../etc", "src/app.py/x", "SRC/app.py", "src\\app.py"]
)
def test_what_is_not_exactly_there_is_no_path(snapshot: Snapshot, path: str) -> None:
    with pytest.raises(NoSuchPath):
        snapshot.resolve(path)


@pytest.mark.parametrize(
    ("path", "word"),
    [("outside", "outside"), ("above", "leads out"), ("loop", "circle"), ("vendor/lib/x.c", "submodule")],
)
def test_a_link_that_leads_nowhere_inside_is_refused(snapshot: Snapshot, path: str, word: str) -> None:
    with pytest.raises(NotReadable, match=word):
        snapshot.resolve(path)


def test_a_dangling_link_is_no_path(snapshot: Snapshot) -> None:
    with pytest.raises(NoSuchPath):
        snapshot.resolve("dangling")
    assert snapshot.link_target("dangling") == "nothing/here"


@pytest.mark.parametrize(
    ("path", "word"), [("src", "folder"), ("latest", "link to 'src/net'"), ("vendor/lib", "submodule")]
)
def test_only_files_are_read(snapshot: Snapshot, path: str, word: str) -> None:
    with pytest.raises(NotReadable, match=word):
        snapshot.read(path)
    with pytest.raises(NotReadable, match=word):
        snapshot.text(path)


def test_a_link_target_is_asked_of_links_only(snapshot: Snapshot) -> None:
    with pytest.raises(NotReadable, match="no link"):
        snapshot.link_target("README.md")
    with pytest.raises(NoSuchPath):
        snapshot.link_target("nothing")


def test_contents_are_read_and_decoded(snapshot: Snapshot) -> None:
    assert snapshot.read("src/net/http.py") == b"x = 1\r\ny = 2\r\n"
    assert snapshot.read("src/net/http.py", max_bytes=3) == b"x ="
    assert snapshot.text("src/net/http.py").lines == ("x = 1", "y = 2")
    assert snapshot.text("src/net/data.bin").is_binary
    assert snapshot.text(r"caf\xe9.txt").lines == ("latin",)


@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        ("/src/app.py", "src/app.py"),
        ("src\\app.py", "src/app.py"),
        ("SRC/APP.PY", "src/app.py"),
        ("http.py", "src/net/http.py"),
        ("src/net/htpp.py", "src/net/http.py"),
        ("lib/net/http.py", "src/net/http.py"),
        ("readme.md", "README.md"),
    ],
)
def test_a_wrong_path_brings_the_one_that_was_meant(snapshot: Snapshot, wrong: str, first: str) -> None:
    with pytest.raises(NoSuchPath) as caught:
        snapshot.resolve(wrong)
    assert caught.value.nearest[0] == first


def test_nothing_is_near_to_nonsense(snapshot: Snapshot) -> None:
    assert snapshot.nearest_paths("qqqqqqqqqqqqqqqqqqqqq") == ()
    assert snapshot.nearest_paths("x" * 1_000_000) == ()
    assert snapshot.nearest_paths("app.py", limit=0) == ()


def test_a_closed_snapshot_reads_nothing(snapshot: Snapshot) -> None:
    snapshot.close()
    snapshot.close()
    with pytest.raises(ValueError, match="closed"):
        snapshot.read("README.md")


def test_a_clean_checkout_has_the_tree_id_of_its_commit(tmp_path: Path) -> None:
    with open_both_ways(tmp_path, FILES) as (committed, on_disk):
        commit = committed.identity.removeprefix("git:")
        tree = git(tmp_path / "files.git", "rev-parse", f"{commit}^{{tree}}").decode().strip()
        assert on_disk.identity == f"tree:{tree}"


def test_any_revision_is_pinned_to_its_commit(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commit = commit_files(git_dir, {b"a": b"1"})
    git(git_dir, "tag", "-a", "-m", "a tag", "v1", commit)
    for revision in ("main", "v1", commit[:8], git(git_dir, "rev-parse", "v1").decode().strip()):
        with closing(CommitSnapshot(git_dir, revision)) as snapshot:
            assert snapshot.identity == f"git:{commit}"


@pytest.mark.parametrize("revision", ["", "nothing", "a" * 40, "-h", "main^{tree}", "main:a", "main\n", "main..main"])
def test_what_is_no_commit_is_refused(tmp_path: Path, revision: str) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commit_files(git_dir, {b"a": b"1"})
    with pytest.raises(NoSuchCommit):
        CommitSnapshot(git_dir, revision)


def test_an_earlier_commit_does_not_see_a_later_one(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    first = commit_files(git_dir, {b"a.py": b"old\n"})
    commit_files(git_dir, {b"a.py": b"new\n", b"b.py": b"later\n"})
    with closing(CommitSnapshot(git_dir, first)) as snapshot:
        assert snapshot.text("a.py").lines == ("old",)
        assert snapshot.kind("b.py") is None


def test_an_empty_tree_is_a_snapshot(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    with closing(CommitSnapshot(git_dir, commit_files(git_dir, {}))) as snapshot:
        assert snapshot.entries == ()
        assert list(snapshot.children("")) == []
        assert snapshot.nearest_paths("a") == ()


def test_a_folder_without_git_is_a_snapshot(tmp_path: Path) -> None:
    root = make_directory(tmp_path / "plain", {b"a/b.py": b"1\n"})
    with closing(DirectorySnapshot(root)) as snapshot:
        assert [entry.path for entry in snapshot.entries] == ["a/b.py"]
    with pytest.raises(OSError, match="No such file"):
        DirectorySnapshot(tmp_path / "nothing")


def test_a_file_that_changes_after_opening_is_refused(tmp_path: Path) -> None:
    root = make_directory(tmp_path / "d", {b"a.py": b"one\n", b"b.py": b"two\n"})
    with closing(DirectorySnapshot(root)) as snapshot:
        (root / "a.py").write_bytes(b"other\n")
        (root / "b.py").unlink()
        (root / "new.py").write_bytes(b"")
        with pytest.raises(NotReadable, match="changed"):
            snapshot.text("a.py")
        with pytest.raises(NotReadable, match="No such file"):
            snapshot.text("b.py")
        assert [entry.oid for entry in snapshot.entries] == [UNREADABLE, UNREADABLE]
        assert [entry.path for entry in snapshot.index.list_unsearched()] == ["a.py", "b.py"]


def test_a_checked_out_submodule_says_its_commit(tmp_path: Path) -> None:
    root = make_directory(tmp_path / "d", {b"a": b"1"})
    commit = "3" * 40
    (root / ".git/modules/s/refs/heads").mkdir(parents=True)
    (root / ".git/modules/s/HEAD").write_text("ref: refs/heads/main\n")
    (root / ".git/modules/s/packed-refs").write_text(f"# pack-refs with: peeled\n{commit} refs/heads/main\n")
    (root / "libs/s").mkdir(parents=True)
    (root / "libs/s/.git").write_text("gitdir: ../../.git/modules/s\n")
    with closing(DirectorySnapshot(root)) as snapshot:
        entry = snapshot.entry("libs/s")
        assert entry is not None
        assert (entry.kind, entry.oid) == (PathKind.SUBMODULE, commit)


NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"A", b"src", b"x.py", b"X.py", b"..a", b"-rf", b"a b", b"a\\b", "é".encode()]),
    st.binary(min_size=1, max_size=6).filter(lambda name: b"/" not in name and b"\0" not in name),
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join).filter(is_served)
CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"import os\r\n", b"\xff\xfea\0b\0", b"class HttpServer:\n    pass\n", b"x" * 9000 + b"\0"]),
    st.binary(max_size=10).map(Program),
    st.lists(st.sampled_from([b"..", b"a", b"b", b"src", b".", b"", b"x.py"]), min_size=1, max_size=4).map(
        lambda names: Link(b"/".join(names) or b".")
    ),
    st.just(Submodule("2" * 40)),
)


def _without_conflicts(files: Mapping[bytes, Content]) -> dict[bytes, Content]:
    folders = {path[:at] for path in files for at in range(len(path)) if path[at : at + 1] == b"/"}
    return {path: content for path, content in files.items() if path not in folders}


TREES = st.dictionaries(PATHS, CONTENTS, max_size=8).map(_without_conflicts)
WRONG = st.lists(st.sampled_from(["a", "b", "A", "src", "x.py", "..", ".", "", "a b", "é"]), max_size=5).map("/".join)


def _ask_snapshot(snapshot: Snapshot, verb: str, path: str) -> object:
    try:
        return getattr(snapshot, verb)(path)
    except ToolsError as error:
        return type(error), str(error)


def _resolve_path(snapshot: Snapshot, path: str) -> str | None:
    try:
        return snapshot.resolve(path)
    except ToolsError:
        return None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, st.lists(WRONG, max_size=5))
def test_a_commit_and_its_checkout_are_the_same_snapshot(files: dict[bytes, Content], wrong: list[str]) -> None:
    with TemporaryDirectory() as folder, open_both_ways(Path(folder), files) as (committed, on_disk):
        assert list(committed.entries) == list(on_disk.entries)
        assert len(committed.entries) == len(files)
        paths = [entry.path for entry in committed.entries]
        known = {*paths, *all_folders(committed)}
        for path in [*known, *wrong]:
            assert _resolve_path(committed, path) in {None, *known}
            for verb in ("kind", "entry", "children", "resolve", "read", "text", "link_target", "nearest_paths"):
                assert _ask_snapshot(committed, verb, path) == _ask_snapshot(on_disk, verb, path)
        assert list(committed.index.list_unsearched()) == list(on_disk.index.list_unsearched())
        assert committed.index.rank(["server", "a"], 5).best == on_disk.index.rank(["server", "a"], 5).best


def test_a_damaged_repository_is_reported(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commit = commit_files(git_dir, {b"a.py": b"some content\n"})
    oid = git(git_dir, "rev-parse", "main:a.py").decode().strip()
    (git_dir / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(GitFailed, match="lacks the content"):
        CommitSnapshot(git_dir, commit)
