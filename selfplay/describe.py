"""The targets in outline, as the supervisor is told of them."""

import orjson

from selfplay.task import Answer, Target
from selfplay_tools.toolbox import Toolbox

QUOTED_LINES = 40
"""Lines of a target that are quoted: of the file from its beginning, of a part of a file from the part's."""
OUTLINE_LINES = 40
LINE_CHARS = 160


def describe_targets(answer: Answer, toolbox: Toolbox) -> str:
    """Each target with its definitions and its first lines. Blocking."""
    return "\n\n".join(_describe_target(target, toolbox) for target in answer.targets)


def _describe_target(target: Target, toolbox: Toolbox) -> str:
    start = target.lines[0] if target.lines else 1
    count = min(QUOTED_LINES, target.lines[1] - start + 1) if target.lines else QUOTED_LINES
    parts = [f"- {target}"]
    outline = toolbox.run("outline", _encode_arguments(path=target.path))
    if outline.ok and target.lines is None:
        parts.append(_indent_lines("What it defines:\n" + outline.text, OUTLINE_LINES))
    beginning = toolbox.run("read_file", _encode_arguments(path=target.path, start=start, count=count))
    parts.append(_indent_lines("How it begins:\n" + beginning.text, QUOTED_LINES + 4))
    return "\n".join(parts)


def _encode_arguments(**arguments: str | int) -> str:
    return orjson.dumps(arguments).decode()


def _indent_lines(text: str, max_lines: int) -> str:
    lines = text.split("\n")
    kept = [f"    {line[:LINE_CHARS]}".rstrip() for line in lines[:max_lines]]
    if len(lines) > max_lines:
        kept.append(f"    … {len(lines) - max_lines} more lines")
    return "\n".join(kept)
