"""The parts of a call's arguments that have to come from somewhere: paths, names, words of patterns and queries."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from selfplay.clean.evidence.links import UnitKind
from selfplay.clean.evidence.pattern_pieces import (
    PatternPiece,
    fixed_folder,
    has_wildcard,
    pieces_of_glob,
    pieces_of_regex,
    words_in,
)
from selfplay.clean.evidence.shell_operands import ShellOperand, operands_of
from selfplay.core.message import ToolCall
from selfplay.gate.text.words import CODE_EXTENSIONS
from selfplay_tools.index.query_terms import PLAIN_WORDS

MIN_CHARS = 2
"""A single letter or digit in a pattern, query or glob needs no explanation."""
MIN_DIGITS = 3
"""Nor do numbers of fewer digits."""
MAX_UNITS = 400
"""Of one argument."""

MAX_CHARS = 20_000
"""Of one argument that are looked at: what comes after is text, not a search."""

ROLES: dict[str, str] = {
    **dict.fromkeys(
        "path paths file files file_path filepath filename dir directory folder cwd target_file".split(), "path"
    ),
    **dict.fromkeys("pattern regex regexp".split(), "regex"),
    **dict.fromkeys("glob include include_pattern globs".split(), "glob"),
    **dict.fromkeys("query queries q search_term search_terms keywords question snippet".split(), "words"),
    **dict.fromkeys("name symbol symbol_name function_name class_name method_name identifier".split(), "symbol"),
    **dict.fromkeys("command cmd commands script".split(), "shell"),
    **dict.fromkeys(
        """reason reasons thought thoughts explanation description message summary content text file_text old_str
        new_str old_string new_string patch diff code replacement body note notes view_range""".split(),
        "free",
    ),
}
"""What an argument of that name holds, in whatever tool. Free text needs no evidence."""
GLOB_TOOLS = frozenset({"find_files", "glob", "find_file", "file_search"})
"""Tools whose `pattern` is a glob."""
WORDS_TOOLS = frozenset({"search", "semantic_search", "ask_web"})
_PATH_LIKE = re.compile(r"[\w.@+~-]*(?:/[\w.@+~-]+)+/?|[\w@+~-]+(?:\.[\w@+~-]+)*\.(?P<extension>\w{1,10})")
_NAME_LIKE = re.compile(r"[^\W\d]\w*(?:(?:\.|::)[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class ArgumentUnit:
    """One part to be explained."""

    argument: str
    kind: UnitKind
    text: str
    start: int
    """Character of the argument's value where it begins."""
    is_open_left: bool = False
    is_open_right: bool = False
    ignores_case: bool = False

    @property
    def span(self) -> tuple[int, int]:
        """Its characters in the argument's value."""
        return self.start, self.start + len(self.text)


def units_of(call: ToolCall) -> tuple[ArgumentUnit, ...]:
    """The parts of a call in the order of its arguments; none where the arguments are no JSON object."""
    arguments = call.parse_arguments()
    if arguments is None:
        return ()
    ignores_case = arguments.get("ignore_case") is True
    found: list[ArgumentUnit] = []
    for argument, key, value in walk_arguments(arguments):
        units = _choose_cut(call.name, key)(argument, value[:MAX_CHARS])
        for unit, _ in zip(units, range(MAX_UNITS), strict=False):
            found.append(replace(unit, ignores_case=True) if ignores_case and unit.kind == "pattern" else unit)
    return tuple(found)


def walk_arguments(value: object, argument: str = "", key: str = "") -> Iterator[tuple[str, str, str]]:
    """Every string in the arguments: its place in them, the name of the argument it belongs to, the string."""
    if isinstance(value, str):
        yield argument, key, value
    elif isinstance(value, list):
        for i, item in enumerate(cast("list[object]", value)):
            yield from walk_arguments(item, f"{argument}[{i}]", key)
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield from walk_arguments(inner, f"{argument}.{name}" if argument else name, name)


