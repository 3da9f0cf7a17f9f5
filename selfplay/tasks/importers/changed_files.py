"""Which files a unified diff changes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTER_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file of a diff."""

    before: str | None
    """Its path before; None for a file that the diff adds."""
    after: str | None
    """None for a file that it removes."""


def changed_files(patch: str) -> tuple[ChangedFile, ...]:
    """The files of the diff, in order. Raises ValueError for a text that holds none."""
    found = tuple(_parse_files(patch))
    if not found:
        raise ValueError("the patch is no unified diff")
    return found


def _parse_files(patch: str) -> Iterator[ChangedFile]:
    """Heads, found with the lines of hunks counted off: a removed line may begin with `-- `."""
    head: dict[str, str] = {}
    for line in _outside_hunks(patch.splitlines()):
        if line.startswith("diff --git "):
            yield from _make_changed_files(head)
            head = {"git": line.removeprefix("diff --git ")}
        elif line.startswith("--- "):
            if "---" in head:
                yield from _make_changed_files(head)
                head = {}
            head["---"] = line.removeprefix("--- ")
        else:
            mark = next(
                (m for m in ("+++ ", "rename from ", "rename to ", "new file", "deleted file") if line.startswith(m)),
                "",
            )
            if mark:
                head[mark.strip()] = line.removeprefix(mark)
    yield from _make_changed_files(head)


def _outside_hunks(lines: list[str]) -> Iterator[str]:
    old = new = 0
    for line in lines:
        if old > 0 or new > 0:
            old -= line[:1] in {"-", " ", ""}
            new -= line[:1] in {"+", " ", ""}
        elif found := _HUNK.match(line):
            old, new = int(found[1] or 1), int(found[2] or 1)
        else:
            yield line


def _make_changed_files(head: dict[str, str]) -> Iterator[ChangedFile]:
    if "---" in head and "+++" in head:
        yield ChangedFile(_parse_path(head["---"], "a/"), _parse_path(head["+++"], "b/"))
    elif "rename from" in head and "rename to" in head:
        yield ChangedFile(_parse_path(head["rename from"], ""), _parse_path(head["rename to"], ""))
    elif "git" in head and (both := _common_path(head["git"])):
        yield ChangedFile(None if "new file" in head else both, None if "deleted file" in head else both)


def _common_path(names: str) -> str | None:
    """The path in `a/PATH b/PATH`: of an empty file, a binary one, or one whose mode changed."""
    middle = len(names) // 2
    one, other = _parse_path(names[:middle], "a/"), _parse_path(names[middle + 1 :], "b/")
    return one if one == other else None


def _parse_path(text: str, prefix: str) -> str | None:
    text = text.partition("\t")[0].rstrip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = _ESCAPE.sub(_unescape, text[1:-1].encode()).decode("utf-8", "replace")
    return None if text == "/dev/null" else text.removeprefix(prefix)


def _unescape(match: re.Match[bytes]) -> bytes:
    what = match[1]
    return bytes([int(what, 8) & 255]) if len(what) > 1 else _LETTER_ESCAPES.get(what, what)
