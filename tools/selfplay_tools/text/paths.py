r"""Names as the player sees them, and which names are served at all.

On disk and in git a name is bytes. Its shown form is the text that those bytes are in UTF-8, with whatever can't be
shown on one line escaped: bytes that are no UTF-8 (`caf\xe9.txt`), control characters (`new\nline.txt`), and the
characters that turn the direction of writing around (`\u202e`). A backslash of the name itself stays as it is; where
that makes two names of a folder look the same, the escaped one gets `~2`, `~3`, ... at its end.
"""

import re
from collections.abc import Iterable, Sequence

MAX_DEPTH = 1000
"""Folders below this depth are not served: each read of a directory opens every folder on its way."""

_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\udc80-\udcff]")
_PLAIN = re.compile(rb"[ -~]*\Z")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_NO_NAME = re.compile(rb"(?:\A|/)\.{0,2}(?:/|\Z)")
# Characters that HFS+ ignores in names: `.g\u200cit` opens `.git` there.
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def display_path(name: bytes) -> str:
    """The shown form of one name, or of a whole path."""
    if _PLAIN.match(name):
        return name.decode("ascii")
    return _UNSHOWABLE.sub(_escape_character, name.decode("utf-8", "surrogateescape"))


def _escape_character(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if code >= 0xDC80:  # noqa: PLR2004 - surrogateescape puts byte b at U+DC00 + b
        return char if not 0xDC80 <= code <= 0xDCFF else f"\\x{code - 0xDC00:02x}"  # noqa: PLR2004 - as above
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}")  # noqa: PLR2004 - end of ASCII


def display_paths(raw_paths: Sequence[bytes]) -> list[str]:
    """The shown form of each path, in the same order; different paths have different shown forms."""
    plain = [display_path(raw) for raw in raw_paths]
    if all(text.encode("utf-8") == raw for text, raw in zip(plain, raw_paths, strict=True)):
        return plain
    names = _make_unique_names(raw_paths)
    return ["/".join(_names_along(raw, names)) for raw in raw_paths]


def _make_unique_names(raw_paths: Iterable[bytes]) -> dict[bytes, str]:
    """Shown last component of every path and of every folder on the way to it."""
    members: dict[bytes, set[bytes]] = {}
    for raw in raw_paths:
        path = raw
        while path:
            folder, _, _ = path.rpartition(b"/")
            is_known = folder in members
            members.setdefault(folder, set()).add(path)
            path = b"" if is_known else folder
    names: dict[bytes, str] = {}
    for folder in members.values():
        names.update(_make_unique_in_folder(sorted(folder)))
    return names


def _make_unique_in_folder(paths: Sequence[bytes]) -> dict[bytes, str]:
    last = {path: path.rpartition(b"/")[2] for path in paths}
    names = {path: text for path, name in last.items() if (text := display_path(name)).encode("utf-8") == name}
    taken = set(names.values())
    for path in paths:
        if path not in names:
            wanted = unique = display_path(last[path])
            number = 2
            while unique in taken:
                unique = f"{wanted}~{number}"
                number += 1
            taken.add(unique)
            names[path] = unique
    return names


def _names_along(raw: bytes, names: dict[bytes, str]) -> list[str]:
    parts = raw.split(b"/")
    return [names[b"/".join(parts[: i + 1])] for i in range(len(parts))]


def is_served(raw: bytes) -> bool:
    """False for paths that only a hand-made tree can hold, and for git's own directory in any of its forms.

    Those are: an empty name, `.`, `..`, more than `MAX_DEPTH` folders, and every name that some file system takes for
    `.git` (git refuses to check these out).
    """
    if _NO_NAME.search(raw) or raw.count(b"/") > MAX_DEPTH:
        return False
    if raw.isascii() and b"git" not in raw.lower():
        return True
    return not any(map(is_git_directory, raw.split(b"/")))


def is_git_directory(name: bytes) -> bool:
    """True for `.git` as some file system may see it: other case, trailing dots, `git~1`, ignored characters."""
    text = _HFS_IGNORED.sub("", name.decode("utf-8", "replace"))
    beginning = re.split(r"[:\\]", text, maxsplit=1)[0]
    return beginning.rstrip(" .").casefold() in {".git", "git~1"}
