"""What a task's hints must not reveal, prepared once per task from the task and the repository."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from selfplay.core.errors import ConfigError
from selfplay.core.plugins import load_plugins
from selfplay.core.task import Task
from selfplay.core.trace import HintFinding
from selfplay.gate.other_files import OtherContent, OtherPaths
from selfplay.gate.shown_text import ShownText
from selfplay.gate.source_files import MIN_NAME, TargetFile, read_target
from selfplay.gate.text.forbidden_names import ForbiddenName, ForbiddenNames, build_forbidden_name
from selfplay.gate.text.view import TextView, code_tokens_of, compact, normalise, words_of
from selfplay.gate.text.words import GENERIC_NAMES, KEYWORDS
from selfplay_tools.code.code_file import code_of
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import Snapshot

CHECKS_GROUP = "selfplay.gate_checks"
"""An entry point's value: a `Check`."""
_ENOUGH_LINES = 8
"""Distinctive lines of a target that make it shown; half of them, where it has fewer than twice as many."""
_COMMON_NAME = 10
"""A file name that so many other files have says nothing without its folder."""
MIN_SENTENCE = 4
"""Words of the shortest sentence of a comment that is a quote as a whole."""
_MAX_SENTENCE = 8
"""Longer ones are found as runs of words."""
_INIT_STEMS = frozenset({"__init__", "index", "mod", "main", "init", "__main__", "doc", "package-info"})


@dataclass(frozen=True, slots=True)
class Check:
    """One way in which a hint can reveal a target, and the function that finds it."""

    name: str
    find: "Callable[[TextView, Guard, ShownText], Iterable[HintFinding]]"
    """Reads the hint's normalised text and gives its findings in any order; `TextView.make_finding` makes one.

    It must be deterministic, take time that grows with the length of the hint, and raise nothing."""
    reads_earlier_hints: bool = False
    """Whether it is also given each hint behind those sent before it, to find what they reveal together."""


