"""What every line that a pattern matches must contain, so that an index can leave files out.

Sound, not complete: whatever is not understood counts as "may be anything".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

SHORTEST = 2
"""Shorter literals are in nearly every file."""
MOST_CHOICES = 64
"""Of a choice with more branches nothing is required."""


@dataclass(frozen=True, slots=True)
class Literal:
    """The text must be there."""

    text: str
    is_folded: bool = False
    """Whether its case is ignored."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each of the needs must be met; with none, anything will do."""

    needs: tuple["Need", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the needs must be met."""

    needs: tuple["Need", ...]


Need: TypeAlias = Literal | AllOf | AnyOf
ANYTHING = AllOf(())

_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}")
_POSIX_CLASS = re.compile(r"\[:\^?\w+:\]")
_GROUP = re.compile(r"\((?!\?)|\(\?:|\(\?P?<\w+>")
_KNOWN_ESCAPES = frozenset("dDwWsSbBtnrfvaAz")
_LEADING_FOLD = "(?i)"


def required(source: str, *, ignore_case: bool) -> Need:
    """What every line that the (valid) pattern matches contains."""
    if source.startswith(_LEADING_FOLD):
        source, ignore_case = source.removeprefix(_LEADING_FOLD), True
    try:
        return _Reading(source, ignore_case=ignore_case).alternatives()
    except _NotUnderstood:
        return ANYTHING


def all_literals(texts: Sequence[str], *, ignore_case: bool) -> Need:
    """Each of the texts must be there."""
    return all_of([Literal(text, ignore_case) for text in texts])


def all_of(needs: Sequence[Need]) -> Need:
    """Each of the needs, in the simplest form."""
    flat = [one for need in needs for one in (need.needs if isinstance(need, AllOf) else (need,))]
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else AllOf(unique)


def any_of(needs: Sequence[Need]) -> Need:
    """At least one of the needs, in the simplest form."""
    flat = [one for need in needs for one in (need.needs if isinstance(need, AnyOf) else (need,))]
    unique = tuple(dict.fromkeys(flat))
    if ANYTHING in unique or not unique or len(unique) > MOST_CHOICES:
        return ANYTHING
    return unique[0] if len(unique) == 1 else AnyOf(unique)


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

    def alternatives(self) -> Need:
        """What a group's inside needs, read up to its end."""
        choices: list[Need] = []
        found: list[Need] = []
        while self.at < len(self.source) and self.source[self.at] != ")":
            if self.source[self.at] == "|":
                self.at += 1
                choices.append(all_of([*found, *self._broken()]))
                found = []
            else:
                found += self._piece()
        choices.append(all_of([*found, *self._broken()]))
        return any_of(choices)

    def _piece(self) -> list[Need]:
        """Read one atom with its repetition; what ends with it."""
        literal = self._literal()
        if literal is None:
            found = self._broken()
            inside = self._atom()
            return [*found, inside] if self._repetition() in {"", "+"} else found
        repeat = self._repetition()
        if repeat in {"", "+"}:
            self.run.append(literal)
        return [] if not repeat else self._broken()

    def _broken(self) -> list[Need]:
        """End the run; it as a literal."""
        text, self.run = "".join(self.run), []
        return [Literal(text, self.ignore_case)] if len(text) >= SHORTEST else []

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

    def _atom(self) -> Need:
        """Read what is no plain character; what it needs."""
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
        return ANYTHING

    def _is_plain_escape(self) -> bool:
        char = self.source[self.at + 1 : self.at + 2]
        return bool(char) and not (char.isascii() and char.isalnum())

    def _group(self) -> Need:
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
