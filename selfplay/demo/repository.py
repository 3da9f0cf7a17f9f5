"""The demo's code base as a git repository, and the task about it.

The code base lies in `lantern/` beside this module, as plain files of the package. `make_repository` turns it into a
repository with one commit, whose id is the same on every machine: author, dates, modes and line ends are fixed, and
git runs without the host's configuration.
"""

import subprocess
import tempfile
from pathlib import Path

from selfplay.core.errors import RepositoryError
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay_tools.errors import GitFailed
from selfplay_tools.git import complaint_of, git_environment, run_git

CODE_BASE = Path(__file__).parent / "lantern"
PATCH = Path(__file__).parent / "fingerprint.patch"
"""A change that does what the task asks for; it touches the targets and nothing else."""

DEMO_ID = "lantern-fingerprint"
PROMPT = "make a change so that the server fingerprint is returned as a header on every HTTP response"
TARGETS = (
    "src/lantern/runtime/identity.py",  # what is known of the running server; the fingerprint is made of it
    "src/lantern/wire/emit.py",  # what the application answered leaves here
    "src/lantern/core/refusal.py",  # what is turned away before there is a request leaves here
)

_SIGNATURE = "lantern <lantern@example.org> 1767225600 +0000"  # the first second of 2026
_MESSAGE = "lantern 0.9.2\n"
_BRANCH = "main"


def make_repository(where: Path) -> tuple[Path, str]:
    """Make the demo's repository at `where`, with its files checked out; returns its absolute path and the commit.

    It appears whole or not at all. A repository that holds the commit already is left as it is. Raises RepositoryError
    when `where` is taken by something else, or can't be written.
    """
    where = where.absolute()
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=where.parent, prefix=f".{where.name}.") as scratch:
            made = Path(scratch) / "repository"
            commit = _commit_files(made)
            _move_into_place(made, where, commit)
    except OSError as error:
        raise RepositoryError(f"can't make the demo's repository at {where}: {error.strerror}") from error
    return where, commit


def demo_task(repo: Path, commit: str) -> Task:
    """The task of the demo, about the repository that `make_repository` returned."""
    return Task(
        brief=Brief(id=DEMO_ID, repo=str(repo), commit=commit, prompt=PROMPT),
        answer=Answer(targets=tuple(Target(path=path) for path in TARGETS), patch=PATCH.read_text(encoding="utf-8")),
    )


def read_files(root: Path) -> dict[str, bytes]:
    """Every file below `root` by its path, sorted; line ends as LF, and without the bytecode that Python leaves."""
    found = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    by_path = {path.relative_to(root).as_posix(): path for path in found}
    return {name: by_path[name].read_bytes().replace(b"\r\n", b"\n") for name in sorted(by_path)}


def _commit_files(repository: Path) -> str:
    """Make a repository with the code base as its only commit, and check that out. Returns the commit's id."""
    repository.mkdir()
    _run_git(repository, "init", "--quiet", "--object-format=sha1", f"--initial-branch={_BRANCH}")
    _run_git(repository, "fast-import", "--quiet", "--done", sent=_fast_import_stream(read_files(CODE_BASE)))
    _run_git(repository, "reset", "--quiet", "--hard")
    return _run_git(repository, "rev-parse", "--verify", "HEAD").decode("ascii").strip()


def _fast_import_stream(files: dict[str, bytes]) -> bytes:
    """The commit in the format that `git fast-import` reads (git-fast-import(1), "Input format")."""
    message = _MESSAGE.encode()
    parts = [
        f"commit refs/heads/{_BRANCH}\nauthor {_SIGNATURE}\ncommitter {_SIGNATURE}\n".encode(),
        _data_block(message),
    ]
    for path, content in files.items():
        mode = "100755" if content.startswith(b"#!") else "100644"
        parts += [f"M {mode} inline {path}\n".encode(), _data_block(content)]
    return b"".join([*parts, b"done\n"])


def _data_block(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _move_into_place(made: Path, where: Path, commit: str) -> None:
    """Put the repository in its place. A second process finds the same one there and leaves it."""
    try:
        made.rename(where)
    except OSError as error:
        if not where.exists():
            raise
        if not _has_commit(where, commit):
            message = f"{where} is in the way: it is not the demo's repository; remove it, or name another folder"
            raise RepositoryError(message) from error


def _has_commit(repository: Path, commit: str) -> bool:
    try:
        run_git(repository / ".git", "cat-file", "-e", f"{commit}^{{commit}}")
    except GitFailed:
        return False
    return True


def _run_git(repository: Path, *arguments: str, sent: bytes = b"") -> bytes:
    """What a git command printed. Raises RepositoryError with git's own words."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments; no shell
            ["git", *arguments],  # noqa: S607 - the git that the user has on PATH
            cwd=repository,
            env=git_environment(),
            input=sent,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise RepositoryError("can't start git: is it installed and on PATH?") from error
    if done.returncode != 0:
        raise RepositoryError(f"git {arguments[0]} in {repository}: {complaint_of(done.stderr)}")
    return done.stdout