def _choose_cut(tool: str, key: str) -> Callable[[str, str], Iterator[ArgumentUnit]]:
    if key == "pattern" and tool in GLOB_TOOLS:
        return _cut_glob
    return _CUTS.get(ROLES.get(key, ""), _cut_unknown)


def _cut_path(argument: str, value: str) -> Iterator[ArgumentUnit]:
    text = value.rstrip("/")
    if text.strip("./"):
        yield ArgumentUnit(argument, "path", text, 0)


def _cut_symbol(argument: str, value: str) -> Iterator[ArgumentUnit]:
    for piece in words_in(value):
        yield ArgumentUnit(argument, "symbol", piece.text, piece.start)


def _cut_words(argument: str, value: str) -> Iterator[ArgumentUnit]:
    for unit in _cut_pieces(argument, "words", words_in(value)):
        if unit.text.lower() not in PLAIN_WORDS and not _is_extension(value, unit):
            yield replace(unit, ignores_case=True)


def _cut_regex(argument: str, value: str) -> Iterator[ArgumentUnit]:
    ignores_case = value.startswith("(?i")
    for unit in _cut_pieces(argument, "pattern", pieces_of_regex(value)):
        yield replace(unit, ignores_case=True) if ignores_case else unit


def _cut_glob(argument: str, value: str) -> Iterator[ArgumentUnit]:
    if not has_wildcard(value):
        yield from _cut_path(argument, value)
        return
    folder = fixed_folder(value)
    if folder.strip("./"):
        yield ArgumentUnit(argument, "path", folder, 0)
    for unit in _cut_pieces(argument, "literal", pieces_of_glob(value, len(folder))):
        if not _is_extension(value, unit):
            yield unit


def _cut_pieces(argument: str, kind: UnitKind, pieces: tuple[PatternPiece, ...]) -> Iterator[ArgumentUnit]:
    for piece in pieces:
        is_number = piece.text.isdigit()
        if len(piece.text.strip("_")) >= (MIN_DIGITS if is_number else MIN_CHARS):
            yield ArgumentUnit(argument, kind, piece.text, piece.start, piece.is_open_left, piece.is_open_right)


def _is_extension(value: str, unit: ArgumentUnit) -> bool:
    """`py` in `*.py` and in `*.{py,pyi}`."""
    before = value[: unit.start]
    return unit.text.lower() in CODE_EXTENSIONS and (before.endswith(".") or before.rpartition("{")[0].endswith("."))


def _cut_shell(argument: str, value: str) -> Iterator[ArgumentUnit]:
    for operand in operands_of(value):
        yield from (_shift_unit(unit, operand) for unit in _CUTS[operand.role](argument, operand.text))


def _shift_unit(unit: ArgumentUnit, operand: ShellOperand) -> ArgumentUnit:
    return replace(unit, start=unit.start + operand.start, ignores_case=unit.ignores_case or operand.ignores_case)


def _cut_unknown(argument: str, value: str) -> Iterator[ArgumentUnit]:
    """A string that is nothing but a path or a name."""
    path = _PATH_LIKE.fullmatch(value)
    if path and ("/" in value or path["extension"] in CODE_EXTENSIONS):
        yield from _cut_path(argument, value)
    elif _NAME_LIKE.fullmatch(value) and ("_" in value or "." in value or not (value.islower() or value.istitle())):
        yield from _cut_symbol(argument, value)


def _cut_free_text(_argument: str, _value: str) -> Iterator[ArgumentUnit]:
    return iter(())


_CUTS: dict[str, Callable[[str, str], Iterator[ArgumentUnit]]] = {
    "path": _cut_path,
    "regex": _cut_regex,
    "glob": _cut_glob,
    "words": _cut_words,
    "symbol": _cut_symbol,
    "shell": _cut_shell,
    "free": _cut_free_text,
}
