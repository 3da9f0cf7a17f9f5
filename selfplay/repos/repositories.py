"""Clones, snapshots and indexes: the only place where the engine talks to git for more than reading.

Each source is cloned once, bare, into `<root>/.clones/`, under a lock that other processes respect, and from then on
fetched into. No command ever runs inside the source itself except git's own server for fetching. The clone gets
branches and tags; no submodules, no LFS contents, no hooks, filters or templates.

Everything here blocks, a clone for as long as it takes: call it from a thread.
"""

import re
import shutil
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import git

from selfplay.core.errors import RepositoryError
from selfplay.repos.git_commands import (
    GitTransfers,
    ProgressCallback,
    clone,
    commands_in,
    describe_git_error,
    fetch,
)
from selfplay.repos.hidden_files import hidden_path_filter
from selfplay.repos.sources import WORKTREE, RepositorySource, find_source, require_repository
from selfplay_tools.errors import ToolsError
from selfplay_tools.git import run_git
from selfplay_tools.index.scan_index import MAX_INDEXED_BYTES
from selfplay_tools.index.store.repository_index import open_repository_index
from selfplay_tools.index.store.segment_store import SegmentStore
from selfplay_tools.protocols import PathKind, Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot

_PINNED = re.compile(r"(?P<id>[0-9a-f]{40}|[0-9a-f]{64})(?P<steps>[~^][~^0-9]*)?")
"""A full id, perhaps with steps to its ancestors: means the same forever."""
_HEAD = "refs/selfplay/head"
_PARTIAL = re.compile(rb"(?:remote\..*\.(?:promisor|partialclonefilter)|extensions\.partialclone)\n", re.DOTALL)


class Repositories:
    """Opens snapshots of commits. Safe to use from several threads and processes at once."""

    def __init__(self, root: Path, *, progress: ProgressCallback | None = None, hidden: Iterable[Path] = ()) -> None:
        """Names are looked up in `root`; clones are kept in its `.clones`, what is learned of them in its `.index`.

        `progress` gets the lines of cloning. `hidden` are places of the engine and the user's own files about the tasks
        (traces, task files, settings): a directory's snapshot does not show them where they lie inside it, nor `root`,
        nor any journal.
        """
        self._root = root.absolute()
        self._clones = self._root / ".clones"
        self._progress = progress
        self._hidden = (self._root, *hidden)
        self._transfers = GitTransfers()

    @property
    def root(self) -> Path:
        """Where names are looked up."""
        return self._root

    def open(self, repo: str, commit: str) -> Snapshot:
        """The files of a commit, or with `worktree` of a directory as it is. The caller closes it.

        Raises RepositoryError.
        """
        try:
            index = self.index_folder(repo)
            if commit == WORKTREE:
                directory = self._require_directory(repo)
                return DirectorySnapshot(directory, is_hidden=hidden_path_filter(directory, self._hidden), store=index)
            return CommitSnapshot(self.clone(repo), self.resolve(repo, commit), store=index)
        except (ToolsError, OSError) as error:
            raise RepositoryError(f"{repo}, {commit}: {error}") from error

    def break_off(self) -> None:
        """End clones and fetches that are going on, and all later ones: they raise RepositoryError. From any thread."""
        self._transfers.break_off()

    def index_folder(self, repo: str) -> Path:
        """Where what is learned of the repository's contents is kept: a cache. Raises RepositoryError."""
        return self._root / ".index" / find_source(repo, self._root).name

    def _require_directory(self, repo: str) -> Path:
        directory = find_source(repo, self._root).directory
        if directory is None:
            raise RepositoryError(f"{repo}: {WORKTREE!r} needs a directory of this machine, this is a URL")
        return directory

    def clone(self, repo: str) -> Path:
        """The clone's git directory; made now if it is not there yet. Raises RepositoryError."""
        source = find_source(repo, self._root)
        home = self._clones / f"{source.name}.git"
        if not home.is_dir():
            with self._lock(source):
                if not home.is_dir():
                    self._make_clone(source, home)
        return home

    @contextmanager
    def _lock(self, source: RepositorySource) -> Generator[None]:
        self._clones.mkdir(parents=True, exist_ok=True)
        with self._transfers.lock(self._clones / f"{source.name}.lock"):
            yield

    def _make_clone(self, source: RepositorySource, home: Path) -> None:
        _require_cloneable(source)
        for leftover in self._clones.glob(f"{source.name}.part-*"):
            shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed: we hold the lock
        part = Path(mkdtemp(prefix=f"{source.name}.part-", dir=self._clones))
        try:
            clone(source, part, self._transfers, self._progress)
            part.rename(home)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def resolve(self, repo: str, commit: str) -> str:
        """The full id of any revision: an id, a branch, a tag, `HEAD` of the source, `main~3`. Raises RepositoryError.

        A full id that is there already needs no fetch; everything else is fetched first, so that it means what it
        means in the source now.
        """
        if commit == WORKTREE or not commit or commit.startswith("-") or not commit.isprintable():
            raise RepositoryError(f"{repo}: {commit!r} is no commit")
        git_dir = self.clone(repo)
        pinned = _PINNED.fullmatch(commit)
        found = _find_commit_id(git_dir, commit) if pinned else None
        if found is None:
            source = find_source(repo, self._root)
            with self._lock(source):
                found = _fetch_commit(source, git_dir, commit, self._transfers)
        return found or _raise_unknown(repo, git_dir, commit)


