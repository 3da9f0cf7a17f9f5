"""Which tasks belong to a benchmark, by lists of repositories and commits.

A list has one entry a line: `owner/name`, a URL in any form that git takes, or either with `@COMMIT` behind it; `#`
begins a comment. A task's repository is matched in whatever form it is written. One that is given as a local
directory has no owner: there a directory of the entry's name is enough (`repos/click` for `pallets/click`), because
a contaminated sample costs more than a lost one; the rejection says so.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from selfplay.clean.across.conversation import Conversation
from selfplay.core.errors import InputError

_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?!//)(?P<path>[^@]+)")
_HEX = re.compile(r"[0-9a-f]{7,40}")
_JOINTS = re.compile(r"__|\+|--")
"""What stands for the slash between owner and name in directories' names."""


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """A repository's name, however it was written."""

    name: str
    owner: str = ""
    """Empty where it is not known."""
    host: str = ""
    """Empty where it is not given."""

    def is_same(self, other: "RepositoryName") -> bool:
        """True unless a part that both know differs."""
        pairs = ((self.name, other.name), (self.owner, other.owner), (self.host, other.host))
        return self.name == other.name and all(a == b or not a or not b for a, b in pairs)

    def __str__(self) -> str:
        return "/".join(part for part in (self.host, self.owner, self.name) if part)


@dataclass(frozen=True, slots=True)
class BenchmarkEntry:
    """A line of a list."""

    repository: RepositoryName
    commit: str
    """In lower case; empty for every commit."""
    where: str
    """`FILE:LINE`."""


class BenchmarkList:
    """The entries of all lists, found by repository name."""

    def __init__(self, entries: Iterable[BenchmarkEntry]) -> None:
        self._entries: dict[str, list[BenchmarkEntry]] = {}
        for entry in entries:
            self._entries.setdefault(entry.repository.name, []).append(entry)

    def find_contamination(self, conversation: Conversation) -> str | None:
        """Why the conversation's repository or commit belongs to a list; None if it does not."""
        for repository in repository_names_of(conversation.repo):
            for entry in self._entries.get(repository.name, ()):
                if (
                    repository.is_same(entry.repository)
                    and (why := _match_commit(entry.commit, conversation)) is not None
                ):
                    by = "" if repository.owner else " (by name only: the task names a local directory)"
                    return f"{conversation.repo} is {entry.repository}{why}, listed at {entry.where}{by}"
        return None


def read_benchmarks(paths: Iterable[Path]) -> BenchmarkList:
    """The entries of these files. Raises InputError where a file or a line is unusable."""
    return BenchmarkList(entry for path in paths for entry in _read_entries(path))


def _read_entries(path: Path) -> Iterator[BenchmarkEntry]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})") from None
    for number, line in enumerate(lines, 1):
        if text := re.sub(r"(^|\s)#.*", "", line).strip():
            yield _parse_entry(text, f"{path}:{number}")


def _parse_entry(text: str, where: str) -> BenchmarkEntry:
    repository, at, commit = text.rpartition("@")
    if not at or "/" in commit or ":" in commit:  # git@host:path has its @ before the path
        repository, commit = text, ""
    named = next((r for r in repository_names_of(repository) if r.owner), None)
    if named is None or (at and not commit and text.endswith("@")):
        raise InputError(
            f"{where}: {text!r} is no repository: write owner/name, a URL, or either with @COMMIT behind it"
        )
    return BenchmarkEntry(named, commit.lower(), where)


def repository_names_of(repo: str) -> tuple[RepositoryName, ...]:
    """What a repository may be called, from how a task or a list names it; the most telling first."""
    text = unquote(repo.strip()).rstrip("/")
    if "://" in text and not text.lower().startswith("file://"):
        parts = urlsplit(text)
        return _names_from_path(parts.path, (parts.hostname or "").lower())
    if (scp := _SCP.fullmatch(text)) and not text.startswith((".", "/", "~")):
        return _names_from_path(scp["path"], scp["host"].lower())
    steps = text.removeprefix("file://").lower().split("/")
    if len(steps) == 3 and "." in steps[0].strip("."):  # noqa: PLR2004  host/owner/name, as people write it
        return _names_from_path("/".join(steps[1:]), steps[0])
    if len(steps) == 2 and steps[0] not in {"", ".", "..", "~"}:  # noqa: PLR2004  owner/name, or a directory
        return (*_names_from_path(text, ""), RepositoryName(steps[1].removesuffix(".git")))
    return tuple(_names_from_directories(steps))


def _names_from_path(path: str, host: str) -> tuple[RepositoryName, ...]:
    steps = [step for step in path.lower().split("/") if step]
    if not steps:
        return ()
    name = steps[-1].removesuffix(".git")
    whole = RepositoryName(name, "/".join(steps[:-1]), host.removeprefix("www."))
    joined = [RepositoryName(n, o) for o, n in _split_joined_name(name)]
    return (whole, *joined)


def _names_from_directories(steps: list[str]) -> Iterator[RepositoryName]:
    """A local path: its last directory, and each of its last three that holds an owner and a name."""
    named = [step.removesuffix(".git") for step in steps if step not in {"", ".", ".."}][-3:]
    for step in reversed(named):
        for owner, name in _split_joined_name(step):
            yield RepositoryName(name, owner)
    if named:
        yield RepositoryName(named[-1])


def _split_joined_name(step: str) -> Iterator[tuple[str, str]]:
    parts = _JOINTS.split(step)
    if len(parts) == 2 and all(parts):  # noqa: PLR2004  owner and name
        yield parts[0], parts[1]


def _match_commit(listed: str, conversation: Conversation) -> str | None:
    """How the task's commit is the listed one; None if it is another."""
    if not listed:
        return ""
    known = [c.lower() for c in (conversation.snapshot.removeprefix("git:"), conversation.commit) if c]
    hashes = [c for c in known if _HEX.fullmatch(c)]
    if listed in known or any(c.startswith(listed) or listed.startswith(c) for c in hashes):
        return f" at {listed}"
    if hashes and _HEX.fullmatch(listed):
        return None
    return f", and its commit {conversation.commit or '(unknown)'!r} can't be told from {listed}"
