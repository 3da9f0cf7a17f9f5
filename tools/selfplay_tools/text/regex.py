"""The linear-time engine for regular expressions (google-re2), with types and with the options that hold everywhere.

No pattern takes more than time linear in the text, and none ever matches a line end. Texts are bytes in UTF-8.
"""

from collections.abc import Callable, Iterator, Sequence
from mmap import mmap
from typing import Any, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]  # google-re2 ships no types; this file is where it gets them

ENGINE = cast("Any", re2)
_ANYWHERE = getattr(getattr(ENGINE, "_Anchor", None), "UNANCHORED", None)
MAX_MEMORY_BYTES = 8 << 20
"""What the engine may use for one pattern; beyond it a search gets slower and a compilation is refused."""


class RegexMatch(Protocol):
    """One match."""

    def start(self) -> int:
        """Its first byte."""
        ...

    def end(self) -> int:
        """The byte after it."""
        ...

    def group(self) -> bytes:
        """Its text."""
        ...


_Matcher = Callable[[object, bytes | mmap, int, int], Sequence[tuple[int, int]]]


class Regex:
    """A compiled pattern. Safe to use from several threads at once; other threads run while it searches."""

    def __init__(self, engine: Any) -> None:  # noqa: ANN401  # see the import
        self._engine = engine
        # The engine's own search makes three Python objects for each match. Below it, one call does.
        self._match: _Matcher | None = getattr(getattr(engine, "_regexp", None), "Match", None) if _ANYWHERE else None

    def search(self, text: bytes | mmap, pos: int = 0, endpos: int | None = None) -> RegexMatch | None:
        r"""The first match from `pos` up to `endpos`; what stands around still counts for `^`, `$` and `\b`."""
        return cast("RegexMatch | None", self._engine.search(text, pos, endpos))

    def find(self, text: bytes | mmap, pos: int, endpos: int) -> int:
        """Where the first match of `search` begins, or -1."""
        if self._match is None:
            found = self.search(text, pos, endpos)
            return found.start() if found else -1
        return self._match(_ANYWHERE, text, pos, endpos)[0][0]

    def find_spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Where the matches of `finditer` begin and end."""
        if self._match is None:
            yield from ((match.start(), match.end()) for match in self.finditer(text))
            return
        at, last = 0, len(text)
        while at <= last:
            start, end = self._match(_ANYWHERE, text, at, last)[0]
            if start < 0:
                return
            yield start, end
            at = end if end > at else at + 1

    def fullmatch(self, text: bytes) -> RegexMatch | None:
        """The match of the whole text."""
        return cast("RegexMatch | None", self._engine.fullmatch(text))

    def finditer(self, text: bytes) -> Iterator[RegexMatch]:
        """Matches that do not overlap, from the left."""
        return cast("Iterator[RegexMatch]", self._engine.finditer(text))


class BadRegex(ValueError):
    """The engine can't compile the pattern; the message is the engine's own."""


def compile_regex(source: str, *, ignore_case: bool = False) -> Regex:
    """The pattern, compiled. Raises BadRegex."""
    options = ENGINE.Options()
    options.log_errors = False
    options.never_nl = True
    options.max_mem = MAX_MEMORY_BYTES
    options.case_sensitive = not ignore_case
    try:
        return Regex(ENGINE.compile(source.encode(), options))
    except ENGINE.error as error:
        raise BadRegex(error.args[0].decode(errors="replace")) from None


def escape_regex(text: str) -> str:
    """A pattern that matches exactly this text."""
    return cast("str", ENGINE.escape(text))
