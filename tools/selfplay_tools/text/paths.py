r"""Paths as the player sees them: how names are shown, which are served at all, and which a glob matches.

On disk and in git a name is bytes. Its shown form is the text that those bytes are in UTF-8, with whatever can't be
shown on one line escaped: bytes that are no UTF-8 (`caf\xe9.txt`), control characters (`new\nline.txt`), and the
characters that turn the direction of writing around (`\u202e`). A backslash of the name itself stays as it is; where
that makes two names of a folder look the same, the escaped one gets `~2`, `~3`, ... at its end.

Globs are matched against all of a snapshot's paths at once, as regular expressions of a linear-time engine. `*` is any
run of characters but `/`, `?` one of them, `[abc]` `[a-z]` `[!a]` one of a set (never `/`), `{a,b}` either (may be
nested), `**` as a whole part of the path any number of folders, `\` takes the next character as it is. A glob without
`/` is matched against names at any depth, one with `/` against the whole path below the folder that is searched; a
leading `/` or `./` only says that it is the whole path.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Protocol

from selfplay_tools.errors import BadArgument
from selfplay_tools.output import quote
from selfplay_tools.text.regex import BadRegex, compile_regex, escape_regex

SLASH = escape_regex("/")
FOLDERS = "(?:[^/]+/)*"
"""Matches any number of whole folders."""
NOTHING = r"[^\x{0}-\x{10FFFF}]"
"""Matches no character."""


def match_glob(paths: Sequence[str], glob: str, folder: str, *, ignore_case: bool = False) -> list[str]:
    """Those of `paths` (all below `folder`) that the glob matches, in their order. Raises BadArgument."""
    try:
        regex = compile_regex(_line_expression(glob, folder), ignore_case=ignore_case)
    except BadRegex as refused:
        raise BadArgument(f"the glob {quote(glob)} can't be used: {refused}") from None
    return [match.group().decode() for match in regex.finditer("\n".join(paths).encode())]


def _line_expression(glob: str, folder: str) -> str:
    """The expression for a whole line that holds a path. The folder's own name is never folded."""
    start = f"(?-i:{escape_regex(folder)}/)" if folder else ""
    body = glob.removeprefix("./").removeprefix("/")
    if not body:
        raise BadArgument(f'the glob {quote(glob)} is empty; use "*" for every file')
    depth = "" if "/" in glob else FOLDERS
    return f"(?m)^{start}{depth}(?:{_GlobTranslation(glob, body).translate()})$"


class _GlobTranslation:
    """One pass over a glob."""

    def __init__(self, glob: str, body: str) -> None:
        self.glob = glob
        self.rest = body
        self.done: list[str] = []
        self.braces = 0

    def translate(self) -> str:
        while self.rest:
            self._translate_next()
        if self.braces:
            raise BadArgument(f"the glob {quote(self.glob)} has a {{ without its }}; write \\{{ for the character")
        return "".join(self.done)

    def _translate_next(self) -> None:
        if self.rest.startswith("**"):
            self._translate_stars()
            return
        character, self.rest = self.rest[0], self.rest[1:]
        match character:
            case "*":
                self.done.append("[^/]*")
            case "?":
                self.done.append("[^/]")
            case "[":
                self.done.append(self._translate_set())
            case "{":
                self.braces += 1
                self.done.append("(?:")
            case "}" if self.braces:
                self.braces -= 1
                self.done.append(")")
            case "," if self.braces:
                self.done.append("|")
            case "\\" if self.rest:
                self.done.append(escape_regex(self.rest[0]))
                self.rest = self.rest[1:]
            case _:
                self.done.append(escape_regex(character))

    def _translate_stars(self) -> None:
        """`**/` and a final `/**` are any number of folders, and what is in them; other stars in a row are one."""
        stars = len(self.rest) - len(self.rest.lstrip("*"))
        is_part_start = not self.done or self.done[-1] in {SLASH, "(?:", "|", FOLDERS}
        self.rest = self.rest[stars:]
        if is_part_start and self.rest.startswith("/"):
            self.rest = self.rest[1:]
            self.done.append(FOLDERS)
        elif is_part_start and (not self.rest or (self.braces and self.rest[0] in ",}")):
            self.done.append(".+")
        else:
            self.done.append("[^/]*")

    def _translate_set(self) -> str:
        is_negated = self.rest[:1] in {"!", "^"}
        body = self.rest[1:] if is_negated else self.rest
        end = body.find("]", 1)
        if end < 0:
            raise BadArgument(f"the glob {quote(self.glob)} has a [ without its ]; write \\[ for the character")
        self.rest = body[end + 1 :]
        ranges = _parse_ranges(body[:end], self.glob)
        if is_negated:
            return f"[^{_spell_ranges([*ranges, ('/', '/')])}]"
        return f"[{_spell_ranges(_without_slash(ranges))}]" if _without_slash(ranges) else NOTHING


def _parse_ranges(body: str, glob: str) -> list[tuple[str, str]]:
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(body):
        is_range = body[at + 1 : at + 2] == "-" and at + 2 < len(body)
        first, last = body[at], body[at + 2] if is_range else body[at]
        if first > last:
            raise BadArgument(f"the glob {quote(glob)} has a range that runs backwards: {first}-{last}")
        ranges.append((first, last))
        at += 3 if is_range else 1
    return ranges


def _without_slash(ranges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    for first, last in ranges:
        if first <= "/" <= last:
            kept += [(low, high) for low, high in ((first, "."), ("0", last)) if low <= high]
        else:
            kept.append((first, last))
    return kept


def _spell_ranges(ranges: Sequence[tuple[str, str]]) -> str:
    return "".join(f"\\x{{{ord(first):X}}}-\\x{{{ord(last):X}}}" for first, last in ranges)


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


class WithPath(Protocol):
    """What stands at a path."""

    @property
    def path(self) -> str:
        """As a snapshot shows it."""
        ...


def path_of(entry: WithPath) -> str:
    """The key by which entries are sorted."""
    return entry.path


def position_of(path: str, entries: Sequence[WithPath]) -> int | None:
    """Where the entry of that path stands among those sorted by path."""
    at = bisect_left(entries, path, key=path_of)
    return at if at < len(entries) and entries[at].path == path else None


def range_below(folder: str, entries: Sequence[WithPath]) -> tuple[int, int]:
    """First and last place, exclusive, of what lies below a folder, among entries sorted by path."""
    first = bisect_left(entries, f"{folder}/", key=path_of)
    return first, bisect_left(entries, f"{folder}0", first, key=path_of)  # "0" is the character after "/"
