"""Search tasks out of a repository's history: a commit's message asks for the source files that it changed.

A task is searched in the commit's parent. What a message says to machines and to people (trailers, numbers of issues,
addresses) is cut from it.
"""

import random
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NEWEST = 6000
"""Commits of a history that are looked at, from its head."""
MAX_TARGETS = 5
MAX_CHANGED = 20
"""A commit that touches more files than this is a sweep, not an answer to a question."""
MIN_WORDS = 4
MAX_BYTES = 2 << 20
"""Larger files are ranked by no way that is measured."""

SOURCES = frozenset(
    ".c .cc .cpp .cxx .h .hh .hpp .m .py .pyx .pyi .go .rs .java .kt .scala .js .jsx .mjs .cjs .ts .tsx .mts .vue"
    " .rb .php .pl .lua .swift .cs .sh .html .css .scss .sql .proto".split()
)
_NOT_SOURCE = re.compile(
    r"(?i)(^|/)(tests?|testsuite|testing|test-dts|testdata|specs?|__tests__|fixtures?|docs?|doc-src|website|examples?|changelogs?|locale)/"
    r"|(^|[/_.-])(tests?|specs?)([_.-]|$)[^/]*$|(^|/)test[^/]*$|(^|/)conftest\.py$|Tests?\.(java|kt)$"
)
_TRAILER = re.compile(
    r"(?im)^\s*(\S+-by|cc|closes?|fixe[sd]|refs?|see|bug|ticket|issue|pr|link|change-id|bug-url|git-svn-id|updated-\S+)"
    r"\s*:.*$|^\s*(close[sd]?|fixe?[sd]?|resolve[sd]?|refs?|see)\s+(#|gh-)\d+\s*\.?$|^-{3,}$"
)
_ADDRESS = re.compile(
    r"\b\w+://\S+|\S+@\S+\.\w+|\b[0-9a-f]{7,40}\b(?<!\b[a-f]{7})|\(?(\w+/\w+)?\B#\d+\)?|\b(GH|PR)-?\d+\b"
)
_SWEEP = re.compile(r"(?i)^(merge|revert|release|bump|version|prepare|update changelog|v?\d+\.\d+)\b")
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class CommitTask:
    """One question about one commit."""

    repository: str
    commit: str
    """Whose files are searched: the parent of the one that answers."""
    subject: str
    query: str
    """Subject and body."""
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlobFile:
    """A regular file of a commit."""

    path: str
    oid: str


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.quotePath=off", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8", "replace")


def name_of(repository: Path) -> str:
    """The clone's folder, or the one around it if it has a name that says nothing."""
    path = repository.resolve()
    return path.parent.name if path.name in ("repo", ".git", "git") else path.name.removesuffix(".git")


def mine_tasks(repository: Path, count: int, seed: int) -> list[CommitTask]:
    """At most `count` tasks: always the same ones for the same history and seed."""
    eligible = list(_find_tasks(repository))
    chosen = random.Random(f"{seed} {name_of(repository)}").sample(eligible, min(count, len(eligible)))  # noqa: S311  a sample, no secret
    return sorted(chosen, key=lambda task: task.commit)


def _find_tasks(repository: Path) -> Iterator[CommitTask]:
    form = "%x00%H%x00%P%x00%B%x00"
    log = git(repository, "log", f"-{NEWEST}", "--no-merges", "--no-renames", "--name-status", f"--format={form}")
    fields = log.split("\0")[1:]
    for _, parents, message, changes in zip(*(iter(fields),) * 4, strict=False):
        task = _make_task(repository, parents.split(), message, changes)
        if task:
            yield task


def _make_task(repository: Path, parents: Sequence[str], message: str, changes: str) -> CommitTask | None:
    changed = [line.split("\t", 1) for line in changes.strip().splitlines()]
    targets = tuple(path for status, path in changed if status == "M" and is_source(path))
    if len(parents) != 1 or not 1 <= len(targets) <= MAX_TARGETS or len(changed) > MAX_CHANGED:
        return None
    subject, _, body = clean_message(message).partition("\n")
    query = f"{subject}\n{body}".strip()
    if _SWEEP.match(subject) or len(_WORD.findall(query)) < MIN_WORDS:
        return None
    return CommitTask(name_of(repository), parents[0], subject, query, targets)


def is_source(path: str) -> bool:
    """Whether a change of the file answers a question: neither a test nor documentation."""
    return PurePosixPath(path).suffix in SOURCES and not _NOT_SOURCE.search(path)


def clean_message(message: str) -> str:
    """The message without trailers, numbers of issues, hashes and addresses."""
    return _ADDRESS.sub(" ", _TRAILER.sub("", message.replace("\r", ""))).strip()


def files_of(repository: Path, commit: str) -> list[BlobFile]:
    """The regular files of at most `MAX_BYTES`, in path order."""
    rows = (row.split("\t", 1) for row in git(repository, "ls-tree", "-rlz", commit).split("\0") if row)
    parsed = [(head.split(), path) for head, path in rows]
    # A snapshot may lack a blob: git gives no number as its size then.
    files = (
        BlobFile(path, oid)
        for (mode, _, oid, size), path in parsed
        if mode.startswith("100") and size.isdigit() and int(size) <= MAX_BYTES
    )
    return sorted(files, key=lambda file: file.path)


def read_contents(repository: Path, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Each blob with its content, in the given order."""
    command = ["git", "-C", str(repository), "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        if reader.stdin is None or reader.stdout is None:
            raise OSError("git cat-file has no pipes")
        for oid in oids:
            reader.stdin.write(f"{oid}\n".encode())
            reader.stdin.flush()
            size = int(reader.stdout.readline().split()[2])
            yield oid, reader.stdout.read(size + 1)[:-1]
        reader.stdin.close()
