"""The commits of a store that were asked for, and when: a file for each."""

import os
from pathlib import Path


class RecentCommits:
    """A folder of marks. Safe to use from several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, commit: str) -> None:
        """Remember that a commit was asked for now. Never fails."""
        try:
            self._folder.mkdir(exist_ok=True)
            (self._folder / commit).touch()
        except OSError:  # a store that can't be written to is read all the same
            return

    def latest(self) -> list[str]:
        """The commits that were asked for, the latest first."""
        try:
            found = [(entry.stat().st_mtime_ns, entry.name) for entry in os.scandir(self._folder)]
        except OSError:
            return []
        return [name for _, name in sorted(found, reverse=True)]

    def forget(self, commit: str) -> None:
        """As if the commit was never asked for. Raises OSError."""
        (self._folder / commit).unlink(missing_ok=True)
