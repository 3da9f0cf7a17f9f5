"""Git processes that read and do nothing else.

`git_environment` is the one place that says how git is started: without the user's and the system's configuration,
without hooks, filters, prompts, templates, replaced objects, or any transport that was not named. What a repository
brings with it can therefore not start anything.
"""

import os
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO

from selfplay_tools.errors import GitFailed

_SETTINGS = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", os.devnull),
    ("core.excludesFile", os.devnull),
    ("core.bigFileThreshold", "4m"),  # larger blobs are streamed, not held
    ("credential.helper", ""),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)

_INHERITED = frozenset({"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_PROXY_SSL_CAINFO"})
"""Variables of the user that only say which certificates to trust."""
_MAX_COMPLAINT_BYTES = 2000


def git_environment(
    *, protocols: Iterable[str] = (), trusted: Iterable[Path] = (), base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole environment for a git process.

    Args:
        protocols: transports that git may use (`file`, `https`, `ssh`, ...); none unless given.
        trusted: repositories that may belong to another user.
        base: what to build on instead of this process' environment; its `GIT_*` variables are
            dropped, but for those that name certificates to trust.
    """
    inherited = os.environ if base is None else base
    settings = [*_SETTINGS, *(("safe.directory", str(path)) for path in trusted)]
    return {
        **{name: value for name, value in inherited.items() if name in _INHERITED or not name.startswith("GIT_")},
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_PAGER": "cat",
        # An empty list would be one protocol with an empty name: say what is meant.
        "GIT_ALLOW_PROTOCOL": ":".join(protocols) or "none",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{f"GIT_CONFIG_KEY_{i}": key for i, (key, _) in enumerate(settings)},
        **{f"GIT_CONFIG_VALUE_{i}": value for i, (_, value) in enumerate(settings)},
    }


def start_git(git_dir: Path, *arguments: str, stderr: int | IO[bytes] = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start `git --git-dir GIT_DIR ARGUMENTS` with pipes for its input and output. Raises GitFailed without a git."""
    try:
        return subprocess.Popen(  # noqa: S603 - fixed arguments and object ids; no shell
            ["git", f"--git-dir={git_dir}", *arguments],  # noqa: S607 - the git that the user has on PATH
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=git_environment(trusted=(git_dir,)),
            # Ctrl-C is for the program, which ends its readers itself.
            process_group=0,
        )
    except OSError as error:
        raise GitFailed(f"can't start git ({error.strerror}): is it installed and on PATH?") from error


def pipes_of(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """The input and output of a process that `start_git` returned."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process was started without pipes")
    return process.stdin, process.stdout


def run_git(git_dir: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """What a short git command printed. Raises GitFailed with git's own words."""
    process = start_git(git_dir, *arguments, stderr=subprocess.PIPE)
    out, err = process.communicate(stdin)
    if process.returncode != 0:
        raise GitFailed(f"git {arguments[0]} in {git_dir}: {complaint_of(err)}")
    return out


def read_records(git_dir: Path, *arguments: str, input_bytes: bytes = b"") -> Generator[bytes]:
    """The NUL-terminated records that a git command prints, as they come. Raises GitFailed at their end.

    `input_bytes` is its input. A caller that stops early must close the iterator; the process ends with it.
    """
    # A file: a pipe that is not read meanwhile would block git once it is full.
    with tempfile.TemporaryFile() as complaint:
        process = start_git(git_dir, *arguments, stderr=complaint)
        stdin, stdout = pipes_of(process)
        # In a thread: a command that answers as it reads would wait for us while we wait for it.
        feeder = Thread(target=_feed, args=(stdin, input_bytes), name="feeds git", daemon=True)
        feeder.start()
        try:
            parts: list[bytes] = []
            while chunk := os.read(stdout.fileno(), 1 << 20):
                parts.append(chunk)
                if b"\0" in chunk:  # joined once per record, however long it is
                    *whole, rest = b"".join(parts).split(b"\0")
                    parts = [rest]
                    yield from whole
            if process.wait() != 0 or any(parts):
                complaint.seek(0)
                raise GitFailed(
                    f"git {arguments[0]} in {git_dir}: {complaint_of(complaint.read(_MAX_COMPLAINT_BYTES))}"
                )
        finally:
            process.kill()
            process.wait()
            feeder.join()
            stdout.close()


def _feed(stdin: IO[bytes], given: bytes) -> None:
    with suppress(BrokenPipeError), stdin:
        stdin.write(given)


def complaint_of(stderr: bytes) -> str:
    """Git's complaint on one line, without its prefix."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return "; ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in lines) or "no reason given"
