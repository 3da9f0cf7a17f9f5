"""Where a benchmark's `owner/name` is cloned from."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, cast

from selfplay.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class RepositoryLocations:
    """From names to repositories: a table, a folder of clones, else GitHub."""

    folder: Path | None = None
    table: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def from_path(cls, place: Path | None) -> Self:
        """A folder, or a JSON file `{"owner/name": "path or URL"}`. Raises InputError."""
        if place is None:
            return cls()
        if place.is_dir():
            return cls(folder=place.absolute())
        try:
            value: object = json.loads(place.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{place}: neither a folder nor a JSON file: {error}") from None
        table = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        if not table or not all(isinstance(repo, str) for repo in table.values()):
            raise InputError(f'{place}: write {{"owner/name": "path or URL", ...}}')
        return cls(table={name: str(repo) for name, repo in table.items()})

    def locate(self, name: str) -> str:
        """The `repo` of a task. Raises ValueError with the reason where there is none."""
        if name in self.table:
            return self.table[name]
        if "://" in name:
            return name
        if not _NAME.fullmatch(name):
            raise ValueError(f"repo {name!r} is no owner/name")
        if self.folder is None:
            return f"https://github.com/{name}"
        for candidate in self._candidate_folders(name):
            if any((candidate / mark).exists() for mark in (".git", "HEAD")):
                return str(candidate)
        raise ValueError(f"repo {name!r} is not in {self.folder}, under any of its usual names")

    def _candidate_folders(self, name: str) -> list[Path]:
        """`owner/name`, `owner__name`, `owner+name`, `owner-name`, `name`: with `.git`, or holding a clone `repo`."""
        if self.folder is None:
            return []
        owner, _, last = name.partition("/")
        stems = [name, *(f"{owner}{joint}{last}" for joint in ("__", "+", "--", "-")), last]
        return [self.folder / form for stem in stems for form in (stem, f"{stem}.git", f"{stem}/repo")]
