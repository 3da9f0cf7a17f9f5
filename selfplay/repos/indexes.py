"""Building a repository's index ahead, and summarising what there is of it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfplay.core.errors import RepositoryError
from selfplay.repos.repositories import Repositories
from selfplay.repos.sources import WORKTREE
from selfplay_tools.errors import ToolsError
from selfplay_tools.index.scan_index import MAX_INDEXED_BYTES
from selfplay_tools.index.store.repository_index import open_repository_index
from selfplay_tools.index.store.segment_store import SegmentStore
from selfplay_tools.protocols import PathKind
from selfplay_tools.snapshot.commit import CommitSnapshot


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What is kept of one repository."""

    repo: str
    folder: Path
    commits: tuple[str, ...]
    """Full ids of the commits that were asked for, the latest first."""
    blobs: int
    """Distinct contents of files."""
    bytes: int
    """On disk."""

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "repo": self.repo,
            "folder": str(self.folder),
            "commits": list(self.commits),
            "blobs": self.blobs,
            "bytes": self.bytes,
        }


def build_index(
    repositories: Repositories, repo: str, commit: str, on_progress: Callable[[int, int], None] | None = None
) -> str:
    """Clone if need be, and index everything that the commit holds and the index does not; the commit's full id.

    `on_progress` gets how many of the missing contents are done, and how many there are. Blocking. Raises
    RepositoryError, also where the index can't be written.
    """
    if commit == WORKTREE:
        raise RepositoryError(f"{repo}: a directory as it is on disk has no index to build; name a commit")
    folder, git_dir = repositories.index_folder(repo), repositories.clone(repo)
    full_id = repositories.resolve(repo, commit)
    try:
        index = open_repository_index(git_dir, folder.absolute())
        with closing(CommitSnapshot(git_dir, full_id)) as snapshot:
            files = [e for e in snapshot.entries if e.kind is PathKind.FILE and e.size <= MAX_INDEXED_BYTES]
        index.store.commits.note(full_id)
        index.add_with_words([entry.oid for entry in files], on_progress)
    except (ToolsError, OSError) as error:
        raise RepositoryError(f"{repo}, {commit}: can't be indexed in {folder}: {error}") from error
    if index.problem is not None:
        raise RepositoryError(f"{repo}, {commit}: can't be indexed in {folder}: {index.problem}")
    return full_id


def summarise_index(repositories: Repositories, repo: str) -> IndexSummary:
    """What is kept of a repository, without cloning or building anything. Raises RepositoryError."""
    folder = repositories.index_folder(repo)
    if not folder.is_dir():
        return IndexSummary(repo, folder, (), 0, 0)
    try:
        store = SegmentStore(folder)
    except (ToolsError, OSError) as error:
        raise RepositoryError(f"{repo}: the index in {folder} can't be read: {error}") from error
    blobs = sum(map(len, store.segments))
    return IndexSummary(repo, folder, tuple(store.commits.latest()), blobs, store.size)
