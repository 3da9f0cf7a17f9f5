"""Which language server is asked about which files."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from selfplay_tools.errors import NotUsable

PYTHON_COMMAND = ("basedpyright-langserver", "--stdio")
PYTHON_READY = (" source file",)
"""`Found 12 source files`, `No source files found`: what it is asked before that, it answers from open files alone."""
PYTHON_FILES = ("*.py", "*.pyi", "py.typed")
PACKAGE_ROOTS = "${package_roots}"
"""In settings: the folders that hold Python packages. Repositories say so in files that are not laid out."""
_ANALYSIS = {
    "autoImportCompletions": False,
    "diagnosticMode": "openFilesOnly",
    "extraPaths": PACKAGE_ROOTS,
    "typeCheckingMode": "off",
    "useLibraryCodeForTypes": False,
}
MAX_ROOTS = 50
PYTHON_SETTINGS: Mapping[str, Any] = {"basedpyright": {"analysis": _ANALYSIS}, "python": {"analysis": _ANALYSIS}}
"""No diagnostics, no index for completion: definitions, references and hover need neither."""


@dataclass(frozen=True)
class LanguageServer:
    """One server, started by a command, spoken to over its standard input and output."""

    language: str
    """The protocol's language id: python, go, rust, c, typescript, ..."""
    command: tuple[str, ...]
    """Program and arguments; the program by its path, or by a name on PATH or beside this Python."""
    files: tuple[str, ...]
    """Patterns of names: those files are laid out for the server, nothing else of a snapshot is."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    """What the server gets when it asks for its configuration."""
    opens: bool = True
    """Whether it has to be sent a file (`textDocument/didOpen`) before it is asked about it."""
    ready: tuple[str, ...] = ()
    """Words of log messages (`window/logMessage`), one of which the server writes when it knows all files. Without
    them it is asked as soon as it reports no work in progress."""
    pass_env: tuple[str, ...] = ()
    """Environment variables that it gets as they are here; all others are kept from it."""
    timeout_s: float = 60.0
    """For its start, and for each request."""
    memory_mb: int = 4096
    cpu_s: int = 3600
    """Processor seconds of one server process, after which it is started anew."""

    def serves(self, path: str) -> bool:
        """Whether the file's name fits one of the patterns."""
        name = path.rpartition("/")[2]
        return any(fnmatchcase(name, pattern) for pattern in self.files)

    def environment(self, home: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The whole environment of its processes: folders of its own, no PATH, and what is passed on by name."""
        own = {name: str(home) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        # V8 has its own idea of how much memory there is; what it can't collect below this ends the process.
        heap = f"--max-old-space-size={self.memory_mb * 3 // 4}"
        passed = {name: environ[name] for name in self.pass_env if name in environ}
        return own | {"PATH": str(home / "bin"), "LANG": "C.UTF-8", "NODE_OPTIONS": heap} | passed

    def find_program(self) -> str:
        """Where the program is. Raises NotUsable."""
        beside = str(Path(sys.executable).parent)
        found = shutil.which(self.command[0], path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
        if found is None:
            more = "; pip install '.[lsp]' in selfplay's checkout" if self.command[0] == PYTHON_COMMAND[0] else ""
            raise NotUsable(f"lsp: no program {self.command[0]!r} for {self.language}{more}")
        return str(Path(found).absolute())


def fill_settings(settings: Any, paths: AbstractSet[str]) -> Any:  # noqa: ANN401  settings are whatever a server takes
    """The settings, with what depends on the files filled in."""
    if isinstance(settings, Mapping):
        items = cast("Mapping[str, Any]", settings).items()
        return {name: fill_settings(value, paths) for name, value in items}
    return find_package_roots(paths) if settings == PACKAGE_ROOTS else settings


def find_package_roots(paths: AbstractSet[str]) -> list[str]:
    """Folders from which packages are imported, the root aside: the outer ones first, at most `MAX_ROOTS`."""
    packages = {path.rpartition("/")[0] for path in paths if path.endswith("/__init__.py")}
    roots = {folder.rpartition("/")[0] for folder in packages} - packages - {""}
    return sorted(roots, key=lambda folder: (folder.count("/"), folder))[:MAX_ROOTS]


def server_for(
    language: str,
    command: Sequence[str] = (),
    files: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    **more: Any,  # noqa: ANN401  the other fields of LanguageServer, as they are
) -> LanguageServer:
    """A server, with what is known of its language where nothing is given. Raises NotUsable for what can't be known."""
    if language == "python" and not command:
        command, settings = PYTHON_COMMAND, PYTHON_SETTINGS if settings is None else settings
        # It answers about all files that it found, and closing one would make it forget the text.
        more |= {"ready": PYTHON_READY, "opens": False}
    if language == "python" and not files:
        files = PYTHON_FILES
    if not command or not files:
        lacking = "command" if not command else "files"
        raise NotUsable(f"lsp: {lacking} is missing for {language}: only the one for python is known")
    return LanguageServer(language, tuple(command), tuple(files), settings or {}, **more)
