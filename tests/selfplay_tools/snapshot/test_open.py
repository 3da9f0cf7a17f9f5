from contextlib import closing
from pathlib import Path

import pytest

from selfplay_tools.errors import NoSuchCommit, NotUsable
from selfplay_tools.snapshot.open import default_index_folder, open_snapshot
from selfplay_tools.tools.toolbox import Toolbox
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


def test_each_repository_has_an_index_of_its_own_below_the_users_cache(tmp_path: Path) -> None:
    bare = make_git_dir(tmp_path / "bare.git")
    commit_files(bare, {b"a": b"1"})
    git(bare, "clone", "--quiet", str(bare), str(tmp_path / "tree"))
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    folders = [
        default_index_folder(path, environ) for path in (bare, tmp_path / "tree", tmp_path / "tree" / ".." / "tree")
    ]
    assert folders[1] == folders[2] != folders[0]
    assert [folder.name.rpartition("-")[0] for folder in folders] == ["bare.git", "tree", "tree"]
    assert {folder.parent for folder in folders} == {tmp_path / "cache" / "selfplay" / "index"}
    assert default_index_folder(bare, {"XDG_CACHE_HOME": "relative"}).is_relative_to(Path.home() / ".cache")


def test_an_index_changes_no_answer_and_may_be_that_of_others(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "bare.git")
    first = commit_files(git_dir, {b"a.py": b"def header():\n    return 1\n", b"b.py": b"x = header()\n"})
    second = commit_files(git_dir, {b"c.py": b"header = 3\n"})
    folder = tmp_path / "index"
    calls = [
        ("grep", '{"pattern": "header"}'),
        ("search", '{"query": "header"}'),
        ("find_symbol", '{"name": "header"}'),
    ]
    for commit in (first, second, first):
        plain, one, other = (open_snapshot(git_dir, commit, index=index) for index in (None, folder, folder))
        with closing(plain), closing(one), closing(other):
            expected = [Toolbox(plain).run(*call) for call in calls]
            assert [Toolbox(one).run(*call) for call in calls] == expected
            assert [Toolbox(other).run(*call) for call in calls] == expected
    assert sorted(path.name for path in (folder / "used").iterdir()) == sorted([first, second])
