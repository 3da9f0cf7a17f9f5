"""The files and folders that are no targets: naming one of them gives nothing away."""

from collections.abc import Iterable, Sequence
from functools import cached_property


class OtherPaths:
    """The files and folders that are no targets, by their last name."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._files: dict[str, list[str]] = {}
        self._folders: dict[str, set[str]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            self._files.setdefault(name.lower(), []).append(path.lower())
            while folder and folder.lower() not in self._folders.setdefault(folder.rpartition("/")[2].lower(), set()):
                self._folders[folder.rpartition("/")[2].lower()].add(folder.lower())
                folder = folder.rpartition("/")[0]

    def count_files_named(self, name: str) -> int:
        """How many files bear the name."""
        return len(self._files.get(name.lower(), ()))

    def has_folder(self, name: str) -> bool:
        """Whether a folder that holds other files too bears the name."""
        return name.lower() in self._folders

    def has_path(self, path: str) -> bool:
        """Whether a file or folder ends so: `client/response.py`, `http`."""
        lower = path.lower()
        last = lower.rpartition("/")[2]
        known = (*self._files.get(last, ()), *self._folders.get(last, ()))
        return any(one == lower or one.endswith(f"/{lower}") for one in known)

    def has_module(self, pieces: Sequence[str]) -> bool:
        """Whether a file without its extension ends so: `client`, `response`."""
        lower = "/".join(pieces).lower()
        return any(self.has_path(f"{lower}.{extension}") for extension in self._extensions)

    def has_extension(self, extension: str) -> bool:
        """Whether any file ends so."""
        return extension.lower() in self._extensions

    @cached_property
    def _extensions(self) -> frozenset[str]:
        return frozenset(name.rpartition(".")[2] for name in self._files if "." in name)
