"""What stands in the texts that a player has read, found by word.

Each text is cut into words once, when it is added; a question looks up which texts have all the words it is about and
searches only those. Positions of texts are positions in the conversation.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from selfplay.clean.evidence.links import Place

PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
"""A part of an identifier: `HTTPServer2` is HTTP, Server, 2."""
_TOKEN = re.compile(r"\w+")
MAX_TOKEN_CHARS = 80
"""Longer runs are data, not names."""


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of an identifier in lower case: `ResponseWriter2` and `response_writer2` alike."""
    return tuple(part.lower() for part in PART.findall(name))


def compact(name: str) -> str:
    """The name in lower case without underscores and hyphens: equal for its snake, camel and kebab forms."""
    return name.lower().replace("_", "").replace("-", "")


@dataclass(frozen=True, slots=True)
class Text:
    """One text that the player has read."""

    message: int
    content: str
    """As in the conversation; what only echoes the call is blanked."""
    is_task: bool
    is_grounded: bool
    """Whether the call that it answers, and those that call rests on, have no leap."""
    folder: str | None = None
    """The folder that the call looked at: names in a listing are relative to it."""

    def place(self, start: int, end: int) -> Place:
        """That span of it."""
        return Place(message=self.message, line=self.content.count("\n", 0, start) + 1, span=(start, end))


@dataclass(frozen=True, slots=True)
class Hit:
    """A span of a text."""

    text: Text
    start: int
    end: int

    @property
    def place(self) -> Place:
        """As a place of the conversation."""
        return self.text.place(self.start, self.end)

    @property
    def found(self) -> str:
        """What stands there."""
        return self.text.content[self.start : self.end]


class Visible:
    """Texts by word. Grows only; a question is about the texts added so far."""

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self._holding: dict[str, list[int]] = {}

    def add(self, text: Text) -> None:
        """Take in one text; costs as much as it is long."""
        number = len(self.texts)
        self.texts.append(text)
        for word in _words_of(text.content):
            self._holding.setdefault(word, []).append(number)

    def has(self, word: str) -> bool:
        """Whether a name (as `compact` gives it) or a part of one (in lower case) stands in any text."""
        return word in self._holding

    def is_in_task(self, word: str) -> bool:
        """The same of the task's text."""
        return any(self.texts[number].is_task for number in self._holding.get(word, ()))

    def words(self) -> Iterable[str]:
        """All names and parts, those that came first first."""
        return self._holding

    def holding(self, words: Iterable[str]) -> list[Text]:
        """The texts that have all these words: the task's first, then those without a leap behind them, then others."""
        lists = sorted((self._holding.get(word, []) for word in words), key=len)
        if not lists or not lists[0]:
            return []
        common = set(lists[0]).intersection(*lists[1:])
        texts = [self.texts[number] for number in sorted(common)]
        return sorted(texts, key=lambda text: (not text.is_task, not text.is_grounded))

    def first(self, words: Iterable[str], pattern: re.Pattern[str]) -> Hit | None:
        """The first match of the pattern in a text that has all these words, in the order of `holding`."""
        return next(self.all(words, pattern), None)

    def all(self, words: Iterable[str], pattern: re.Pattern[str]) -> Iterator[Hit]:
        """The first match in each such text."""
        for text in self.holding(words):
            match = pattern.search(text.content)
            if match:
                yield Hit(text, match.start(), match.end())


def _words_of(content: str) -> set[str]:
    """Parts of names, and whole names without their underscores."""
    tokens = set(_TOKEN.findall(content))
    words = {part.lower() for part in set(PART.findall(content))}
    words.update(token.lower().replace("_", "") for token in tokens if len(token) <= MAX_TOKEN_CHARS)
    return words


@lru_cache(maxsize=1 << 12)
def whole_name(name: str, *, ignores_case: bool) -> re.Pattern[str]:
    """The name, not inside of another."""
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE if ignores_case else 0)


@lru_cache(maxsize=1 << 12)
def other_form(name: str) -> re.Pattern[str]:
    """The name in any case, with underscores or hyphens anywhere inside, not inside of another."""
    letters = "[_-]?".join(re.escape(letter) for letter in compact(name)[:MAX_TOKEN_CHARS])
    return re.compile(rf"(?<!\w)_*{letters}_*(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=1 << 12)
def in_a_row(parts: tuple[str, ...]) -> re.Pattern[str]:
    """These parts after one another, at most one sign or blank between two, in any case, each as a part of a name."""
    inner = r"[\W_]?".join(map(re.escape, parts))
    first = rf"(?:(?<![^\W_])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))(?i:{inner}s?)"
    return re.compile(rf"{first}(?:(?![^\W_])|(?=[A-Z0-9]))")


@lru_cache(maxsize=1 << 12)
def as_part(part: str) -> re.Pattern[str]:
    """The word as one part of a name, in any case."""
    return re.compile(
        rf"(?<![A-Za-z])(?i:{re.escape(part)})(?![a-z])"
        rf"|(?:{re.escape(part.capitalize())}|(?<=[a-z]){re.escape(part.upper())})(?![a-z])"
    )
