"""How results are written: bounded, clean, and always saying what was left out.

Every result is at most `MAX_CHARS` characters. A tool builds its rows, takes as many as fit, and says in its last
lines what is missing and which call shows it, so that the rows which count as shown are exactly those in the text.
"""

import json
from collections.abc import Iterable, Sequence

MAX_CHARS = 16_000
"""Characters of a whole result."""
ROOM = 15_000
"""Of these, for rows; the rest is for the first line and for what was left out."""
LINE_CHARS = 500
"""Characters of one line of a file, at most."""
MAX_PROBLEM_CHARS = 2_000
"""Characters of a text that says what was wrong."""


def compose(head: str, rows: Sequence[str], foot: Iterable[str] = ()) -> str:
    """First line, rows, and the remarks in square brackets, one per line."""
    return "\n".join([head, *rows, *(f"[{remark}]" for remark in foot)])


def count_fitting(rows: Sequence[str], room: int = ROOM) -> int:
    """How many of `rows`, from the first, fit in `room` characters with their line ends; at least one if any."""
    for count, row in enumerate(rows):
        room -= len(row) + 1
        if room < 0:
            return max(count, 1)
    return len(rows)


def clean_text(text: str) -> str:
    """The text without what UTF-8 or a reader of it can't carry: lone surrogates and NUL become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd").rstrip("\n")


def shorten(text: str, limit: int = MAX_PROBLEM_CHARS) -> str:
    """The text with its middle left out, if it is longer than `limit`."""
    if len(text) <= limit:
        return text
    half = limit // 2 - 20
    return f"{text[:half]} …[{len(text) - 2 * half:,} characters]… {text[-half:]}"


def clip(line: str, at: int = 0, width: int = LINE_CHARS) -> str:
    """At most `width` characters of a line, around character `at`; `[+n]…` says how many were left out."""
    if len(line) <= width:
        return line
    start = max(0, min(at - width // 3, len(line) - width))
    rest = len(line) - start - width
    before = f"[+{start:,}]…" if start else ""
    after = f"…[+{rest:,}]" if rest else ""
    return f"{before}{line[start : start + width]}{after}"


def quote(text: str, limit: int = 80) -> str:
    """The text in double quotes, escaped as in JSON, with its end left out if it is long."""
    return json.dumps(text if len(text) <= limit else text[:limit] + "…", ensure_ascii=False)


def format_count(number: int, noun: str, plural: str = "") -> str:
    """`1 line`, `1,204 lines`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_size(size: int) -> str:
    """Bytes for people: `812 B`, `12.3 KB`, `4.0 MB`."""
    value, unit = float(size), "B"
    for larger in ("KB", "MB", "GB"):
        if value < 1024:  # noqa: PLR2004  # a kilobyte, here, is 1024 bytes
            break
        value, unit = value / 1024, larger
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


def format_names(names: Iterable[str]) -> str:
    """Names in quotes, parted by commas."""
    return ", ".join(map(repr, names))


def folder_name(path: str) -> str:
    """How a folder is shown: with a slash at its end; the root by name."""
    return f"{path}/" if path else "the root folder"
