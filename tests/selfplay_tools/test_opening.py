from contextlib import closing
from pathlib import Path

import pytest

from selfplay_tools.errors import NoSuchCommit, NotUsable
from selfplay_tools.opening import open_snapshot
from tests.repositories import commit_files, git, make_git_dir


def test_a_bare_repository_and_a_work_tree_open_at_the_same_commit(tmp_path: Path) -> None:
    bare = make_git_dir(tmp_path / "bare.git")
    first = commit_files(bare, {b"a": b"1"})
    commit_files(bare, {b"a": b"2"})
    git(bare, "clone", "--quiet", str(bare), str(tmp_path / "tree"))
    for path in (bare, tmp_path / "tree"):
        with closing(open_snapshot(path, "main~1" if path == bare else first)) as snapshot:
            assert snapshot.identity == f"git:{first}"
            assert snapshot.read("a") == b"1"


def test_a_linked_work_tree_opens_at_its_own_head(tmp_path: Path) -> None:
    bare = make_git_dir(tmp_path / "bare.git")
    first = commit_files(bare, {b"a": b"1"})
    commit_files(bare, {b"a": b"2"})
    git(bare, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), first)
    with closing(open_snapshot(tmp_path / "linked")) as snapshot:
        assert snapshot.identity == f"git:{first}"


def test_a_directory_opens_as_it_is_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("3")
    with closing(open_snapshot(tmp_path, "worktree")) as snapshot:
        assert snapshot.read("a") == b"3"


def test_what_is_no_repository_or_has_no_such_commit_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotUsable, match="'worktree' takes a directory"):
        open_snapshot(tmp_path)
    with pytest.raises(NotUsable, match="can't be opened"):
        open_snapshot(tmp_path / "gone", "worktree")
    with pytest.raises(NoSuchCommit):
        open_snapshot(make_git_dir(tmp_path / "bare.git"), "gone")
