"""Trees that were made to do harm. What happened to each stands in docs/hostile.md."""

import os
import shutil
import socket
import tracemalloc
import unicodedata
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest

from selfplay_tools.errors import GitFailed, NoSuchCommit, NoSuchPath, NotReadable
from selfplay_tools.protocols import PathKind, Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot
from tests.repositories import (
    Files,
    Link,
    Submodule,
    commit_files,
    commit_tree,
    git,
    make_directory,
    make_git_dir,
    open_both_ways,
    write_blob,
    write_raw_tree,
)

Serve = Callable[[Files], Snapshot]
OUTSIDE = "the secret outside\n"


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    return make_git_dir(tmp_path / "r.git")


@pytest.fixture(params=["commit", "directory"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Serve]:
    """A snapshot of the given files; next to them lies a folder with a secret."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.txt").write_text(OUTSIDE)
    opened: list[Snapshot] = []

    def make(files: Files) -> Snapshot:
        if request.param == "commit":
            git_dir = make_git_dir(tmp_path / "served.git")
            opened.append(CommitSnapshot(git_dir, commit_files(git_dir, files)))
        else:
            opened.append(DirectorySnapshot(make_directory(tmp_path / "served", files)))
        return opened[-1]

    yield make
    for snapshot in opened:
        snapshot.close()


def open_handmade_tree(git_dir: Path, *items: tuple[bytes, bytes, str]) -> CommitSnapshot:
    return CommitSnapshot(git_dir, commit_tree(git_dir, write_raw_tree(git_dir, items)))


# Links out


def test_links_never_lead_out(serve: Serve, tmp_path: Path) -> None:
    outside = os.fsencode(tmp_path / "outside")
    snapshot = serve(
        {
            b"absolute": Link(outside + b"/secret.txt"),
            b"relative": Link(b"../outside/secret.txt"),
            b"folder": Link(b"../outside"),
            b"one": Link(b"two"),
            b"two": Link(b"deep/three"),
            b"deep/three": Link(b"../../outside/secret.txt"),
            b"root": Link(b"/"),
            b"in/and/out": Link(b"../../in/../../outside"),
        }
    )
    wanted = [
        "absolute",
        "relative",
        "folder",
        "folder/secret.txt",
        "one",
        "two",
        "deep/three",
        "in/and/out/secret.txt",
    ]
    for path in [*wanted, f"root{outside.decode()}/secret.txt"]:
        with pytest.raises(NotReadable, match=r"leads out|outside of the repository"):
            snapshot.resolve(path)
    for entry in snapshot.entries:
        with pytest.raises(NotReadable, match="is a link"):
            snapshot.read(entry.path)
    assert list(snapshot.index.find_candidates(["secret"], ignore_case=False)) == []


def test_an_error_about_a_link_names_no_path_of_this_machine(serve: Serve, tmp_path: Path) -> None:
    snapshot = serve({b"out": Link(b"../outside/secret.txt"), b"etc": Link(b"/etc/passwd")})
    for path in ("out", "etc", "out/deeper"):
        with pytest.raises(NotReadable) as caught:
            snapshot.resolve(path)
        assert str(tmp_path) not in str(caught.value)


def test_links_in_a_circle_end(serve: Serve) -> None:
    snapshot = serve(
        {b"self": Link(b"self"), b"a": Link(b"b"), b"b": Link(b"a"), b"grow": Link(b"grow/x"), b"d/here": Link(b".")}
    )
    for path in ("self", "a", "grow", "self/x"):
        with pytest.raises(NotReadable, match="circle"):
            snapshot.resolve(path)
    assert snapshot.resolve("d/here/here/here") == "d"


def test_a_path_from_a_model_never_reaches_the_disk(serve: Serve, tmp_path: Path) -> None:
    snapshot = serve({b"a.py": b"1\n"})
    secret = f"{tmp_path}/outside/secret.txt"
    for path in (
        secret,
        "../outside/secret.txt",
        "a.py/../../outside/secret.txt",
        "/etc/passwd",
        "a.py\0",
        ".git/config",
    ):
        with pytest.raises(NoSuchPath):
            snapshot.resolve(path)
        with pytest.raises(NoSuchPath):
            snapshot.read(path)


# Names


def test_strange_names_are_served_under_a_name_that_can_be_typed(serve: Serve) -> None:
    names = {
        b"new\nline": r"new\nline",
        b"\x1b[31m": r"\x1b[31m",
        b"caf\xe9": r"caf\xe9",
        b"-rf": "-rf",
        b"--upload-pack=x": "--upload-pack=x",
        b"..a": "..a",
        b"...": "...",
        b"a\\..\\b": "a\\..\\b",
        b" ": " ",
        b"$(id)": "$(id)",
        b"\xe2\x80\xaetxt.exe": r"\u202etxt.exe",
        b"*": "*",
        b":(glob)x": ":(glob)x",
    }
    snapshot = serve({raw: raw for raw in names})
    assert {entry.path for entry in snapshot.entries} == set(names.values())
    for raw, path in names.items():
        assert snapshot.read(snapshot.resolve(path)) == raw


def test_composed_and_decomposed_names_are_two_files(serve: Serve) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é.py") for form in ("NFC", "NFD"))
    snapshot = serve({composed.encode(): b"one\n", decomposed.encode(): b"two\n", "ü.py".encode(): b"three\n"})
    assert snapshot.text(composed).lines == ("one",)
    assert snapshot.text(decomposed).lines == ("two",)
    with pytest.raises(NoSuchPath) as caught:
        snapshot.resolve(unicodedata.normalize("NFD", "ü.py"))
    assert caught.value.nearest[0] == "ü.py"


def test_names_that_differ_in_case_are_two_files(serve: Serve) -> None:
    snapshot = serve({b"Read.me": b"one\n", b"read.me": b"two\n"})
    assert (snapshot.text("Read.me").lines, snapshot.text("read.me").lines) == (("one",), ("two",))
    with pytest.raises(NoSuchPath) as caught:
        snapshot.resolve("READ.ME")
    assert set(caught.value.nearest) == {"Read.me", "read.me"}


@pytest.mark.parametrize("name", [b".git", b".GIT", b".Git ", b"git~1", b"GIT~1", b".git::$INDEX_ALLOCATION"])
def test_a_git_directory_inside_a_commit_is_not_served(git_dir: Path, name: bytes) -> None:
    oid = write_blob(git_dir, b"[core]\n")
    inner = write_raw_tree(git_dir, [(b"100644", b"config", oid)])
    with closing(open_handmade_tree(git_dir, (b"40000", name, inner), (b"100644", b"z.py", oid))) as snapshot:
        assert [entry.path for entry in snapshot.entries] == ["z.py"]


def test_the_git_directory_of_a_directory_is_not_served(tmp_path: Path) -> None:
    root = make_directory(tmp_path / "d", {b".git/config": b"secret\n", b"a/.GIT/config": b"secret\n", b"a/b": b""})
    make_directory(root, {b"git~1/config": b"secret\n"})
    with closing(DirectorySnapshot(root)) as snapshot:
        assert [entry.path for entry in snapshot.entries] == ["a/b"]
        assert snapshot.kind(".git") is None


def test_names_that_only_a_hand_made_tree_holds_are_not_served(git_dir: Path) -> None:
    oid = write_blob(git_dir, b"x\n")
    inner = write_raw_tree(git_dir, [(b"100644", b"passwd", oid)])
    items = [(b"40000", b"..", inner), (b"40000", b".", inner), (b"100644", b"good.py", oid), (b"100644", b"/abs", oid)]
    with closing(open_handmade_tree(git_dir, *items)) as snapshot:
        assert [entry.path for entry in snapshot.entries] == ["good.py"]
        with pytest.raises(NoSuchPath):
            snapshot.resolve("../passwd")


def test_a_slash_inside_a_name_is_only_a_folder(git_dir: Path) -> None:
    oid = write_blob(git_dir, b"x\n")
    with closing(open_handmade_tree(git_dir, (b"100644", b"a/b.py", oid), (b"100644", b"../x", oid))) as snapshot:
        assert list(snapshot.children("")) == [("a", PathKind.FOLDER)]
        assert snapshot.text("a/b.py").lines == ("x",)


def test_what_lies_below_a_file_or_link_is_not_served(git_dir: Path) -> None:
    oid, target = write_blob(git_dir, b"x\n"), write_blob(git_dir, b"/etc")
    inner = write_raw_tree(git_dir, [(b"100644", b"passwd", oid)])
    twice = [(b"120000", b"a", target), (b"40000", b"a", inner), (b"100644", b"b", oid), (b"100644", b"b", oid)]
    with closing(open_handmade_tree(git_dir, *twice)) as snapshot:
        assert [(entry.path, entry.kind) for entry in snapshot.entries] == [("a", PathKind.LINK), ("b", PathKind.FILE)]


# Sizes


def test_a_tree_that_names_itself_over_and_over_is_refused(git_dir: Path) -> None:
    oid = write_blob(git_dir, b"x\n")
    tree = write_raw_tree(git_dir, [(b"100644", b"%d" % i, oid) for i in range(10)])
    for _ in range(9):  # ten thousand million paths in twelve objects
        tree = write_raw_tree(git_dir, [(b"40000", b"%d" % i, tree) for i in range(10)])
    with pytest.raises(GitFailed, match="more than 1000 files"):
        CommitSnapshot(git_dir, commit_tree(git_dir, tree), max_entries=1000)


def test_deep_folders_and_long_paths_are_served(serve: Serve) -> None:
    deep = b"/".join([b"d"] * 500 + [b"deep.py"])
    long = b"/".join([b"l" * 200] * 20 + [b"long.py"])
    snapshot = serve({deep: b"deep\n", long: b"long\n"})
    assert snapshot.text(deep.decode()).lines == ("deep",)
    assert snapshot.text(snapshot.resolve(long.decode())).lines == ("long",)
    assert snapshot.nearest_paths("deep.pi")[0] == deep.decode()
    assert len(snapshot.children("/".join(["d"] * 500))) == 1


def test_a_folder_of_20_000_files_is_served(serve: Serve) -> None:
    snapshot = serve({b"many/f%05d.py" % i: b"" for i in range(20_000)})
    assert len(snapshot.children("many")) == 20_000
    assert snapshot.nearest_paths("many/f1234.py")[0].startswith("many/f")


def test_one_line_of_20_mb_is_one_line(serve: Serve) -> None:
    snapshot = serve({b"min.js": b"x" * (20 << 20)})
    text = snapshot.text("min.js")
    assert (len(text.lines), len(text.lines[0]), text.is_whole) == (1, 20 << 20, True)
    assert [entry.path for entry in snapshot.index.list_unsearched()] == ["min.js"]


def test_of_a_200_mb_text_the_beginning_is_served(tmp_path: Path) -> None:
    root = make_directory(tmp_path / "d", {b"big.txt": b"a line\n" * (6 << 20), b"big.bin": b"\0"})
    os.truncate(root / "big.txt", 200 << 20)
    os.truncate(root / "big.bin", 200 << 20)
    with closing(DirectorySnapshot(root)) as snapshot:
        text = snapshot.text("big.txt")
        assert (text.size, text.is_whole, text.lines[0]) == (200 << 20, False, "a line")
        assert sum(len(line) + 1 for line in text.lines) <= (32 << 20) + 1
        tracemalloc.start()
        assert snapshot.text("big.bin").is_binary
        assert snapshot.entry("big.bin") is not None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 16 << 20


# Contents


def test_submodules_and_lfs_pointers_show_as_what_they_are(serve: Serve) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5000000000\n"
    snapshot = serve(
        {
            b".gitmodules": b'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% /tmp/canary\n',
            b".gitattributes": b"*.bin filter=lfs diff=lfs\n* text eol=crlf ident working-tree-encoding=UTF-16\n",
            b"x": Submodule("4" * 40),
            b"model.bin": pointer,
            b"plain.txt": b"$Id$\n",
        }
    )
    assert snapshot.kind("x") is PathKind.SUBMODULE
    with pytest.raises(NotReadable, match="submodule"):
        snapshot.resolve("x/config")
    assert snapshot.text("model.bin").lfs_size == 5_000_000_000
    assert snapshot.read("plain.txt") == b"$Id$\n"


# What is not a file


def test_pipes_sockets_and_devices_are_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_directory(tmp_path / "d", {b"a.py": b""})
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # the address of a socket must be short
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind("socket")
        with closing(DirectorySnapshot(root)) as snapshot:
            assert [entry.path for entry in snapshot.entries] == ["a.py"]


def test_a_nested_repository_is_a_submodule(tmp_path: Path) -> None:
    root = make_directory(tmp_path / "d", {b"a.py": b"", b"nested/.git/config": b"evil", b"nested/b.py": b"hidden\n"})
    (root / "nested/.git/HEAD").symlink_to("/etc/passwd")
    with closing(DirectorySnapshot(root)) as snapshot:
        assert [(entry.path, entry.oid[:4]) for entry in snapshot.entries if entry.kind is PathKind.SUBMODULE] == [
            ("nested", "0000")
        ]
        assert snapshot.kind("nested/b.py") is None


@pytest.mark.parametrize("swap", ["link", "folder link", "pipe", "folder"])
def test_a_file_that_is_swapped_after_listing_does_not_lead_out(tmp_path: Path, swap: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.py").write_text(OUTSIDE)
    root = make_directory(tmp_path / "d", {b"in/a.py": b"harmless outside.\n"})
    with closing(DirectorySnapshot(root)) as snapshot:
        shutil.rmtree(root / "in") if swap == "folder link" else (root / "in/a.py").unlink()
        match swap:
            case "link":
                (root / "in/a.py").symlink_to(tmp_path / "outside/a.py")
            case "folder link":
                (root / "in").symlink_to(tmp_path / "outside")
            case "pipe":
                os.mkfifo(root / "in/a.py")
            case _:
                (root / "in/a.py").mkdir()
        with pytest.raises(NotReadable):
            snapshot.read("in/a.py")
        assert list(snapshot.index.find_candidates(["secret"], ignore_case=False)) == []


# What is not a commit


def test_ids_of_trees_and_blobs_are_no_commits_and_a_tag_is_its_commit(git_dir: Path) -> None:
    commit = commit_files(git_dir, {b"a": b"x\n"})
    for revision in ("main^{tree}", "main:a"):
        with pytest.raises(NoSuchCommit):
            CommitSnapshot(git_dir, git(git_dir, "rev-parse", revision).decode().strip())
    git(git_dir, "tag", "-am", "tag of a tag", "v1", commit)
    with closing(CommitSnapshot(git_dir, "v1")) as snapshot:
        assert snapshot.identity == f"git:{commit}"


def test_replaced_objects_are_not_followed(git_dir: Path) -> None:
    first = commit_files(git_dir, {b"a": b"true\n"})
    second = commit_files(git_dir, {b"a": b"planted\n"})
    git(git_dir, "replace", first, second)
    with closing(CommitSnapshot(git_dir, first)) as snapshot:
        assert snapshot.text("a").lines == ("true",)


def test_both_kinds_agree_on_a_hostile_tree(tmp_path: Path) -> None:
    files: Files = {b"\xff/\n": b"1", b"\\xff/x": b"2", b"\xff/x": Link(b"\n"), b"a": Link(b"\xff/\n")}
    with open_both_ways(tmp_path, files) as (committed, on_disk):
        assert list(committed.entries) == list(on_disk.entries)
        assert len(committed.entries) == len(files)
