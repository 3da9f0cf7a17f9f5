"""`outline`: what one file defines, in its order."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

from pydantic import Field

from selfplay_tools.code.code_file import code_of
from selfplay_tools.code.definitions import Definition
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.output import DEFAULT_LIMITS, ResultLimits, clip, compose_fitting, format_count
from selfplay_tools.protocols import PathKind, Snapshot
from selfplay_tools.snapshot.scope import link_remark, resolve_file
from selfplay_tools.tools.tool import CallResult, ShownRange, Tool, ToolArguments

MAX_ROWS = 300
MARKDOWN = (".md", ".markdown", ".mdx", ".mdown")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_HEADING_CHARS = 200


class Outline(ToolArguments):
    """Arguments of `outline`."""

    path: str = Field(min_length=1)
    start: int = Field(1, ge=1, description="Line from which on.")


def outline(snapshot: Snapshot, arguments: Outline, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """One row for each definition (for Markdown: heading) from the line `start` on, indented by what it stands in."""
    real = snapshot.resolve(arguments.path)
    if snapshot.kind(real) is PathKind.FOLDER:
        raise BadArgument(f"{real or '.'!r} is a folder; outline takes one file: use list_dir to see what is in it")
    path = resolve_file(snapshot, arguments.path)
    text = snapshot.text(path)
    if path.lower().endswith(MARKDOWN):
        what, all_rows = "heading", list(_format_headings(text.lines))
    else:
        what, all_rows = "definition", list(_format_rows(_read_definitions(snapshot, path)))
    lines = [line for line, _ in all_rows]
    rows = [(line, clip(row, width=limits.path_chars)) for line, row in all_rows if line >= arguments.start]
    rows = rows[: min(MAX_ROWS, limits.max_rows)]
    link = link_remark(arguments.path, path)
    head = f"{path}: {format_count(len(text.lines), 'line')}, {format_count(len(all_rows), what)}"
    whole, count = compose_fitting(
        [row for _, row in rows],
        limits,
        lambda count: (head, [*link, *_list_remarks(lines, arguments.start, count, what)]),
    )
    shown = tuple(ShownRange(path=path, first=line, last=line, how="outline") for line, _ in rows[:count])
    return CallResult(whole, shown=shown)


def _list_remarks(lines: Sequence[int], start: int, count: int, what: str) -> Iterator[str]:
    rest = [line for line in lines if line >= start][count:]
    if rest:
        yield f"{format_count(len(rest), f'more {what}')}: outline with start={max(rest[0], start + 1)}"
    elif not count and lines:
        yield f"none from line {start} on; the last is at line {lines[-1]}"


def _read_definitions(snapshot: Snapshot, path: str) -> Sequence[Definition]:
    code = code_of(snapshot, path)
    if code.language is None:
        raise NotReadable(f"{path!r} is in no language that outline knows; use read_file or grep on it")
    if code.problem:
        raise NotReadable(f"{path!r} has no outline: {code.problem}; use read_file or grep on it")
    return code.definitions


def _format_rows(definitions: Sequence[Definition]) -> Iterator[tuple[int, str]]:
    """Line of the name and the row of each: `first-last  signature`, indented two blanks for each thing around it."""
    around: list[str] = []
    for one in definitions:
        while around and not one.qualified.startswith(f"{around[-1]}."):
            around.pop()
        outer = one.qualified.removesuffix(one.name).rstrip(".")
        inside = around[-1] if around else ""
        # What stands outside of the thing it belongs to says so: `impl A { fn b() }` further down, `A::b`.
        apart = f"  [{one.qualified}]" if outer != inside and outer.rpartition(".")[2] not in one.signature else ""
        mark = "" if one.kind in one.signature or one.kind in _PLAIN else f"{one.kind} "
        yield one.line, f"{one.first}-{one.last}  {'  ' * len(around)}{mark}{one.signature}{apart}"
        around.append(one.qualified)


_PLAIN = frozenset({"function", "method", "constant", "variable", "namespace"})
"""Kinds that a signature shows without a word of its own."""


def _format_headings(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Line and row of each heading of a Markdown text; code between fences has none."""
    fence = ""
    for number, line in enumerate(lines, 1):
        if opened := _FENCE.match(line):
            mark = opened[1]
            fence = mark if not fence else "" if mark.startswith(fence) and not line.strip(" \t`~") else fence
        elif fence:
            continue
        elif heading := _HEADING.fullmatch(line):
            yield number, f"{number}  {'  ' * (len(heading[1]) - 1)}{heading[2][:_HEADING_CHARS]}"
        elif (under := _UNDERLINE.fullmatch(line)) and number > 1 and _is_title(lines[number - 2]):
            level = 0 if under[1].startswith("=") else 1
            yield number - 1, f"{number - 1}  {'  ' * level}{lines[number - 2].strip()[:_HEADING_CHARS]}"


def _is_title(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("    ", "\t", "#", ">", "|", "- ", "* ", "---"))


def make_outline(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[Outline]:
    """The tool for results within these limits."""
    return Tool(
        name="outline",
        description=(
            "List what one file defines, without its bodies: line ranges and signatures, nested as in the file; "
            "headings for Markdown. Use it on a long file before read_file."
        ),
        arguments=Outline,
        run=partial(outline, limits=limits),
        limits=limits,
        remake=make_outline,
    )


OUTLINE = make_outline()
