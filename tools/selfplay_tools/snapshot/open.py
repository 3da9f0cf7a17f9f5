"""A snapshot from a path and a revision, for programs without an engine that keeps clones."""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from selfplay_tools.errors import NotUsable
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot

WORKTREE = "worktree"
"""In place of a revision: the directory as it is on disk."""


def open_snapshot(path: Path, commit: str = "HEAD", *, index: Path | None = None) -> Snapshot:
    """A commit of the work tree or bare repository at `path`, or with `worktree` the directory. The caller closes it.

    It is pinned: a branch that moves later is not followed. With `index`, a folder for this repository alone, questions
    about a commit are answered from there; the answers are the same without. Raises NotUsable, NoSuchCommit, GitFailed.
    """
    if commit != WORKTREE:
        return CommitSnapshot(git_dir_of(path), commit, store=index)
    try:
        return DirectorySnapshot(path)
    except OSError as error:
        raise NotUsable(f"{path} can't be opened: {error.strerror}") from error


def default_index_folder(path: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the index of the repository at `path` is kept: below the user's cache. Raises NotUsable."""
    home = git_dir_of(path).resolve()
    name = (home.parent if home.name == ".git" else home).name
    return user_cache_folder(environ) / "index" / f"{name}-{sha256(os.fsencode(home)).hexdigest()[:12]}"


def user_cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where what can be made anew is kept for the user, by the XDG base directory specification."""
    cache = environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache.startswith("/") else Path.home() / ".cache") / "selfplay"


def git_dir_of(path: Path) -> Path:
    """The git directory of a work tree or bare repository. Raises NotUsable for what is neither."""
    if (path / ".git").exists():
        return path / ".git"
    if all((path / name).exists() for name in ("HEAD", "objects", "refs")):
        return path
    raise NotUsable(f"{path} is no git repository: the commit {WORKTREE!r} takes a directory as it is on disk")
