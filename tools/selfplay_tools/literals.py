"""Text that every match of a pattern must contain, so that an index can leave files out.

Sound, not complete: whatever is not understood counts as "may be anything". Only what stands outside of choices and
optional parts is taken.
"""

import re
from dataclasses import dataclass, field

SHORTEST = 2
"""Shorter literals are in nearly every file."""

_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}")
_POSIX_CLASS = re.compile(r"\[:\^?\w+:\]")
_GROUP = re.compile(r"\((?!\?)|\(\?:|\(\?P?<\w+>")
_KNOWN_ESCAPES = frozenset("dDwWsSbBtnrfvaAz")
_LEADING_FOLD = "(?i)"


def required_literals(source: str, *, ignore_case: bool) -> tuple[tuple[str, ...], bool]:
    """Literals that are part of every line that the (valid) pattern matches, and whether their case is ignored."""
    if source.startswith(_LEADING_FOLD):
        source, ignore_case = source.removeprefix(_LEADING_FOLD), True
    try:
        found = _Reading(source, ignore_case=ignore_case).alternatives()
    except _NotUnderstood:
        return (), ignore_case
    return tuple(dict.fromkeys(text for text in found if len(text) >= SHORTEST)), ignore_case


class _NotUnderstood(Exception):
    """Ends the reading; nothing is known of the pattern then."""


@dataclass
class _Reading:
    """One pass over a pattern."""

    source: str
    ignore_case: bool
    at: int = 0
    depth: int = 0
    run: list[str] = field(default_factory=list[str])
    """The literal characters that stand directly before `at`."""

    def alternatives(self) -> list[str]:
        """Literals of a group's inside, up to its end; none if there is a choice."""
        found: list[str] = []
        has_choice = False
        while self.at < len(self.source) and self.source[self.at] != ")":
            if self.source[self.at] == "|":
                has_choice = True
                self.at += 1
            found += self._piece()
        found += self._broken()
        return [] if has_choice else found

    def _piece(self) -> list[str]:
        """Read one atom with its repetition; literals that end with it."""
        if self.at >= len(self.source) or self.source[self.at] in "|)":
            return self._broken()
        literal = self._literal()
        if literal is None:
            found = self._broken()
            inside = self._atom()
            return found + (inside if self._repetition() in {"", "+"} else [])
        repeat = self._repetition()
        if repeat in {"", "+"}:
            self.run.append(literal)
        return [] if not repeat else self._broken()

    def _broken(self) -> list[str]:
        """End the run; it as a literal."""
        found, self.run = ["".join(self.run)], []
        return found

    def _literal(self) -> str | None:
        """The character that the next atom stands for, read; or None, nothing read."""
        char = self.source[self.at]
        if char == "\\":
            char = self.source[self.at + 1 : self.at + 2]
            is_literal, length = bool(char) and char.isascii() and not char.isalnum(), 2
        else:
            is_literal, length = char not in ".^$*+?()[|", 1
        if not is_literal or not self._is_safe(char):
            return None
        self.at += length
        return char

    def _is_safe(self, char: str) -> bool:
        """False for what a text may spell in another way: other cases beyond ASCII, replaced characters."""
        return char.isprintable() and char != "\ufffd" and (char.isascii() or not self.ignore_case)

    def _atom(self) -> list[str]:
        """Read what is no plain character; the literals inside it."""
        char = self.source[self.at]
        if char == "(":
            return self._group()
        if char == "[":
            self._set()
        elif char == "\\":
            if self.source[self.at + 1 : self.at + 2] not in _KNOWN_ESCAPES and not self._is_plain_escape():
                raise _NotUnderstood
            self.at += 2
        elif char in "*+?":
            raise _NotUnderstood
        else:
            self.at += 1
        return []

    def _is_plain_escape(self) -> bool:
        char = self.source[self.at + 1 : self.at + 2]
        return bool(char) and not (char.isascii() and char.isalnum())

    def _group(self) -> list[str]:
        opening = _GROUP.match(self.source, self.at)
        if not opening or self.depth > 50:  # noqa: PLR2004  # far below the recursion limit
            raise _NotUnderstood
        self.at = opening.end()
        self.depth += 1
        inside = self.alternatives()
        self.depth -= 1
        if self.source[self.at : self.at + 1] != ")":
            raise _NotUnderstood
        self.at += 1
        return inside

    def _set(self) -> None:
        self.at += 2 if self.source.startswith("[^", self.at) else 1
        is_first = True
        while is_first or self.source[self.at : self.at + 1] != "]":
            if self.at >= len(self.source):
                raise _NotUnderstood
            posix = _POSIX_CLASS.match(self.source, self.at)
            length = 2 if self.source[self.at] == "\\" else 1
            self.at = posix.end() if posix else self.at + length
            is_first = False
        self.at += 1

    def _repetition(self) -> str:
        """Read a repetition with its laziness mark: `+` for once or more, `*` for any other, empty for none."""
        rest = self.source[self.at : self.at + 1]
        repeat = _REPEAT.match(self.source, self.at)
        if repeat:
            self.at = repeat.end()
        elif rest and rest in "*+?":
            self.at += 1
        else:
            return ""
        if self.source[self.at : self.at + 1] == "?":
            self.at += 1
        return "+" if rest == "+" else "*"
