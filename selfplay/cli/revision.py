"""`REPO[@COMMIT]`, as commands on a repository take it."""

import re
from pathlib import Path

_URL_BEGINNING = re.compile(r"[A-Za-z0-9+.-]+://[^/]*|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:")
"""The part of a URL or of `user@host:path` in which an @ parts no commit from the repository."""


def repo_and_commit(text: str) -> tuple[str, str]:
    """The repository and the commit, `HEAD` if none is given. A directory whose name holds an @ is taken as it is."""
    beginning = _URL_BEGINNING.match(text)
    start = beginning.end() if beginning else 0
    repo, mark, commit = text[start:].rpartition("@")
    if not mark or not commit or Path(text).expanduser().is_dir():
        return text, "HEAD"
    return text[:start] + repo, commit
