"""What the `repo` of a task means: a path, a URL, or a name under `repos/`."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from selfplay.core.errors import RepositoryError

WORKTREE = "worktree"
"""In place of a commit: the directory as it is on disk."""

_PROTOCOLS = {"https": ("https",), "http": ("http", "https"), "ssh": ("ssh",)}
"""Transports that git may use for a URL of each scheme; a redirect must not leave them."""
_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")
_SCP = re.compile(r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^:@][^@]*)")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@|[^/\s@:]+:[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class RepositorySource:
    """Where a repository comes from."""

    url: str
    """What git is given to clone; holds no credentials."""
    protocols: tuple[str, ...]
    directory: Path | None = None
    """Set for a directory of this machine."""

    @property
    def name(self) -> str:
        """A file name for the clone: readable, and different for every URL."""
        last = re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git")
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", unquote(last)).strip(".-")[:40] or "repository"
        return f"{slug}-{hashlib.sha256(self.url.encode()).hexdigest()[:8]}"


def find_source(repo: str, root: Path) -> RepositorySource:
    """The source that `repo` names; `root` is where names are looked up. Raises RepositoryError.

    A name under `root` goes before a path below the current directory: write `./name` for the latter. A path must be
    the top of its work tree (or a bare repository): the paths of a task are relative to it.
    """
    safe = strip_credentials(repo)
    if not repo or repo.startswith("-") or not repo.isprintable():
        raise RepositoryError(f"{safe!r} is no repository: give a path, a URL, or a name under {root}")
    if _HELPER.match(repo):
        raise RepositoryError(f"{safe!r}: transports that start commands are refused; give a path or an https URL")
    directory = _find_directory(repo, root)
    if directory is not None:
        return RepositorySource(directory.as_uri(), ("file",), directory)
    if "://" in repo:
        return _source_from_url(repo)
    if _SCP.fullmatch(repo) and not repo.startswith((".", "~")):
        return RepositorySource(repo, ("ssh",))
    raise RepositoryError(f"there is no directory {safe!r}, neither under {root} nor from {Path.cwd()}")


def _find_directory(repo: str, root: Path) -> Path | None:
    if repo.startswith("file://"):
        found = Path(unquote(repo.removeprefix("file://")))
        if not found.is_dir():
            raise RepositoryError(f"there is no directory {str(found)!r} ({repo})")
        return found.resolve()
    if "://" in repo:
        return None
    is_name = not repo.startswith((".", "~", "/")) and ".." not in Path(repo).parts
    tried = [root / repo] if is_name else []
    for path in (*tried, Path(repo).expanduser()):
        if path.is_dir():
            return path.resolve()
    return None


def _source_from_url(url: str) -> RepositorySource:
    safe = strip_credentials(url)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RepositoryError(f"{safe!r} is no URL: {error}") from None
    if parts.scheme not in _PROTOCOLS or parts.query or parts.fragment:
        raise RepositoryError(f"{safe!r} is not supported: give an https, ssh or file URL without query or fragment")
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise RepositoryError(
            f"{safe}: a URL must not hold credentials, they would end up in traces and logs; "
            "clone it yourself and give the path"
        )
    if not parts.hostname or parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        raise RepositoryError(f"{safe!r} names no host")
    return RepositorySource(url.rstrip("/"), _PROTOCOLS[parts.scheme])


def strip_credentials(text: str) -> str:
    """`text` with what stands before an `@` in its URLs taken out."""
    return _CREDENTIALS.sub("", text)


def require_repository(directory: Path) -> Path:
    """The git directory of the work tree or bare repository at `directory`, found without running git.

    Raises RepositoryError where `directory` is only a part of a work tree, or no repository.
    """
    if (directory / ".git").exists():
        return directory / ".git"
    if all((directory / name).exists() for name in ("HEAD", "objects", "refs")):
        return directory
    for above in directory.parents:
        if (above / ".git").exists():
            raise RepositoryError(
                f"{directory} lies inside the repository {above}: give that path (a task's paths are relative to it), "
                f"or the commit {WORKTREE!r} for the directory alone: {_worktree_option(directory)}"
            )
    raise RepositoryError(
        f"{directory} is no git repository: the commit {WORKTREE!r} takes it as it is on disk: "
        f"{_worktree_option(directory)}"
    )


def _worktree_option(directory: Path) -> str:
    """How to have commands take a directory as it is: those with an option for the commit, and the others."""
    here = "." if directory == Path.cwd() else directory
    return f"--commit {WORKTREE}, or where a command takes REPO@COMMIT {here}@{WORKTREE}"
