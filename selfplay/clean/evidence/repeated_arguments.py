"""What a result only says because it was asked: "No line matches 'x'" is no evidence that there is an x."""

import re
from collections.abc import Iterator

from selfplay.clean.evidence.argument_units import ArgumentUnit, units_of
from selfplay.clean.evidence.word_forms import WORD
from selfplay.core.message import ToolCall
from selfplay_tools.index.query_terms import stem
from selfplay_tools.index.words import singular_of

MAX_LINE_CHARS = 4_000
"""Of a line that may be an echo; longer ones are content."""
_HEAD = re.compile(
    r"\s*(?:no |not |\"|'|nearest to|(?:over |found )?[\d,]* ?[a-z-]* ?"
    r"(?:line|file|path|definition|match|result|hit|place)s?\b)",
    re.IGNORECASE,
)
"""How the first line of a result begins that counts what was found, or says that nothing was."""
_FAILURE = re.compile(
    r"no such file|not found|cannot access|can't|could not|does not exist|doesn't exist|in no file at all|no match|"
    r"is not a|not used as code|unknown|error:",
    re.IGNORECASE,
)
_REMARKS = ("in no file at all", "No such file", "no such file", "not found", "cannot access", "does not exist")
"""What a line after the first says that tells of a failure."""


def blank_repeated_arguments(content: str, call: ToolCall) -> str:
    """The result's text with what it repeats of the call blanked, in lines that count matches or tell of failures.

    As long as before: places stay. Rows that show what was found are left as they are, and so is a first line that
    begins with a path and shows that the path is there.
    """
    lines = list(_find_repeating_lines(content))
    if not lines:
        return content
    units = units_of(call)
    for start, end in lines:
        content = content[:start] + _blank_units(content[start:end], units) + content[end:]
    return content


def _find_repeating_lines(content: str) -> Iterator[tuple[int, int]]:
    first = content.find("\n")
    end = len(content) if first < 0 else first
    if end <= MAX_LINE_CHARS and (_HEAD.match(content, 0, end) or _FAILURE.search(content, 0, end)):
        yield 0, end
    for remark in _REMARKS:
        at = content.find(remark, end)
        while at >= 0:
            start, stop = content.rfind("\n", 0, at) + 1, content.find("\n", at)
            stop = len(content) if stop < 0 else stop
            if stop - start <= MAX_LINE_CHARS:
                yield start, stop
            at = content.find(remark, stop)


def _blank_units(line: str, units: tuple[ArgumentUnit, ...]) -> str:
    for unit in units:
        if unit.kind == "path":
            line = re.sub(rf"(?<![\w/.-]){re.escape(unit.text)}(?![\w/-])", lambda m: " " * len(m.group()), line)
    words = {_root_of(unit.text) for unit in units if unit.kind != "path"}
    return WORD.sub(lambda m: " " * len(m.group()) if _root_of(m.group()) in words else m.group(), line)


def _root_of(word: str) -> str:
    return stem(singular_of(word.lower()))
