"""`read_file`: lines of a file, numbered."""

from collections.abc import Iterator
from functools import partial

from pydantic import Field

from selfplay_tools.errors import BadArgument
from selfplay_tools.output import (
    DEFAULT_LIMITS,
    MAX_LINES,
    ResultLimits,
    clip,
    compose_fitting,
    format_count,
    format_size,
)
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import link_remark, resolve_file
from selfplay_tools.text.decoding import FileText
from selfplay_tools.tools.tool import CallResult, ShownRange, Tool, ToolArguments, bound_argument


class ReadFile(ToolArguments):
    """Arguments of `read_file`."""

    path: str = Field(min_length=1)
    start: int = Field(1, ge=1, description="First line, from 1.")
    count: int = Field(200, ge=1, le=MAX_LINES, description="Lines to show.")


def read_file(snapshot: Snapshot, arguments: ReadFile, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """The lines from `start` on as `cat -n` prints them: number in six columns, tab, text."""
    path = resolve_file(snapshot, arguments.path)
    text = snapshot.text(path)
    if text.lines and arguments.start > len(text.lines):
        raise BadArgument(f"{path!r} has no line {arguments.start:,}; it has {format_count(len(text.lines), 'line')}")
    lines = text.lines[arguments.start - 1 : arguments.start - 1 + arguments.count]
    width, before, link = limits.line_chars, arguments.start - 1, link_remark(arguments.path, path)
    rows = [f"{number:6}\t{clip(line, width=width)}" for number, line in enumerate(lines, arguments.start)]
    whole, count = compose_fitting(
        rows,
        limits,
        lambda count: (
            _format_head(text, arguments.start, before + count),
            [*link, *_list_remarks(text, before + count, lines[:count], width)],
        ),
    )
    shown = ShownRange(path=path, first=arguments.start if rows else 1, last=before + count if rows else 0, how="read")
    return CallResult(whole, shown=(shown,))


def _format_head(text: FileText, start: int, last: int) -> str:
    total = len(text.lines)
    if not total:
        return f"{text.path}: {f'binary file, {format_size(text.size)}, no text' if text.is_binary else 'empty file'}"
    of = f"{total:,}" if text.is_whole else f"the first {total:,}"
    return f"{text.path}: lines {start:,}-{last:,} of {of}"


def _list_remarks(text: FileText, last: int, lines: tuple[str, ...], width: int) -> Iterator[str]:
    total = len(text.lines)
    if text.lfs_size is not None:
        size = format_size(text.lfs_size)
        yield f"this is a Git LFS pointer; the real file has {size} and is not part of this snapshot"
    if text.encoding != "utf-8":
        yield f"encoding: {text.encoding}"
    if any("\ufffd" in line for line in lines):
        yield "\ufffd stands for bytes that are not text in this encoding"
    if any(len(line) > width for line in lines):
        yield (
            f"a line of over {width} characters is cut, [+n] stands for n of them; "
            "grep with this path shows the text around a match"
        )
    if last < total:
        yield f"{format_count(total - last, 'more line')}: read_file with start={last + 1}"
    if not text.is_whole and not text.is_binary:
        yield f"the file has {format_size(text.size)}; only its beginning can be read, as counted above"


def make_read_file(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[ReadFile]:
    """The tool for results within these limits."""
    return Tool(
        name="read_file",
        description=(
            "Read numbered lines of a text file. Use it on what a search or listing found; start continues. "
            f"At most {limits.max_lines} lines per call; lines are cut at {limits.line_chars} characters."
        ),
        arguments=bound_argument(ReadFile, "count", limits.max_lines),
        run=partial(read_file, limits=limits),
        limits=limits,
        remake=make_read_file,
    )


READ_FILE = make_read_file()
