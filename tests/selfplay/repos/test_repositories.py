import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from selfplay.core.errors import RepositoryError
from selfplay.repos.repositories import Repositories
from selfplay.repos.sources import find_source, strip_credentials
from selfplay_tools.protocols import PathKind
from tests.repositories import commit_files, git, make_directory, make_git_dir, make_work_tree

OPEN = """
import sys
from pathlib import Path
from selfplay.repos.repositories import Repositories
print(Repositories(Path(sys.argv[1])).resolve(sys.argv[2], "HEAD"))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_git_dir(tmp_path / "source.git")


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return Repositories(tmp_path / "repos")


def clones(repositories_root: Path) -> list[str]:
    return sorted(path.name for path in (repositories_root / ".clones").iterdir() if path.suffix != ".lock")


# Opening


def test_every_revision_means_one_full_id(source: Path, repositories: Repositories) -> None:
    first = commit_files(source, {b"a.py": b"1\n"})
    second = commit_files(source, {b"a.py": b"2\n"})
    git(source, "tag", "-am", "release", "v1", first)
    for revision in ("HEAD", "@", "main", "refs/heads/main", second, second[:10]):
        assert repositories.resolve(str(source), revision) == second
    for revision in ("HEAD~1", "main^", "v1", first, f"{second}~1"):
        assert repositories.resolve(str(source), revision) == first
    with closing(repositories.open(str(source), "v1")) as snapshot:
        assert snapshot.identity == f"git:{first}"
        assert snapshot.text("a.py").lines == ("1",)


def test_a_repository_is_cloned_once(source: Path, repositories: Repositories, tmp_path: Path) -> None:
    commit = commit_files(source, {b"a.py": b"1\n"})
    for repo in (str(source), source.as_uri(), f"{source}/", str(source.parent / "." / source.name)):
        assert repositories.resolve(repo, commit) == commit
    assert len(clones(tmp_path / "repos")) == 1


def test_new_commits_are_fetched(source: Path, repositories: Repositories) -> None:
    first = commit_files(source, {b"a.py": b"1\n"})
    assert repositories.resolve(str(source), "main") == first
    second = commit_files(source, {b"a.py": b"2\n"})
    assert repositories.resolve(str(source), "main") == second
    git(source, "update-ref", "refs/heads/main", first)
    assert repositories.resolve(str(source), "main") == first
    assert repositories.resolve(str(source), second) == second


def test_a_full_id_that_is_there_needs_no_source(source: Path, repositories: Repositories) -> None:
    commit = commit_files(source, {b"a.py": b"1\n"})
    repositories.clone(str(source))
    shutil.rmtree(source)
    source.mkdir()
    assert repositories.resolve(str(source), commit) == commit
    with pytest.raises(RepositoryError):
        repositories.resolve(str(source), "main")


def test_the_head_of_the_source_counts_when_it_is_detached(source: Path, repositories: Repositories) -> None:
    first = commit_files(source, {b"a.py": b"1\n"})
    second = commit_files(source, {b"a.py": b"2\n"})
    git(source, "update-ref", "--no-deref", "HEAD", second)
    git(source, "symbolic-ref", "HEAD", "refs/heads/main")
    git(source, "update-ref", "--no-deref", "HEAD", first)
    (source / "HEAD").write_text(first + "\n")
    assert repositories.resolve(str(source), "HEAD") == first


def test_a_commit_on_no_branch_is_fetched_by_its_id(source: Path, repositories: Repositories) -> None:
    commit_files(source, {b"a.py": b"1\n"})
    repositories.clone(str(source))
    lost = commit_files(source, {b"a.py": b"lost\n"}, branch="gone")
    git(source, "update-ref", "-d", "refs/heads/gone")
    with closing(repositories.open(str(source), lost)) as snapshot:
        assert snapshot.text("a.py").lines == ("lost",)


def test_a_name_is_looked_up_under_the_root(repositories: Repositories, tmp_path: Path) -> None:
    (tmp_path / "repos/org").mkdir(parents=True)
    commit = commit_files(make_git_dir(tmp_path / "repos/org/name"), {b"a": b"1"})
    assert repositories.resolve("org/name", "HEAD") == commit


def test_a_relative_path_starts_at_the_current_directory(
    source: Path, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commit_files(source, {b"a": b"1"})
    monkeypatch.chdir(source.parent)
    assert repositories.resolve("./source.git", "HEAD") == commit
    assert repositories.resolve("source.git", "HEAD") == commit


def test_a_work_tree_is_cloned_without_what_is_not_committed(tmp_path: Path, repositories: Repositories) -> None:
    top = make_work_tree(tmp_path / "work")
    (top / "a.py").write_text("changed\n")
    with closing(repositories.open(str(top), "HEAD")) as snapshot:
        assert snapshot.text("a.py").lines == ("1",)


def test_a_linked_work_tree_has_its_own_head(tmp_path: Path, repositories: Repositories) -> None:
    top = make_work_tree(tmp_path / "work")
    first = git(top / ".git", "rev-parse", "main").decode().strip()
    git(top / ".git", "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), first)
    commit_files(top / ".git", {b"a.py": b"later\n"})
    assert repositories.resolve(str(tmp_path / "linked"), "HEAD") == first
    assert repositories.resolve(str(tmp_path / "linked"), "main") != first


def test_a_part_of_a_work_tree_is_refused_and_the_top_named(tmp_path: Path, repositories: Repositories) -> None:
    top = make_work_tree(tmp_path / "work")
    with pytest.raises(RepositoryError, match=f"inside the repository {top}"):
        repositories.open(str(top / "sub"), "HEAD")


def test_a_directory_is_taken_as_it_is_on_demand(tmp_path: Path, repositories: Repositories) -> None:
    root = make_directory(tmp_path / "plain", {b"a.py": b"1\n"})
    with closing(repositories.open(str(root), "worktree")) as snapshot:
        assert snapshot.identity.startswith("tree:")
        assert snapshot.text("a.py").lines == ("1",)
    with pytest.raises(RepositoryError, match=r"no git repository: the commit 'worktree' .* REPO@COMMIT .*@worktree"):
        repositories.open(str(root), "HEAD")
    with pytest.raises(RepositoryError, match="is no commit"):
        repositories.resolve(str(root), "worktree")
    with pytest.raises(RepositoryError, match="needs a directory of this machine"):
        repositories.open("https://example.com/x.git", "worktree")


# Refusals


@pytest.mark.parametrize(
    "revision", ["", "-h", "--all", "nothing", "main..main", "main\n", "a" * 40, "main:a.py", "HEAD^9"]
)
def test_what_is_no_commit_is_refused(source: Path, repositories: Repositories, revision: str) -> None:
    commit_files(source, {b"a.py": b"1\n"})
    with pytest.raises(RepositoryError, match=r"no commit|not a commit"):
        repositories.resolve(str(source), revision)


def test_the_id_of_a_tree_is_named_as_one(source: Path, repositories: Repositories) -> None:
    commit_files(source, {b"a.py": b"1\n"})
    tree = git(source, "rev-parse", "main^{tree}").decode().strip()
    with pytest.raises(RepositoryError, match="is a tree, not a commit"):
        repositories.resolve(str(source), tree)


@pytest.mark.parametrize(
    ("repo", "words"),
    [
        ("", "is no repository"),
        ("-x", "is no repository"),
        ("--upload-pack=touch x", "is no repository"),
        ("a\nb", "is no repository"),
        ("ext::sh -c touch% x", "start commands"),
        ("fd::17", "start commands"),
        ("testgit::x", "start commands"),
        ("nothing/here", "there is no directory"),
        ("file:///nothing/here", "there is no directory"),
        ("ftp://example.com/x", "is not supported"),
        ("https://example.com/x?token=1", "is not supported"),
        ("https://[x", "is no URL"),
        ("ssh://-oProxyCommand=x/y", "names no host"),
        ("ssh://-oProxyCommand=x@host/y", "names no host"),
        ("-oProxyCommand=x@host:y", "is no repository"),
    ],
)
def test_a_source_that_could_do_more_than_be_read_is_refused(repo: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=words):
        find_source(repo, tmp_path)


@pytest.mark.parametrize(
    "repo",
    [
        "https://user:hunter2@example.com/x",
        "https://hunter2@example.com/x",
        "ssh://git:hunter2@example.com/x",
        "u:hunter2@h:x",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(repo: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError) as caught:
        find_source(repo, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_credentials_are_taken_out_of_any_text() -> None:
    assert strip_credentials("unable to access 'https://u:p@h/x': no") == "unable to access 'https://h/x': no"
    assert strip_credentials("ask author@example.com") == "ask author@example.com"


@pytest.mark.parametrize(
    "repo", ["git@example.com:org/x.git", "ssh://git@example.com/org/x.git", "https://example.com/org/x"]
)
def test_other_machines_are_reached_by_one_transport_only(repo: str, tmp_path: Path) -> None:
    found = find_source(repo, tmp_path)
    assert found.directory is None
    assert found.protocols == (("https",) if repo.startswith("https") else ("ssh",))
    assert found.name.startswith("x-")


def test_a_failed_clone_says_why_and_leaves_nothing(repositories: Repositories, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"^https://127.0.0.1:1/x: unable to access"):
        repositories.open("https://127.0.0.1:1/x", "HEAD")
    assert clones(tmp_path / "repos") == []


def test_a_repository_without_commits_is_reported(source: Path, repositories: Repositories) -> None:
    with pytest.raises(RepositoryError, match="HEAD"):
        repositories.open(str(source), "HEAD")


def test_a_shallow_source_serves_what_it_has(source: Path, repositories: Repositories, tmp_path: Path) -> None:
    first = commit_files(source, {b"a.py": b"1\n"})
    second = commit_files(source, {b"a.py": b"2\n"})
    shallow = tmp_path / "shallow.git"
    git(shallow, "clone", "--quiet", "--bare", "--depth=1", source.as_uri(), str(shallow))
    with closing(repositories.open(str(shallow), "HEAD")) as snapshot:
        assert snapshot.identity == f"git:{second}"
    with pytest.raises(RepositoryError, match="shallow clone"):
        repositories.resolve(str(shallow), first)


def test_a_partial_clone_is_refused(source: Path, repositories: Repositories, tmp_path: Path) -> None:
    commit_files(source, {b"a.py": b"1\n"})
    git(source, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial.git"
    git(partial, "clone", "--quiet", "--bare", "--filter=blob:none", source.as_uri(), str(partial))
    with pytest.raises(RepositoryError, match="partial clone"):
        repositories.open(str(partial), "HEAD")


def test_a_source_that_lacks_a_blob_is_reported(source: Path, repositories: Repositories, tmp_path: Path) -> None:
    commit_files(source, {b"a.py": b"1\n"})
    oid = git(source, "rev-parse", "main:a.py").decode().strip()
    (source / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(RepositoryError, match=str(source)):
        repositories.open(str(source), "HEAD")
    assert clones(tmp_path / "repos") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_source_may_belong_to_someone_else(tmp_path: Path, repositories: Repositories) -> None:
    top = make_work_tree(tmp_path / "work")
    for path in (top, *top.rglob("*")):
        os.chown(path, 12345, 12345)
    with closing(repositories.open(str(top), "main")) as snapshot:
        assert snapshot.kind("a.py") is PathKind.FILE


# Several at once


def test_two_processes_clone_once(source: Path, tmp_path: Path) -> None:
    commit = commit_files(source, {b"f%d" % i: os.urandom(2000) for i in range(200)})
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\necho "$1" >> {log}\nexec {shutil.which("git")} "$@"\n')
    (folder / "git").chmod(0o755)
    command = [sys.executable, "-c", OPEN, str(tmp_path / "repos"), str(source)]
    variables = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in running] == [commit] * 3
    assert log.read_text().split().count("clone") == 1
    assert len(clones(tmp_path / "repos")) == 1


def test_a_clone_that_was_killed_is_made_again(source: Path, tmp_path: Path, repositories: Repositories) -> None:
    commit = commit_files(source, {b"a": b"1"})
    folder, gate = tmp_path / "bin", tmp_path / "gate"
    folder.mkdir()
    os.mkfifo(gate)
    # Puts something into the clone's directory (the last argument), then waits for ever.
    script = f'#!/bin/sh\n[ "$1" = clone ] || exec {shutil.which("git")} "$@"\nfor last; do :; done\n'
    (folder / "git").write_text(f'{script}echo half > "$last/HEAD"\necho there > {gate}\nexec cat {gate}\n')
    (folder / "git").chmod(0o755)
    command = [sys.executable, "-c", OPEN, str(tmp_path / "repos"), str(source)]
    variables = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=variables, start_new_session=True) as process:
        assert gate.read_text() == "there\n"
        os.killpg(process.pid, signal.SIGKILL)
    assert [name for name in clones(tmp_path / "repos") if ".part-" in name]
    assert repositories.resolve(str(source), "HEAD") == commit
    assert not [name for name in clones(tmp_path / "repos") if ".part-" in name]


def test_progress_is_reported(source: Path, tmp_path: Path) -> None:
    commit_files(source, {b"f%d" % i: b"%d" % i for i in range(50)})
    lines: list[str] = []
    Repositories(tmp_path / "repos", progress=lines.append).clone(str(source))
    assert any("Receiving objects" in line for line in lines)
