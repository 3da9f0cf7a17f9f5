"""Repositories and directories for tests, strange ones included: made with git's plumbing and with `dir_fd` calls."""

import os
import subprocess
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot

_WHO = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "A. U. Thor"), ("EMAIL", "author@example.com"), ("DATE", "1700000000 +0000"))
}


@dataclass(frozen=True)
class Link:
    target: bytes


@dataclass(frozen=True)
class Program:
    content: bytes


@dataclass(frozen=True)
class Submodule:
    commit: str


Content = bytes | Link | Program | Submodule
Files = Mapping[bytes, Content]


def git(git_dir: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """What git prints. The user's own configuration is left out."""
    return subprocess.run(
        ["git", f"--git-dir={git_dir}", *arguments],
        input=stdin,
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **_WHO},
    ).stdout


def make_git_dir(path: Path) -> Path:
    git(path, "init", "--quiet", "--bare", "--initial-branch=main", str(path))
    return path


def commit_files(git_dir: Path, files: Files, *, branch: str = "main", message: bytes = b"change") -> str:
    """Add a commit whose tree is exactly `files` to a branch; its id."""
    stream = [
        f"commit refs/heads/{branch}\ncommitter A <a@example.com> 1700000000 +0000\n".encode(),
        _data_command(message),
    ]
    if git(git_dir, "for-each-ref", f"refs/heads/{branch}"):
        stream.append(f"from refs/heads/{branch}^0\n".encode())
    stream.append(b"deleteall\n")
    stream.extend(_file_command(path, content) for path, content in files.items())
    git(git_dir, "-c", "fastimport.unpackLimit=1000000", "fast-import", "--quiet", "--force", stdin=b"".join(stream))
    return git(git_dir, "rev-parse", f"refs/heads/{branch}").decode().strip()


def _file_command(path: bytes, content: Content) -> bytes:
    quoted = b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"\n'
    match content:
        case Link(target):
            return b"M 120000 inline " + quoted + _data_command(target)
        case Program(body):
            return b"M 100755 inline " + quoted + _data_command(body)
        case Submodule(commit):
            return b"M 160000 " + commit.encode() + b" " + quoted
        case bytes():
            return b"M 100644 inline " + quoted + _data_command(content)


def _data_command(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def make_work_tree(path: Path) -> Path:
    """An ordinary repository with one commit."""
    path.mkdir()
    git(path / ".git", "init", "--quiet", "--initial-branch=main", str(path))
    commit_files(path / ".git", {b"a.py": b"1\n", b"sub/b.py": b"2\n"})
    git(path / ".git", f"--work-tree={path}", "checkout", "--quiet", "-f", "main")
    return path


def write_blob(git_dir: Path, content: bytes) -> str:
    return git(git_dir, "hash-object", "-w", "--stdin", stdin=content).decode().strip()


def write_raw_tree(git_dir: Path, items: Iterable[tuple[bytes, bytes, str]]) -> str:
    """A tree with these (mode, name, id), whatever they are; its id."""
    body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in items)
    return git(git_dir, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=body).decode().strip()


def commit_tree(git_dir: Path, tree: str) -> str:
    return git(git_dir, "commit-tree", "-m", "by hand", tree).decode().strip()


def make_directory(root: Path, files: Files) -> Path:
    """Write `files` below `root`; paths may be longer than the system takes in one call."""
    root.mkdir(exist_ok=True)
    by_folder: dict[bytes, dict[bytes, Content]] = {}
    for path, content in files.items():
        folder, _, name = path.rpartition(b"/")
        by_folder.setdefault(folder, {})[name] = content
    for path, contents in by_folder.items():
        with _open_folder(root, path.split(b"/") if path else ()) as folder:
            for name, content in contents.items():
                _write_content(folder, name, content)
    return root


@contextmanager
def _open_folder(root: Path, names: Iterable[bytes]) -> Generator[int]:
    folder = os.open(root, os.O_RDONLY)
    try:
        for name in names:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _write_content(folder: int, name: bytes, content: Content) -> None:
    match content:
        case Link(target):
            os.symlink(target, name, dir_fd=folder)
        case Submodule(commit):
            os.mkdir(name, dir_fd=folder)
            with _open_inner_folder(folder, name) as inner:
                os.mkdir(b".git", dir_fd=inner)
                _write_file(inner, b".git/HEAD", commit.encode() + b"\n", 0o644)
        case Program(body):
            _write_file(folder, name, body, 0o755)
        case bytes():
            _write_file(folder, name, content, 0o644)


@contextmanager
def _open_inner_folder(folder: int, name: bytes) -> Generator[int]:
    inner = os.open(name, os.O_RDONLY, dir_fd=folder)
    try:
        yield inner
    finally:
        os.close(inner)


def _write_file(folder: int, name: bytes, content: bytes, mode: int) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


@contextmanager
def open_both_ways(folder: Path, files: Files) -> Generator[tuple[Snapshot, Snapshot]]:
    """The same files as a commit and as a directory."""
    git_dir = make_git_dir(folder / "files.git")
    commit = commit_files(git_dir, files)
    root = make_directory(folder / "files", files)
    with closing(CommitSnapshot(git_dir, commit)) as committed, closing(DirectorySnapshot(root)) as on_disk:
        yield committed, on_disk


def all_folders(snapshot: Snapshot, folder: str = "") -> Generator[str]:
    yield folder
    for name, kind in snapshot.children(folder):
        if kind == "folder":
            yield from all_folders(snapshot, f"{folder}/{name}" if folder else name)
