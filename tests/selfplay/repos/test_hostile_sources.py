"""Sources that were made to run something. What happened to each stands in docs/hostile.md."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from selfplay.core.errors import RepositoryError
from selfplay.repos.repositories import Repositories
from selfplay_tools.protocols import PathKind
from tests.repositories import Submodule, commit_files, git, make_git_dir, make_work_tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_git_dir(tmp_path / "source.git")


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return Repositories(tmp_path / "repos")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that appears when anything was run."""
    return tmp_path / "canary"


def trap(canary: Path, folder: Path) -> Path:
    script = folder / "trap.sh"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {canary}\nexit 1\n')
    script.chmod(0o755)
    return script


def hostile_settings(script: Path) -> str:
    return f"""
[core]
    fsmonitor = {script}
    hooksPath = {script.parent}/hooks
    sshCommand = {script}
    gitProxy = {script}
    pager = {script}
    editor = {script}
    askPass = {script}
    alternateRefsCommand = {script}
    attributesFile = {script.parent}/attributes
[uploadpack]
    packObjectsHook = {script}
[credential]
    helper = !{script}
[filter "evil"]
    clean = {script}
    smudge = {script}
    process = {script}
    required = true
[diff "evil"]
    textconv = {script}
    command = {script}
[diff]
    external = {script}
[alias]
    clone = !{script}
    fetch = !{script}
[init]
    templateDir = {script.parent}/template
[url "ext::{script} "]
    insteadOf = file://
[gpg]
    program = {script}
[log]
    showSignature = true
"""


def hostile_hooks(folder: Path, script: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (
        "post-checkout",
        "reference-transaction",
        "pre-auto-gc",
        "post-merge",
        "fsmonitor-watchman",
        "pre-receive",
    ):
        shutil.copy(script, folder / name)


def use_everything(repositories: Repositories, repo: str) -> None:
    commit = repositories.resolve(repo, "HEAD")
    for revision in (commit, "worktree"):
        with closing(repositories.open(repo, revision)) as snapshot:
            for entry in snapshot.entries:
                if entry.kind is PathKind.FILE:
                    snapshot.text(entry.path)
            snapshot.index.rank(["x"], 1)
            snapshot.index.list_unsearched()


def hostile_work_tree(tmp_path: Path, script: Path) -> Path:
    top = make_work_tree(tmp_path / "work")
    attributes = b"* filter=evil diff=evil text eol=crlf ident export-subst\n"
    modules = b'[submodule "m"]\n\tpath = m\n\turl = ext::sh -c %s\n\tupdate = !%s\n' % ((os.fsencode(script),) * 2)
    files = {b"a.py": b"2\n", b".gitattributes": attributes, b".gitmodules": modules, b"m": Submodule("6" * 40)}
    commit_files(top / ".git", files)
    (top / ".gitattributes").write_bytes(attributes)
    (top / "m/.git").mkdir(parents=True)
    (top / "m/.git/config").write_text(hostile_settings(script))
    return top


def test_nothing_in_a_hostile_repository_runs(tmp_path: Path, canary: Path, repositories: Repositories) -> None:
    script = trap(canary, tmp_path)
    top = hostile_work_tree(tmp_path, script)
    hostile_hooks(tmp_path / "hooks", script)
    hostile_hooks(top / ".git/hooks", script)
    with (top / ".git/config").open("a") as config:
        config.write(hostile_settings(script))
        config.write('[remote "origin"]\n\turl = ext::sh -c x\n\tuploadpack = /bin/false\n')
    use_everything(repositories, str(top))
    assert not canary.exists()
    subprocess.run(["git", "-C", top, "status"], capture_output=True, check=False)
    assert canary.exists(), "the trap works where git is used without care"


def test_the_user_s_own_configuration_does_not_count(
    tmp_path: Path, canary: Path, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = trap(canary, tmp_path)
    top = hostile_work_tree(tmp_path, script)
    for hooks in ("hooks", "template/hooks"):
        hostile_hooks(tmp_path / hooks, script)
    (tmp_path / "attributes").write_text("* filter=evil diff=evil\n")
    (tmp_path / "home/.config/git").mkdir(parents=True)
    for name in (".gitconfig", ".config/git/config"):
        (tmp_path / "home" / name).write_text(hostile_settings(script))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    use_everything(repositories, str(top))
    assert not canary.exists()
    careless = ["git", "-c", "protocol.allow=always", "clone", top.as_uri(), tmp_path / "careless"]
    subprocess.run(careless, capture_output=True, check=False)
    assert canary.exists(), "the trap works where git is used without care"


def test_inherited_git_variables_do_not_count(
    tmp_path: Path, canary: Path, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = trap(canary, tmp_path)
    top = hostile_work_tree(tmp_path, script)
    for name in ("GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_ASKPASS", "GIT_PAGER", "GIT_PROXY_COMMAND", "GIT_EDITOR"):
        monkeypatch.setenv(name, str(script))
    for name in (
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_INDEX_FILE",
        "GIT_EXEC_PATH",
        "GIT_NAMESPACE",
    ):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor={script}' 'uploadpack.packobjectshook={script}'")
    use_everything(repositories, str(top))
    assert not canary.exists()
    assert not (tmp_path / "nowhere").exists()


def test_a_lazy_fetch_can_not_be_planted(tmp_path: Path, canary: Path, repositories: Repositories) -> None:
    """A server that lacks an object would fetch it from its promisor remote, with a command of its own choice."""
    script = trap(canary, tmp_path)
    top = make_work_tree(tmp_path / "work")
    remote = f"[remote 'o']\n\turl = file:///\n\tpromisor = true\n\tuploadpack = {script}\n".replace("'", '"')
    (top / "included").write_text(f"[extensions]\n\tpartialClone = o\n{remote}")
    with (top / ".git/config").open("a") as config:
        config.write(f"[include]\n\tpath = {top}/included\n")
    with pytest.raises(RepositoryError, match="partial clone"):
        repositories.open(str(top), "HEAD")
    assert not canary.exists()


def test_alternates_of_a_source_are_copied_not_kept(source: Path, tmp_path: Path, repositories: Repositories) -> None:
    commit = commit_files(source, {b"a.py": b"1\n"})
    borrowing = make_git_dir(tmp_path / "borrowing.git")
    (borrowing / "objects/info/alternates").write_text(f"{source}/objects\n")
    git(borrowing, "update-ref", "refs/heads/main", commit)
    home = repositories.clone(str(borrowing))
    shutil.rmtree(source)
    assert not (home / "objects/info/alternates").exists()
    with closing(repositories.open(str(borrowing), commit)) as snapshot:
        assert snapshot.text("a.py").lines == ("1",)


def test_a_clone_is_bare_and_brings_nothing_to_run(source: Path, repositories: Repositories) -> None:
    commit_files(source, {b"a.py": b"1\n"})
    home = repositories.clone(str(source))
    assert not (home / "hooks").exists()
    assert git(home, "config", "--get", "core.bare") == b"true\n"
