"""What every line that a pattern matches must contain, so that an index can leave files out.

Sound, not complete: whatever is not understood counts as "may be anything".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

SHORTEST = 2
"""Shorter literals are in nearly every file."""
MOST_CHOICES = 64
"""Of a choice with more branches nothing is required."""
MOST_STRINGS = 16
"""That a part of a pattern may match to be spelled out: `(rx|tx)_[ab]` is rx_a, rx_b, tx_a, tx_b."""
MOST_OF_SET = 4


@dataclass(frozen=True, slots=True)
class LiteralNeed:
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


Need: TypeAlias = LiteralNeed | AllOf | AnyOf
ANYTHING = AllOf(())

_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}")
_POSIX_CLASS = re.compile(r"\[:\^?\w+:\]")
_GROUP = re.compile(r"\((?!\?)|\(\?:|\(\?P?<\w+>")
_PLACES = frozenset("bBAz")
"""Escapes that match a place, and no character."""
_KNOWN_ESCAPES = frozenset("dDwWsSbBtnrfvaAz")
_LEADING_FOLD = "(?i)"


def derive_need(source: str, *, ignore_case: bool) -> Need:
    """What every line that the (valid) pattern matches contains."""
    if source.startswith(_LEADING_FOLD):
        source, ignore_case = source.removeprefix(_LEADING_FOLD), True
    try:
        return _PatternReader(source, ignore_case=ignore_case).read_alternatives().need
    except _NotUnderstood:
        return ANYTHING


def need_literals(texts: Sequence[str], *, ignore_case: bool) -> Need:
    """Each of the texts must be there."""
    return need_all([LiteralNeed(text, ignore_case) for text in texts])


def need_all(needs: Sequence[Need]) -> Need:
    """Each of the needs, in the simplest form."""
    flat = [one for need in needs for one in (need.needs if isinstance(need, AllOf) else (need,))]
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else AllOf(unique)


def need_any(needs: Sequence[Need]) -> Need:
    """At least one of the needs, in the simplest form."""
    flat = [one for need in needs for one in (need.needs if isinstance(need, AnyOf) else (need,))]
    unique = tuple(dict.fromkeys(flat))
    if ANYTHING in unique or not unique or len(unique) > MOST_CHOICES:
        return ANYTHING
    return unique[0] if len(unique) == 1 else AnyOf(unique)


class _NotUnderstood(Exception):
    """Ends the reading; nothing is known of the pattern then."""


@dataclass(frozen=True, slots=True)
class _PatternPart:
    """What is known of a part of a pattern."""

    exact: tuple[str, ...] | None
    """All that it matches, if that is little."""
    need: Need


class _PatternBranch:
    """One choice of a group while it is read from the left."""

    def __init__(self, *, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._needs: list[Need] = []
        self._ends: tuple[str, ...] = ("",)
        """All that the last atoms can have matched."""
        self._is_whole = True
        """Whether that is all from the beginning."""

    def add(self, part: _PatternPart, repeat: str) -> None:
        """Go on with an atom: `repeat` is empty for once, `?`, `+`, or `*` for anything else."""
        if part.exact is None or repeat == "*":
            self._end_run()
            self._needs += [part.need] if repeat in {"", "+"} else []
            return
        exact = (*part.exact, "") if repeat == "?" else part.exact
        if len(self._ends) * len(exact) > MOST_STRINGS:
            self._end_run()
        self._ends = tuple(dict.fromkeys(end + more for end in self._ends for more in exact))
        if repeat == "+":
            self._end_run()

    def _end_run(self) -> None:
        """What comes next does not join what was before."""
        self._needs.append(self._make_literals())
        self._ends, self._is_whole = ("",), False

    def _make_literals(self) -> Need:
        if min(map(len, self._ends)) < SHORTEST:
            return ANYTHING
        return need_any([LiteralNeed(text, self._ignore_case) for text in self._ends])

    def to_part(self) -> _PatternPart:
        """What is known of it at its end."""
        return _PatternPart(self._ends if self._is_whole else None, need_all([*self._needs, self._make_literals()]))


_EMPTY = _PatternPart(("",), ANYTHING)
_UNKNOWN = _PatternPart(None, ANYTHING)


@dataclass
class _PatternReader:
    """One pass over a pattern."""

    source: str
    ignore_case: bool
    at: int = 0
    depth: int = 0

    def read_alternatives(self) -> _PatternPart:
        """A group's inside, read up to its end."""
        branches = [self._read_branch()]
        while self.source[self.at : self.at + 1] == "|":
            self.at += 1
            branches.append(self._read_branch())
        exact = [text for branch in branches for text in branch.exact or ()]
        is_exact = all(branch.exact is not None for branch in branches) and len(exact) <= MOST_STRINGS
        return _PatternPart(tuple(dict.fromkeys(exact)) if is_exact else None, need_any([one.need for one in branches]))

    def _read_branch(self) -> _PatternPart:
        branch = _PatternBranch(ignore_case=self.ignore_case)
        while self.at < len(self.source) and self.source[self.at] not in "|)":
            literal = self._read_literal()
            part = self._read_atom() if literal is None else _PatternPart((literal,), ANYTHING)
            branch.add(part, self._read_repetition())
        return branch.to_part()

    def _read_literal(self) -> str | None:
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

    def _read_atom(self) -> _PatternPart:
        """Read what is no plain character."""
        char = self.source[self.at]
        if char == "(":
            return self._read_group()
        if char == "[":
            return self._read_set()
        if char == "\\":
            kind = self.source[self.at + 1 : self.at + 2]
            if kind not in _KNOWN_ESCAPES and not self._is_plain_escape():
                raise _NotUnderstood
            self.at += 2
            return _EMPTY if kind in _PLACES else _UNKNOWN
        if char in "*+?":
            raise _NotUnderstood
        self.at += 1
        return _EMPTY if char in "^$" else _UNKNOWN

    def _is_plain_escape(self) -> bool:
        char = self.source[self.at + 1 : self.at + 2]
        return bool(char) and not (char.isascii() and char.isalnum())

    def _read_group(self) -> _PatternPart:
        opening = _GROUP.match(self.source, self.at)
        if not opening or self.depth > 50:  # noqa: PLR2004  # far below the recursion limit
            raise _NotUnderstood
        self.at = opening.end()
        self.depth += 1
        inside = self.read_alternatives()
        self.depth -= 1
        if self.source[self.at : self.at + 1] != ")":
            raise _NotUnderstood
        self.at += 1
        return inside

    def _read_set(self) -> _PatternPart:
        start = self.at + 1
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
        chars = self.source[start : self.at - 1]
        is_plain = len(chars) <= MOST_OF_SET and all(char not in "^-\\[" and self._is_safe(char) for char in chars)
        return _PatternPart(tuple(chars), ANYTHING) if is_plain else _UNKNOWN

    def _read_repetition(self) -> str:
        """Read a repetition with its laziness mark: as `_Branch.add` takes it."""
        mark = self.source[self.at : self.at + 1]
        repeat = _REPEAT.match(self.source, self.at)
        if repeat:
            self.at, mark = repeat.end(), "*"
        elif mark and mark in "*+?":
            self.at += 1
        else:
            return ""
        if self.source[self.at : self.at + 1] == "?":
            self.at += 1
        return mark
