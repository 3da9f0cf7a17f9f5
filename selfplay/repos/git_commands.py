"""GitPython, started the way `selfplay_tools.git` starts git.

`git.Git` runs the commands. `git.Repo` is not used: it would let `GIT_*` variables of this process decide where a
repository's parts lie.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, cast

import git
from filelock import FileLock, Timeout
from git.cmd import handle_process_output  # pyright: ignore[reportUnknownVariableType] - GitPython types its process parameter as a bare Popen
from git.util import finalize_process

from selfplay.core.errors import RepositoryError
from selfplay.repos.sources import RepositorySource, strip_credentials
from selfplay_tools.git import complaint_of, git_environment

ProgressCallback = Callable[[str], None]
"""Called with each line of git's progress, from another thread."""

LOCK_POLL_S = 0.5
"""Seconds between two looks at whether waiting for a lock is broken off."""
_PROGRESS_PREFIXES = ("Cloning into", "warning:", "POST ", "hint:")


class IsolatedGit(git.Git):
    """Commands that inherit no `GIT_*` variable: GitPython itself can add variables, but not take them away."""

    # Its overloads differ in what they return; here only the command changes, so everything is handed through.
    def execute(self, command: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - as said above
        """As GitPython's, with `env -u` in front where there is a variable to drop.

        One that goes on as a process is a group of its own, so that it can be ended with the processes it started.
        """
        ours = self.environment()
        stray = sorted(name for name in os.environ if name.startswith("GIT_") and name not in ours)
        drop = [part for name in stray for part in ("-u", name)]
        if kwargs.get("as_process"):
            kwargs["start_new_session"] = True
        run: Callable[..., Any] = super().execute
        return run(["env", *drop, *command] if drop else command, *args, **kwargs)


class ProgressListener(git.RemoteProgress):
    """Passes git's progress lines on, and keeps its error lines in `error_lines`."""

    def __init__(self, notify: ProgressCallback | None) -> None:
        super().__init__()
        self._notify = notify

    def update(
        self, op_code: int, cur_count: str | float, max_count: str | float | None = None, message: str = ""
    ) -> None:
        """Called by GitPython for every line that it understands."""
        del op_code, cur_count, max_count, message
        if self._notify is not None:
            self._notify(str(self._cur_line))


def commands_in(git_dir: Path, variables: Mapping[str, str] | None = None) -> git.Git:
    """Git commands in one git directory, for one thread. They raise git.GitError."""
    git_commands = IsolatedGit(str(git_dir))
    git_commands.update_environment(**(variables or git_environment(trusted=(git_dir,))), GIT_DIR=str(git_dir))
    return git_commands


@contextmanager
def open_environment(source: RepositorySource, git_dir: Path) -> Generator[dict[str, str]]:
    """The environment for commands in `git_dir` that talk to `source`."""
    variables = git_environment(protocols=source.protocols, trusted=(git_dir,))
    if source.directory is None:
        yield variables
        return
    # For a directory git starts its own server, which gets none of our GIT_CONFIG_* settings. The user named this
    # repository, so it may belong to someone else; its configuration can't start anything in a server.
    with TemporaryDirectory(prefix="selfplay-git-") as folder:
        settings = Path(folder) / "gitconfig"
        settings.write_text("[safe]\n\tdirectory = *\n")
        yield {**variables, "GIT_CONFIG_GLOBAL": str(settings)}


class GitTransfers:
    """Git's processes that bring something here from sources. Another thread may break them off, for good."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[git.Git.AutoInterrupt] = set()
        self.is_broken_off = False

    def break_off(self) -> None:
        """End what runs; what would begin later ends at once."""
        with self._lock:
            self.is_broken_off = True
            for process in self._running:
                _kill_process_group(process)

    def finish(
        self, process: git.Git.AutoInterrupt, source: RepositorySource, progress: ProgressCallback | None = None
    ) -> None:
        """Wait until it is done. Raises RepositoryError."""
        listener = ProgressListener(progress)
        with self._lock:
            self._running.add(process)
            if self.is_broken_off:
                _kill_process_group(process)
        try:
            with translate_git_errors(source, listener):
                handle_process_output(
                    process, None, listener.new_message_handler(), finalize_process, decode_streams=True
                )
        except KeyboardInterrupt:
            _kill_process_group(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)

    @contextmanager
    def lock(self, path: Path) -> Generator[None]:
        """Keep other processes out, once they have left. Raises RepositoryError when it is broken off."""
        lock = FileLock(path)
        while True:
            try:
                lock.acquire(timeout=LOCK_POLL_S)
            except Timeout:
                if self.is_broken_off:
                    raise RepositoryError(f"{path}: another process holds it") from None
            else:
                break
        try:
            yield
        finally:
            lock.release()


def _kill_process_group(process: git.Git.AutoInterrupt) -> None:
    """End it and all that it started."""
    running = cast("subprocess.Popen[bytes] | None", process.proc)  # pyright: ignore[reportUnknownMemberType] - GitPython types it as a bare Popen
    if running is not None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)


def clone(source: RepositorySource, git_dir: Path, transfers: GitTransfers, progress: ProgressCallback | None) -> None:
    """Clone into the empty directory `git_dir`, bare. Raises RepositoryError."""
    with open_environment(source, git_dir) as variables:
        git.Git.check_unsafe_protocols(source.url)
        made = IsolatedGit(str(git_dir))
        made.update_environment(**variables)
        process = made.clone("--bare", "--progress", "--", source.url, str(git_dir), as_process=True)
        transfers.finish(process, source, progress)


def fetch(source: RepositorySource, git_dir: Path, transfers: GitTransfers, *specs: str) -> None:
    """Fetch into a clone, and drop what the source no longer has. Raises RepositoryError."""
    options = ("--prune", "--no-tags", "--no-recurse-submodules", "--no-auto-gc")
    with open_environment(source, git_dir) as variables:
        process = commands_in(git_dir, variables).fetch(*options, source.url, *specs, as_process=True)
        transfers.finish(process, source)


@contextmanager
def translate_git_errors(source: RepositorySource, listener: ProgressListener | None = None) -> Generator[None]:
    """Turn a failed command into a RepositoryError with git's words, which a `listener` may have received instead."""
    try:
        yield
    except git.GitError as error:
        complaints = "\n".join(listener.error_lines) if listener is not None else ""
        raise RepositoryError(f"{source.url}: {describe_git_error(error, complaints)}") from None


def describe_git_error(error: git.GitError, complaints: str = "") -> str:
    """Git's own words, without progress, credentials, or the command line."""
    said = str(error.stderr) if isinstance(error, git.GitCommandError) else str(error)
    text = complaints or said.partition("stderr: '")[2].rstrip("' \n") or said
    lines = [line for line in text.splitlines() if not line.startswith(_PROGRESS_PREFIXES)]
    return strip_credentials(complaint_of("\n".join(lines).encode()))
