"""Entries read tree by tree are those of git's own listing."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay_tools.errors import GitFailed
from selfplay_tools.index.store.tree_reader import TreeReader, UnsupportedTree
from selfplay_tools.protocols import SnapshotEntry
from selfplay_tools.snapshot.commit import CommitSnapshot
from tests.repositories import Content, Link, Program, Submodule, commit_files, git, make_git_dir

NAMES = st.sampled_from([b"a", b"a.b", b"a-b", b"b", b"\xc3\xa9", b"z\xff", b"new\nline", b"a b"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.sampled_from([b"", b"one", b"two\n", Link(b"a"), Program(b"#!x"), Submodule("1" * 40)])


def list_entries(git_dir: Path, commit: str) -> Sequence[SnapshotEntry]:
    with closing(CommitSnapshot(git_dir, commit)) as snapshot:
        return snapshot.entries


def without_shadows(files: dict[bytes, Content]) -> dict[bytes, Content]:
    """Leave out what lies below a file: git can't hold both."""
    return {path: content for path, content in files.items() if not any(path.startswith(f + b"/") for f in files)}


@given(st.lists(st.dictionaries(PATHS, CONTENTS, max_size=8).map(without_shadows), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_entries_are_those_of_gits_listing(
    tmp_path_factory: pytest.TempPathFactory, commits: list[dict[bytes, Content]]
) -> None:
    root = tmp_path_factory.mktemp("trees")
    git_dir = make_git_dir(root / "r.git")
    trees = TreeReader(git_dir, lambda _: {})
    for files in commits:
        commit = commit_files(git_dir, files)
        expected = list_entries(git_dir, commit)
        try:
            assert trees.read_entries(commit, 100) == expected
        except UnsupportedTree:
            assert any("\\" in entry.path for entry in expected)
        with closing(CommitSnapshot(git_dir, commit, store=root / "index")) as kept:
            assert kept.entries == expected
            for folder in ("", "a", "a/b"):
                with closing(CommitSnapshot(git_dir, commit)) as plain:
                    assert kept.kind(folder) == plain.kind(folder)


def test_what_did_not_change_is_the_same_object(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    files = {b"a/b/c.txt": b"1", b"a/d.txt": b"2", b"e.txt": b"3"}
    first, second = commit_files(git_dir, files), commit_files(git_dir, {**files, b"e.txt": b"4"})
    trees = TreeReader(git_dir, lambda _: {})
    before, after = trees.read_entries(first, 100), trees.read_entries(second, 100)
    assert [one is other for one, other in zip(before, after, strict=True)] == [True, True, False]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commit = commit_files(git_dir, {b"%d" % number: b"" for number in range(5)})
    with pytest.raises(GitFailed, match="more than 4 files"):
        TreeReader(git_dir, lambda _: {}).read_entries(commit, 4)


def test_a_lost_tree_is_named(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commit = commit_files(git_dir, {b"a/b": b"x"})
    objects = git(git_dir, "pack-objects", "--stdout", "--all", "--quiet")
    for pack in (git_dir / "objects" / "pack").iterdir():
        pack.unlink()
    git(git_dir, "unpack-objects", "-q", stdin=objects)
    tree = git(git_dir, "rev-parse", f"{commit}:a").decode().strip()
    (git_dir / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(GitFailed, match="lacks a tree"):
        TreeReader(git_dir, lambda _: {}).read_entries(commit, 4)