class Guard:
    """Everything that the checks compare a hint with, and the checks beyond those that ship.

    Made by `prepare_guard`; parts are worked out when first needed.
    """

    def __init__(self, task: Task, snapshot: Snapshot | None, extra_checks: tuple[Check, ...] = ()) -> None:
        self._task = task
        self._snapshot = snapshot
        self.extra_checks = extra_checks
        self.target_paths = frozenset(task.answer.paths)
        self.prompt = task.brief.prompt
        self.other_content = OtherContent(snapshot, self.target_paths)

    @cached_property
    def task_text(self) -> ShownText:
        """The task's text, which the player has from the start."""
        text = ShownText()
        text.add(self.prompt)
        return text

    @cached_property
    def target_files(self) -> Sequence[TargetFile]:
        """The targets' files with their content."""
        return [read_target(self._task.answer, path, self._snapshot) for path in self._task.answer.paths]

    @cached_property
    def names(self) -> ForbiddenNames:
        """Paths, file names, stems, modules, and folders that hold only targets."""
        return ForbiddenNames(self._collect_names())

    @cached_property
    def definitions(self) -> ForbiddenNames:
        """Identifiers and literals of the targets. Whether others have them too is looked up when a hint holds one."""
        return ForbiddenNames(self._collect_definitions())

    @cached_property
    def target_symbols(self) -> frozenset[str]:
        """Names of the definitions that are targets, letters and digits only, each part by itself."""
        symbols = [t.symbol for t in self._task.answer.targets if t.symbol]
        return frozenset(compact(part) for s in symbols for part in re.split(r"[.:#]+", s) if part)

    @cached_property
    def target_definitions(self) -> frozenset[str]:
        """Names that the targets define, as far as a grammar reads them. Others' are looked up when needed."""
        if self._snapshot is None:
            return frozenset()
        return frozenset(name for path in self._task.answer.paths for name in _list_defined_names(self._snapshot, path))

    def is_defined_only_in_targets(self, name: str) -> bool:
        """Whether the name, as written, is defined in targets alone: `find_symbol` leads straight to them."""
        return name in self.target_definitions and not self.other_content.defines(name)

    @cached_property
    def code_streams(self) -> Sequence[tuple[str, str]]:
        """For each target its path and the tokens of its code, with blanks around."""
        return [(f.path, f" {' '.join(code_tokens_of(f.text))} ") for f in self.target_files]

    @cached_property
    def sentences(self) -> frozenset[tuple[str, ...]]:
        """The words of each sentence of the targets' comments that is long enough to be a quote."""
        return frozenset(
            s for f in self.target_files for s in f.vocabulary.sentences if MIN_SENTENCE <= len(s) <= _MAX_SENTENCE
        )

    @cached_property
    def word_streams(self) -> Sequence[tuple[str, str]]:
        """For each target its path and its words, in lower case, identifiers taken apart, with blanks around."""
        return [(f.path, f" {' '.join(words_of(f.text))} ") for f in self.target_files]

    @cached_property
    def repository_paths(self) -> Sequence[str]:
        """Every path of the repository, sorted; empty where it can't be read."""
        return [entry.path for entry in self._snapshot.entries] if self._snapshot is not None else []

    @cached_property
    def other_paths(self) -> OtherPaths:
        """The names of what is no target."""
        return OtherPaths(path for path in self.repository_paths if path not in self.target_paths)

    def is_found(self, path: str, shown: ShownText) -> bool:
        """Whether the player has been shown the content of this target, so that hints may name it."""
        if path in shown.opened_paths and (self._snapshot is None or not self._target_lines(path)):
            return True
        lines = self._target_lines(path)
        count = len(lines & shown.lines)
        return count > 0 and (count >= _ENOUGH_LINES or 2 * count >= len(lines))

    def is_known_phrase(self, words: tuple[str, ...], shown: ShownText) -> bool:
        """Whether the task, or a text that was shown, has the words (in lower case) side by side."""
        return shown.has_phrase(words) or self.task_text.has_phrase(words)

    def is_ordinary(self, text: str, shown: ShownText) -> bool:
        """Whether the task, a text that was shown, or another file has a word or phrase (in lower case)."""
        words = tuple(text.split(" "))
        if self.is_known_phrase(words, shown):
            return True
        return self.other_content.has_word(text) if len(words) == 1 else self.other_content.has_word_run(words)

    def is_permitted(self, name: ForbiddenName, shown: ShownText) -> bool:
        """Whether every target that the name leads to was found, or the task itself writes the name."""
        return all(self.is_found(path, shown) for path in name.targets) or self._is_in_task(name)

    def holds_only_targets(self, folder: str) -> bool:
        """Whether every file under the folder is a target."""
        return all(path in self.target_paths for path in self.paths_under(folder))

    def paths_under(self, folder: str) -> Iterator[str]:
        """Every path under the folder."""
        start = f"{folder}/"
        at = bisect_left(self.repository_paths, start)
        while at < len(self.repository_paths) and self.repository_paths[at].startswith(start):
            yield self.repository_paths[at]
            at += 1

    def paths_in(self, folder: str) -> Iterator[str]:
        """Every path right in the folder."""
        depth = folder.count("/") + (1 if folder else 0)
        return (
            path for path in (self.paths_under(folder) if folder else self.repository_paths) if path.count("/") == depth
        )

    def _target_lines(self, path: str) -> frozenset[str]:
        return next((f.lines for f in self.target_files if f.path == path), frozenset[str]())

    def _is_in_task(self, name: ForbiddenName) -> bool:
        if name.kind in {"path", "file_name"}:
            return is_written_in(name.written, self.prompt)
        return any(is_written_in(path.rpartition("/")[2], self.prompt) for path in name.targets) or (
            len(name.words) > 1 and name.kind in {"stem", "module"} and is_written_in(name.written, self.prompt)
        )

    def _collect_names(self) -> Iterator[ForbiddenName]:
        for path in self._task.answer.paths:
            yield from self._collect_names_of(path)
        yield from self._collect_folder_names()

    def _collect_names_of(self, path: str) -> Iterator[ForbiddenName]:
        *folders, name = path.split("/")
        for stem, extension in split_stems(name):
            is_root_file = not folders and stem != "__init__"
            is_generic = stem.lower() in GENERIC_NAMES or self._is_common_file_name(name)
            ending = (extension,) if extension else ()
            if extension or stem == name:
                yield build_forbidden_name(
                    "file_name",
                    (stem, *ending),
                    written=name,
                    targets=[path],
                    extension=extension,
                    is_generic=is_generic and not is_root_file,
                )
            yield build_forbidden_name("stem", (stem,), written=stem, targets=[path], is_generic=is_generic)
            for depth in range(1, len(folders) + 1):
                last = folders[-depth:]
                written = "/".join((*last, name))
                yield build_forbidden_name(
                    "path", (*last, stem, *ending), written=written, targets=[path], extension=extension
                )
                yield build_forbidden_name("module", (*last, stem), written="/".join((*last, stem)), targets=[path])
            if stem.lower() in _INIT_STEMS:
                for depth in range(2, len(folders) + 1):
                    last = folders[-depth:]
                    yield build_forbidden_name("module", last, written=".".join(last), targets=[path])

    def _is_common_file_name(self, name: str) -> bool:
        return self.other_paths.count_files_named(name) >= _COMMON_NAME

    @cached_property
    def target_only_folders(self) -> Sequence[str]:
        """Folders that hold only targets."""
        above = {folder: None for path in sorted(self.target_paths) for folder in _parent_folders(path)}
        holds = self.holds_only_targets if self._snapshot else self._may_hold_only_targets
        return [folder for folder in above if holds(folder)]

    def _collect_folder_names(self) -> Iterator[ForbiddenName]:
        for folder in self.target_only_folders:
            pieces = folder.split("/")
            targets = [path for path in self.target_paths if path.startswith(f"{folder}/")]
            for depth in range(1, len(pieces) + 1):
                last = pieces[-depth:]
                yield build_forbidden_name("directory", last, written="/".join(last) + "/", targets=targets)

    def _may_hold_only_targets(self, folder: str) -> bool:
        """Without the repository: a folder that holds only targets as far as the task can say."""
        inside = [path for path in self.target_paths if path.startswith(f"{folder}/")]
        is_parent = any(path.rpartition("/")[0] == folder for path in inside)
        return is_parent and (len(inside) > 1 or "/" in folder)

    def _collect_definitions(self) -> Iterator[ForbiddenName]:
        found: dict[tuple[str, str], set[str]] = {}
        for file in self.target_files:
            for name in file.vocabulary.identifiers | file.vocabulary.comment_names:
                found.setdefault((name, "identifier"), set()).add(file.path)
            for text in file.vocabulary.literals:
                found.setdefault((text, "literal"), set()).add(file.path)
        for target in self._task.answer.targets:
            for name in re.split(r"[.:#]+", target.symbol or ""):
                found.setdefault((name, "identifier"), set()).add(target.path)
        for (name, kind), paths in sorted(found.items()):  # sets have another order in each process
            if len(compact(name)) >= MIN_NAME and (
                name.lower() not in KEYWORDS or compact(name) in self.target_symbols
            ):
                yield build_forbidden_name(
                    "identifier" if kind == "identifier" else "literal", (name,), written=name, targets=paths
                )


