"""How results are written: bounded, clean, and always saying what was left out.

Every result keeps to `ResultLimits`. A tool builds its rows, takes as many as fit, and says in its last lines what is
missing and which call shows it, so that the rows which count as shown are exactly those in the text.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

MAX_CHARS = 16_000
"""Characters of a whole result, if not set otherwise."""
MAX_LINES = 400
"""Lines of a file that one call may read, if not set otherwise."""
MAX_ROWS = 500
"""The most that any tool lists in one result."""
LEAST_CHARS = 500
"""A result of fewer characters can't say what it leaves out."""
REST_CHARS = 1_000
"""Of a result, for its first line and for what was left out."""
LINE_CHARS = 500
"""Characters of one line of a file, at most."""
ROW_CHARS = 300
"""Characters of a line that a search shows, around its first match."""
PATH_CHARS = 2_000
"""Characters of a path in a row of its own."""
MAX_PROBLEM_CHARS = 2_000
"""Characters of a text that says what was wrong."""


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """How long a result may be. Where it is short, lines and paths are cut sooner too, so that several fit in."""

    max_chars: int = MAX_CHARS
    """Of the whole text; at least `LEAST_CHARS`."""
    max_lines: int = MAX_LINES
    """Lines that one call of `read_file` may ask for."""
    max_rows: int = MAX_ROWS
    """Of what a tool lists: matching lines, files, paths, definitions. Each tool has a bound of its own as well."""

    @property
    def room(self) -> int:
        """Characters for rows; the rest is for the first line and for what was left out."""
        return self.max_chars - min(REST_CHARS, self.max_chars // 8)

    @property
    def line_chars(self) -> int:
        """Characters of a line that is read."""
        return min(LINE_CHARS, self.room // 2)

    @property
    def row_chars(self) -> int:
        """Characters of a line that a search shows."""
        return min(ROW_CHARS, self.room // 4)

    @property
    def path_chars(self) -> int:
        """Characters of a path in a row of its own."""
        return min(PATH_CHARS, self.room // 2)

    @property
    def named(self) -> int:
        """Files that a remark names."""
        return min(3, self.room // 400)

    def room_of_each(self, hits: int) -> int:
        """Characters for one of several hits that show some lines each: a few always fit."""
        return self.room // max(1, min(hits, 3))

    def room_beside(self, remarks: Sequence[str]) -> int:
        """`room`, where these remarks are long."""
        used = sum(len(remark) + 3 for remark in remarks)
        return max(min(self.room, self.max_chars - 400 - used), self.room // 2)


DEFAULT_LIMITS = ResultLimits()


def compose(head: str, rows: Sequence[str], foot: Iterable[str] = ()) -> str:
    """First line, rows, and the remarks in square brackets, one per line."""
    return "\n".join([head, *rows, *(f"[{remark}]" for remark in foot)])


def compose_fitting(
    rows: Sequence[str], limits: ResultLimits, describe: Callable[[int], tuple[str, Iterable[str]]]
) -> tuple[str, int]:
    """A result with as many of `rows`, from the first, as fit, at least one if any; the text, and how many they are.

    `describe` gives the first line and the remarks for so many rows.
    """
    count = count_fitting(rows, limits.room)
    while True:
        head, remarks = describe(count)
        text = compose(head, rows[:count], remarks)
        if len(text) <= limits.max_chars or count <= 1:
            return text, count
        count -= 1


def count_fitting(rows: Sequence[str], room: int) -> int:
    """How many of `rows`, from the first, fit in `room` characters with their line ends; at least one if any."""
    for count, row in enumerate(rows):
        room -= len(row) + 1
        if room < 0:
            return max(count, 1)
    return len(rows)


def cut_at_line_end(text: str, max_chars: int, remark: str) -> str:
    """The beginning of a text that is too long, up to a line's end, and the remark: at most `max_chars` together."""
    kept = text[: max_chars - len(remark)]
    return (kept[: kept.rfind("\n")] if "\n" in kept else kept) + remark


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
