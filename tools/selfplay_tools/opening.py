"""A snapshot from a path and a revision, for whoever has no engine that keeps clones."""

from pathlib import Path

from selfplay_tools.commit import CommitSnapshot
from selfplay_tools.directory import DirectorySnapshot
from selfplay_tools.errors import NotUsable
from selfplay_tools.snapshot import Snapshot

WORKTREE = "worktree"
"""In place of a revision: the directory as it is on disk."""


def open_snapshot(path: Path, commit: str = "HEAD") -> Snapshot:
    """A commit of the work tree or bare repository at `path`, or with `worktree` the directory. The caller closes it.

    It is pinned: a branch that moves later is not followed. Raises NotUsable, NoSuchCommit, GitFailed.
    """
    if commit != WORKTREE:
        return CommitSnapshot(_git_dir(path), commit)
    try:
        return DirectorySnapshot(path)
    except OSError as error:
        raise NotUsable(f"{path} can't be opened: {error.strerror}") from error


def _git_dir(path: Path) -> Path:
    if (path / ".git").exists():
        return path / ".git"
    if all((path / name).exists() for name in ("HEAD", "objects", "refs")):
        return path
    raise NotUsable(f"{path} is no git repository: the commit {WORKTREE!r} takes a directory as it is on disk")