_UNSHALLOW = "run `git fetch --unshallow` there, and remove its clone here"


def _require_cloneable(source: RepositorySource) -> None:
    """Refuse what can't be cloned whole. A partial clone's server would go and fetch what it lacks by itself."""
    if source.directory is None:
        return
    git_dir = require_repository(source.directory)
    try:
        settings = run_git(git_dir, "config", "--list", "-z", "--includes")
    except ToolsError as error:
        raise RepositoryError(f"{source.directory}: {error}") from error
    if any(_PARTIAL.match(setting) for setting in settings.split(b"\0")):
        raise RepositoryError(
            f"{source.directory} is a partial clone, it lacks contents: "
            "run `git fetch --refetch --no-filter` there and unset its promisor settings, or give the original's URL"
        )


def _find_commit_id(git_dir: Path, revision: str) -> str | None:
    try:
        found = commands_in(git_dir).rev_parse("--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except git.GitError:
        return None
    return str(found).splitlines()[-1]


def _fetch_commit(source: RepositorySource, git_dir: Path, commit: str, transfers: GitTransfers) -> str | None:
    """Fetch, and the full id afterwards; None if it is nowhere."""
    if source.directory is not None:
        _require_cloneable(source)
    head = re.fullmatch(r"(?:HEAD|@)(?P<steps>[~^].*)?", commit)
    specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", *([f"+HEAD:{_HEAD}"] if head else [])]
    fetch(source, git_dir, transfers, *specs)
    found = _find_commit_id(git_dir, _HEAD + (head["steps"] or "") if head else commit)
    pinned = _PINNED.fullmatch(commit)
    if found is None and pinned:
        # No branch holds it: some servers give it away all the same.
        try:
            fetch(source, git_dir, transfers, f"+{pinned['id']}:refs/selfplay/pins/{pinned['id']}")
        except RepositoryError:
            return None
        found = _find_commit_id(git_dir, commit)
    return found


def _shallow_ids(git_dir: Path) -> frozenset[str]:
    try:
        return frozenset((git_dir / "shallow").read_text().split())
    except FileNotFoundError:
        return frozenset()


def _raise_unknown(repo: str, git_dir: Path, commit: str) -> str:
    try:
        kind = str(commands_in(git_dir).cat_file("-t", commit))
    except git.GitError as error:
        more = f"; the source is a shallow clone: {_UNSHALLOW}" if _shallow_ids(git_dir) else ""
        raise RepositoryError(f"{repo} has no commit {commit!r} ({describe_git_error(error)}){more}") from None
    raise RepositoryError(f"{repo}: {commit!r} is a {kind}, not a commit")


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