def prepare_guard(task: Task, snapshot: Snapshot | None, extra: Iterable[Check] = ()) -> Guard:
    """What the task's hints must not reveal. Without a snapshot only what the task itself says can be guarded.

    After the checks that ship come those of installed packages (entry points `selfplay.gate_checks`, by name), then
    `extra`. Raises ConfigError for one that can't be loaded, is no `Check`, or fails on the text of the task.
    """
    offered: dict[str, object] = load_plugins(CHECKS_GROUP)
    checks = [_require_check(value, f"entry point {name!r} of {CHECKS_GROUP!r}") for name, value in offered.items()]
    checks += [_require_check(value, "an extra check of the gate") for value in extra]
    guard = Guard(task, snapshot, tuple(checks))
    for check in checks:
        _try_check(check, guard)
    return guard


def _require_check(value: object, where: str) -> Check:
    if not isinstance(value, Check):
        raise ConfigError(f"{where} is {value!r}; it must be a selfplay.gate.Check")
    return value


def _try_check(check: Check, guard: Guard) -> None:
    """Carry it out once. Raises ConfigError where it fails, so that no episode begins that a hint would end."""
    try:
        found = list(check.find(normalise(guard.prompt), guard, ShownText()))
    except Exception as error:  # foreign code may raise anything
        raise ConfigError(
            f"check {check.name!r} of the gate failed on the text of a task: {type(error).__name__}: {error}; "
            "mend it, or uninstall its package"
        ) from error
    for finding in found:
        if not isinstance(finding, HintFinding):  # pyright: ignore[reportUnnecessaryIsInstance]  # foreign code
            raise ConfigError(f"check {check.name!r} of the gate gives {finding!r}; it must give HintFindings")


def split_stems(name: str) -> list[tuple[str, str]]:
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


def is_written_in(name: str, text: str) -> bool:
    """Whether the name stands in the text by itself, in any case."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None


def _list_defined_names(snapshot: Snapshot, path: str) -> Iterator[str]:
    try:
        found = code_of(snapshot, path).definitions
    except ToolsError:
        return
    yield from (definition.name for definition in found if not definition.name.startswith("__"))


def _parent_folders(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
