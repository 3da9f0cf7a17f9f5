r"""Globs as regular expressions of a linear-time engine, matched against all of a snapshot's paths at once.

`*` is any run of characters but `/`, `?` one of them, `[abc]` `[a-z]` `[!a]` one of a set (never `/`), `{a,b}` either
(may be nested), `**` as a whole part of the path any number of folders, `\` takes the next character as it is. A glob
without `/` is matched against names at any depth, one with `/` against the whole path below the folder that is
searched; a leading `/` or `./` only says that it is the whole path.
"""

from collections.abc import Sequence

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
