"""Small real histories, written with git's plumbing: any message, author, date and name."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.repositories import make_git_dir

DAY = 86_400
START = 1_600_000_000


@dataclass
class History:
    """A bare repository that grows by whole commits."""

    git_dir: Path
    files: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    tips: dict[str, str] = field(default_factory=dict[str, str])
    count: int = 0

    @classmethod
    def at(cls, path: Path, **files: str) -> "History":
        made = cls(make_git_dir(path))
        made.commit(
            "Import the project", {k.replace("__", "/").encode() + b".py": v.encode() for k, v in files.items()}
        )
        return made

    def git(self, *arguments: str, stdin: bytes = b"", **more: str) -> str:
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **more}
        command = ["git", f"--git-dir={self.git_dir}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True, env=env).stdout.decode().strip()

    def commit(
        self,
        message: str | bytes,
        changes: Mapping[bytes, bytes | None],
        *,
        author: str = "Ada <ada@example.com>",
        parents: tuple[str, ...] | None = None,
        branch: str = "main",
        time: int | None = None,
        who: bytes | None = None,
    ) -> str:
        """Change (or with None remove) files and commit; its id. `who` replaces author and time, in any form."""
        self.count += 1
        for path, content in changes.items():
            if content is None:
                del self.files[path]
            else:
                self.files[path] = content
        if who is None:
            who = author.encode() + b" %d +0000" % (START + self.count * DAY if time is None else time)
        text = message if isinstance(message, bytes) else message.encode()
        lines = [b"tree " + self._tree(self.files).encode()]
        old = self.tips.get(branch)
        lines += [b"parent " + p.encode() for p in (parents if parents is not None else ((old,) if old else ()))]
        lines += [b"author " + who, b"committer " + who, b"", text]
        stdin = b"\n".join(lines)
        made = self.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=stdin)
        self.tips[branch] = made
        self.git("update-ref", f"refs/heads/{branch}", made)
        return made

    def _tree(self, files: Mapping[bytes, bytes]) -> str:
        inside: dict[bytes, dict[bytes, bytes]] = {}
        rows: list[tuple[bytes, bytes, str]] = []
        for path, content in files.items():
            head, slash, rest = path.partition(b"/")
            if slash:
                inside.setdefault(head, {})[rest] = content
            else:
                rows.append((head, b"100644", self.git("hash-object", "-w", "--stdin", stdin=content)))
        rows += [(name + b"/", b"40000", self._tree(below)) for name, below in inside.items()]
        body = b"".join(
            mode + b" " + name.rstrip(b"/") + b"\0" + bytes.fromhex(oid) for name, mode, oid in sorted(rows)
        )
        return self.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=body)
