"""What a task's hints must not tell, prepared once per task from the task and the repository."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property

from selfplay.gate.elsewhere import Elsewhere
from selfplay.gate.needles import Needle, Needles, needle
from selfplay.gate.others import Others
from selfplay.gate.seen import Seen
from selfplay.gate.source import MIN_NAME
from selfplay.gate.target import TargetFile, read_target
from selfplay.gate.text import code_tokens, compact, words_of
from selfplay.gate.words import GENERIC, KEYWORDS
from selfplay.task import Task
from selfplay_tools.code import code_of
from selfplay_tools.errors import ToolsError
from selfplay_tools.snapshot import Snapshot

_ENOUGH_LINES = 8
"""Distinctive lines of a target that make it shown; half of them, where it has fewer than twice as many."""
_COMMON_NAME = 10
"""A file name that so many other files bear says nothing without its folder."""
MIN_SENTENCE = 4
"""Words of the shortest sentence of a comment that is a quote as a whole."""
_MAX_SENTENCE = 8
"""Longer ones are found as runs of words."""
_INIT_STEMS = frozenset({"__init__", "index", "mod", "main", "init", "__main__", "doc", "package-info"})


class Secret:
    """Everything that the checks compare a hint with. Made by `prepare`; parts are worked out when first needed."""

    def __init__(self, task: Task, snapshot: Snapshot | None) -> None:
        self._task = task
        self._snapshot = snapshot
        self.paths = frozenset(task.answer.paths)
        self.prompt = task.brief.prompt
        self.elsewhere = Elsewhere(snapshot, self.paths)

    @cached_property
    def told(self) -> Seen:
        """What the task itself tells."""
        told = Seen()
        told.add(self.prompt)
        return told

    @cached_property
    def files(self) -> Sequence[TargetFile]:
        """The targets' files with their content."""
        return [read_target(self._task.answer, path, self._snapshot) for path in self._task.answer.paths]

    @cached_property
    def names(self) -> Needles:
        """Paths, file names, stems, modules, and folders that hold only targets."""
        return Needles(self._names())

    @cached_property
    def definitions(self) -> Needles:
        """Identifiers and literals of the targets. Whether others have them too is asked when a hint holds one."""
        return Needles(self._definitions())

    @cached_property
    def symbols(self) -> frozenset[str]:
        """Names of the definitions that are targets, letters and digits only, each part by itself."""
        symbols = [t.symbol for t in self._task.answer.targets if t.symbol]
        return frozenset(compact(part) for s in symbols for part in re.split(r"[.:#]+", s) if part)

    @cached_property
    def defined(self) -> frozenset[str]:
        """Names that the targets define, as far as a grammar reads them. Whether others do too is asked when needed."""
        if self._snapshot is None:
            return frozenset()
        return frozenset(name for path in self._task.answer.paths for name in _defined(self._snapshot, path))

    def is_own(self, name: str) -> bool:
        """Whether the name, as written, is defined in targets alone: `find_symbol` leads straight to them."""
        return name in self.defined and not self.elsewhere.defines(name)

    @cached_property
    def code_streams(self) -> Sequence[tuple[str, str]]:
        """For each target its path and the tokens of its code, with blanks around."""
        return [(f.path, f" {' '.join(code_tokens(f.text))} ") for f in self.files]

    @cached_property
    def sentences(self) -> frozenset[tuple[str, ...]]:
        """The words of each sentence of the targets' comments that is long enough to be a quote."""
        return frozenset(s for f in self.files for s in f.source.sentences if MIN_SENTENCE <= len(s) <= _MAX_SENTENCE)

    @cached_property
    def streams(self) -> Sequence[tuple[str, str]]:
        """For each target its path and its words, in lower case, identifiers taken apart, with blanks around."""
        return [(f.path, f" {' '.join(words_of(f.text))} ") for f in self.files]

    @cached_property
    def sorted_paths(self) -> Sequence[str]:
        """Every path of the repository, sorted; empty where it can't be read."""
        return [entry.path for entry in self._snapshot.entries] if self._snapshot is not None else []

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Bytes of every file of the repository."""
        return {entry.path: entry.size for entry in self._snapshot.entries} if self._snapshot is not None else {}

    @cached_property
    def others(self) -> "Others":
        """The names of what is no target."""
        return Others(path for path in self.sorted_paths if path not in self.paths)

    def is_found(self, path: str, shown: Seen) -> bool:
        """Whether the player has been shown the content of this target, so that its name is no secret any more."""
        if path in shown.opened and (self._snapshot is None or not self._lines(path)):
            return True
        lines = self._lines(path)
        count = len(lines & shown.lines)
        return count > 0 and (count >= _ENOUGH_LINES or 2 * count >= len(lines))

    def is_free(self, one: Needle, shown: Seen) -> bool:
        """Whether every target that the name leads to was found, or the task itself writes the name."""
        return all(self.is_found(path, shown) for path in one.targets) or self._is_told(one)

    def holds_only_targets(self, folder: str) -> bool:
        """Whether every file under the folder is a target."""
        return all(path in self.paths for path in self.under(folder))

    def under(self, folder: str) -> Iterator[str]:
        """Every path under the folder."""
        start = f"{folder}/"
        at = bisect_left(self.sorted_paths, start)
        while at < len(self.sorted_paths) and self.sorted_paths[at].startswith(start):
            yield self.sorted_paths[at]
            at += 1

    def beside(self, folder: str) -> Iterator[str]:
        """Every path right in the folder."""
        depth = folder.count("/") + (1 if folder else 0)
        return (path for path in (self.under(folder) if folder else self.sorted_paths) if path.count("/") == depth)

    def _lines(self, path: str) -> frozenset[str]:
        return next((f.lines for f in self.files if f.path == path), frozenset[str]())

    def _is_told(self, one: Needle) -> bool:
        if one.kind in {"path", "file_name"}:
            return is_written(one.written, self.prompt)
        return any(is_written(path.rpartition("/")[2], self.prompt) for path in one.targets) or (
            len(one.words) > 1 and one.kind in {"stem", "module"} and is_written(one.written, self.prompt)
        )

    def _names(self) -> Iterator[Needle]:
        for path in self._task.answer.paths:
            yield from self._names_of(path)
        yield from self._folders()

    def _names_of(self, path: str) -> Iterator[Needle]:
        *folders, name = path.split("/")
        for stem, extension in stems(name):
            is_root_file = not folders and stem != "__init__"
            is_generic = stem.lower() in GENERIC or self._is_common(name)
            ending = (extension,) if extension else ()
            if extension or stem == name:
                yield needle(
                    "file_name",
                    (stem, *ending),
                    written=name,
                    targets=[path],
                    extension=extension,
                    is_generic=is_generic and not is_root_file,
                )
            yield needle("stem", (stem,), written=stem, targets=[path], is_generic=is_generic)
            for depth in range(1, len(folders) + 1):
                last = folders[-depth:]
                written = "/".join((*last, name))
                yield needle("path", (*last, stem, *ending), written=written, targets=[path], extension=extension)
                yield needle("module", (*last, stem), written="/".join((*last, stem)), targets=[path])
            if stem.lower() in _INIT_STEMS:
                for depth in range(2, len(folders) + 1):
                    last = folders[-depth:]
                    yield needle("module", last, written=".".join(last), targets=[path])

    def _is_common(self, name: str) -> bool:
        return self.others.count(name) >= _COMMON_NAME

    @cached_property
    def folders(self) -> Sequence[str]:
        """Folders that hold only targets."""
        above = {folder: None for path in sorted(self.paths) for folder in _folders_above(path)}
        holds = self.holds_only_targets if self._snapshot else self._may_hold_only_targets
        return [folder for folder in above if holds(folder)]

    def _folders(self) -> Iterator[Needle]:
        for folder in self.folders:
            pieces = folder.split("/")
            targets = [path for path in self.paths if path.startswith(f"{folder}/")]
            for depth in range(1, len(pieces) + 1):
                last = pieces[-depth:]
                yield needle("directory", last, written="/".join(last) + "/", targets=targets)

    def _may_hold_only_targets(self, folder: str) -> bool:
        """Without the repository: a folder that tells targets apart as far as the task can say."""
        inside = [path for path in self.paths if path.startswith(f"{folder}/")]
        is_parent = any(path.rpartition("/")[0] == folder for path in inside)
        return is_parent and (len(inside) > 1 or "/" in folder)

    def _definitions(self) -> Iterator[Needle]:
        found: dict[tuple[str, str], set[str]] = {}
        for file in self.files:
            for name in file.source.identifiers | file.source.mentions:
                found.setdefault((name, "identifier"), set()).add(file.path)
            for text in file.source.literals:
                found.setdefault((text, "literal"), set()).add(file.path)
        for target in self._task.answer.targets:
            for name in re.split(r"[.:#]+", target.symbol or ""):
                found.setdefault((name, "identifier"), set()).add(target.path)
        for (name, kind), paths in sorted(found.items()):  # sets have another order in each process
            if len(compact(name)) >= MIN_NAME and (name.lower() not in KEYWORDS or compact(name) in self.symbols):
                yield needle("identifier" if kind == "identifier" else "literal", (name,), written=name, targets=paths)


def prepare(task: Task, snapshot: Snapshot | None) -> Secret:
    """What the task's hints must not tell. Without a snapshot only what the task itself says can be guarded."""
    return Secret(task, snapshot)


def stems(name: str) -> list[tuple[str, str]]:
    """A file name's stems with what follows each: `orders.html.erb` gives (`orders.html`, `erb`), (`orders`, "")."""
    bare = name.lstrip(".")
    stem, _, extension = bare.rpartition(".")
    if not stem:
        return [(bare, "")]
    short = stem.partition(".")[0]
    found = [(stem, extension)]
    if short != stem and len(compact(short)) >= MIN_NAME:
        found.append((short, ""))
    return found


def is_written(name: str, text: str) -> bool:
    """Whether the name stands in the text by itself, in any case."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None


def _defined(snapshot: Snapshot, path: str) -> Iterator[str]:
    try:
        found = code_of(snapshot, path).definitions
    except ToolsError:
        return
    yield from (one.name for one in found if not one.name.startswith("__"))


def _folders_above(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
