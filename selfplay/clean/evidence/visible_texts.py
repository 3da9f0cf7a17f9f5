"""What stands in the texts that a player has read, found by word.

Each text is cut into names once, when it is added. Every name is indexed as it is, without its case and underscores,
and by its parts; a query looks up in which texts a name stands and then finds the place. Positions of texts are
positions in the conversation.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from operator import attrgetter

from selfplay.clean.evidence.links import LinkPlace
from selfplay.clean.evidence.word_knowledge import (
    WORD,
    compose,
    has_signs,
    is_form_of,
    is_made_of,
    prefix_key_of,
    spellings_of,
)

PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
"""A part of an identifier: `HTTPServer2` is HTTP, Server, 2."""
MAX_TOKEN_CHARS = 80
"""Longer runs are data, not names."""
_GAPS = {code: " " for code in range(128) if not (chr(code).isalnum() or code == ord("_"))}
_SIGNS = {code: None for code in range(128) if not chr(code).isalnum()}


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of an identifier in lower case: `ResponseWriter2` and `response_writer2` alike."""
    return tuple(part.lower() for part in PART.findall(name))


def squeeze_name(name: str) -> str:
    """The name in lower case without underscores and hyphens: equal for its snake, camel and kebab forms."""
    return name.lower().replace("_", "").replace("-", "")


@dataclass(frozen=True)
class VisibleText:
    """One text that the player has read."""

    message: int
    content: str
    """As in the conversation; what only repeats the call is blanked."""
    is_task: bool
    doubt: int = 0
    """Of the call that it answers and those that call rests on: 0 if none has a leap, 1 if some queries with a hint's
    words are carried by the others, 2 if a leap breaks the way."""
    folder: str | None = None
    """The folder that the call looked at: names in a listing are relative to it."""

    def place_of(self, start: int, end: int) -> LinkPlace:
        """That span of it."""
        return LinkPlace(message=self.message, line=self.content.count("\n", 0, start) + 1, span=(start, end))

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it as written."""
        return _names_in(self.content)

    @cached_property
    def rank(self) -> int:
        """Which of several texts that answer comes first: the lowest."""
        return 0 if self.is_task else 1 + self.doubt

    @cached_property
    def letters_only(self) -> str:
        """Its letters and digits in lower case, nothing between them: what does not stand here stands nowhere in it."""
        return self.content.lower().translate(_SIGNS)


_RANK = attrgetter("rank")


@dataclass(frozen=True, slots=True)
class TextHit:
    """A span of a text."""

    text: VisibleText
    start: int
    end: int

    @property
    def place(self) -> LinkPlace:
        """As a place of the conversation."""
        return self.text.place_of(self.start, self.end)

    @property
    def matched_text(self) -> str:
        """What stands there."""
        return self.text.content[self.start : self.end]


class VisibleTexts:
    """Texts by word. Grows only; a question is about the texts added so far.

    Of several texts that answer, the task comes first, then those with the least doubt behind them, earlier ones before
    later ones.
    """

    def __init__(self) -> None:
        self.texts: list[VisibleText] = []
        self._known: set[str] = set()
        """All names as written."""
        self._plain: list[str] = []
        """Those that are one part in lower case, which stands for itself below: most names are."""
        self._names_of: dict[str, list[str]] = {}
        """By name as `squeeze_name` gives it: the names as written, in the order in which they came up."""
        self._names_with: dict[str, list[str]] = {}
        """By part of a name in lower case: the same."""
        self._numbers: dict[int, int] = {}
        self._non_ascii: dict[str, list[str]] = {}
        """Names outside ASCII by how they begin."""

    def add(self, text: VisibleText) -> None:
        """Take in one text; costs as much as it is long."""
        number = len(self.texts)
        self.texts.append(text)
        self._numbers[text.message] = number
        fresh = text.names - self._known
        self._known |= fresh
        plain = {name for name in fresh if _is_plain(name)}
        self._plain += sorted(plain)
        for name in sorted(fresh - plain):
            if len(name) <= MAX_TOKEN_CHARS:
                self._index_name(name)
        for name in () if text.content.isascii() else sorted(fresh):
            if not name.isascii() and len(name) <= MAX_TOKEN_CHARS:
                self._non_ascii.setdefault(prefix_key_of(compose(name)), []).append(name)

    def _index_name(self, name: str) -> None:
        key, parts = _keys_of(name)
        self._names_of.setdefault(key, []).append(name)
        for part in parts:
            self._names_with.setdefault(part, []).append(name)

    def has(self, word: str) -> bool:
        """Whether a name (as `squeeze_name` gives it) or a part of one (in lower case) stands in any text."""
        return word in self._known or word in self._names_with or word in self._names_of

    def words(self) -> Iterable[str]:
        """All parts of names, and names as `squeeze_name` gives them; those that came first first."""
        return chain(self._plain, self._names_with, self._names_of)

    def rank_texts(self, numbers: Iterable[int]) -> list[VisibleText]:
        """The texts of these numbers, best first."""
        texts = [self.texts[number] for number in sorted(numbers)]
        return sorted(texts, key=_RANK) if len(texts) > 1 else texts

    def find_name(self, name: str) -> TextHit | None:
        """The name exactly as it is, not inside of another."""
        return next(self.find_names(name), None)

    def find_names(self, name: str) -> Iterator[TextHit]:
        """The same, its first place in each text."""
        if name in self._known:
            for text in self.rank_texts(self._numbers_having(name)):
                yield from _find_in_text(text, name)

    def _numbers_having(self, name: str) -> Iterator[int]:
        return (number for number, text in enumerate(self.texts) if name in text.names)

    def find_other_form(self, name: str) -> TextHit | None:
        """A name that differs in case and underscores only."""
        return next(self.find_other_forms(name), None)

    def find_other_forms(self, name: str) -> Iterator[TextHit]:
        """The same, the first place in each text."""
        names_by_text = self._names_by_text(self._names_of, squeeze_name(name))
        for text in self.rank_texts(names_by_text):
            yield from _find_in_text(text, names_by_text[self.number_of(text)])

    def find_part(self, part: str, *, is_task: bool = False) -> TextHit | None:
        """A name that has this part (in lower case), the part's place in it; of the task only, if so asked."""
        names_by_text = self._names_by_text(self._names_with, part)
        for text in self.rank_texts(names_by_text):
            if text.is_task or not is_task:
                whole = names_by_text[self.number_of(text)]
                inner = next((m.span() for m in PART.finditer(whole) if m.group().lower() == part), (0, len(whole)))
                for hit in _find_in_text(text, whole):
                    return TextHit(text, hit.start + inner[0], hit.start + inner[1])
        return self.find_other_form(part) if not is_task else None

    def find_same_word(self, word: str) -> TextHit | None:
        """A name outside ASCII that is the same word, whether its letters and their marks are one character or two."""
        wanted = compose(word)
        return self._find_non_ascii_name(
            [name for name in self._names_starting_like(wanted) if compose(name) == wanted]
        )

    def find_other_ending(self, word: str) -> TextHit | None:
        """A name outside ASCII that looks like the word with another ending."""
        wanted = compose(word)
        return self._find_non_ascii_name(
            [name for name in self._names_starting_like(wanted) if is_form_of(wanted, compose(name))]
        )

    def _names_starting_like(self, word: str) -> list[str]:
        return self._non_ascii.get(prefix_key_of(word), [])

    def _find_non_ascii_name(self, names: list[str]) -> TextHit | None:
        for text in self.rank_texts({number for name in names for number in self._numbers_having(name)}):
            for name in names:
                if name in text.names:
                    return next(_find_in_text(text, name), None)
        return None

    def find_inside(self, word: str) -> TextHit | None:
        """A word of a script without blanks, wherever it stands."""
        patterns = [_literal_pattern(writing) for writing in spellings_of(word)] if has_signs(word) else []
        for text in self.rank_texts(self._numbers_outside_ascii() if patterns else ()):
            match = next(filter(None, (pattern.search(text.content) for pattern in patterns)), None)
            if match:
                return TextHit(text, match.start(), match.end())
        return None

    def find_made_of(self, word: str) -> TextHit | None:
        """The task, if such a word is made of pieces of it."""
        for number in self._numbers_outside_ascii() if has_signs(word) else ():
            text = self.texts[number]
            if text.is_task and is_made_of(word, text.content):
                return TextHit(text, 0, len(text.content))
        return None

    def _numbers_outside_ascii(self) -> list[int]:
        return [number for number, text in enumerate(self.texts) if not text.content.isascii()]

    def texts_holding(self, parts: Iterable[str]) -> list[VisibleText]:
        """The texts that have all these parts."""
        sets = sorted((set(self._names_by_text(self._names_with, part)) for part in parts), key=len)
        return self.rank_texts(sets[0].intersection(*sets[1:])) if sets else []

    def _names_by_text(self, names: dict[str, list[str]], key: str) -> dict[int, str]:
        """The texts with a name of that key, by number, each with the name."""
        found: dict[int, str] = {}
        own = (key,) if key in self._known and _is_plain(key) else ()
        for name in chain(own, names.get(key, ())):
            for number in self._numbers_having(name):
                found.setdefault(number, name)
        return found

    def find_row(self, parts: tuple[str, ...]) -> TextHit | None:
        """These parts after one another, at most one sign or blank between two, in any case, perhaps inside a name."""
        joined = "".join(parts)
        for text in self.texts_with_letters(joined, self.texts_holding(parts)):
            match = _row_pattern(parts).search(text.content)
            if match:
                return TextHit(text, match.start(), match.end())
        return None

    def texts_with_letters(self, squeezed: str, texts: Iterable[VisibleText] | None = None) -> Iterator[VisibleText]:
        """Those of the texts (or of all) in which these letters follow one another, signs left aside."""
        for text in self.rank_texts(range(len(self.texts))) if texts is None else texts:
            if squeezed in text.letters_only:
                yield text

    def texts_containing(self, literal: str) -> list[VisibleText]:
        """The texts that contain the literal, its first and last name whole."""
        names = frozenset(WORD.findall(literal))
        if not names <= self._known:
            return []
        having = (number for number, text in enumerate(self.texts) if names <= text.names)
        return self.rank_texts(number for number in having if literal in self.texts[number].content)

    def number_of(self, text: VisibleText) -> int:
        """The number under which a text was added."""
        return self._numbers[text.message]


@lru_cache(maxsize=256)
def _names_in(content: str) -> frozenset[str]:
    """Cached: a trace is read with its hints and without them."""
    if content.isascii():  # the same three times as fast
        return frozenset(content.translate(_GAPS).split())
    return frozenset(WORD.findall(content))


def _is_plain(name: str) -> bool:
    return name.islower() and name.isalpha() and name.isascii() and len(name) <= MAX_TOKEN_CHARS


@lru_cache(maxsize=1 << 16)
def _keys_of(name: str) -> tuple[str, tuple[str, ...]]:
    return squeeze_name(name), tuple(dict.fromkeys(parts_of(name)))


def _find_in_text(text: VisibleText, name: str) -> Iterator[TextHit]:
    at = next(find_whole_name(text.content, name), None)
    if at is not None:
        yield TextHit(text, at, at + len(name))


def find_whole_name(content: str, name: str, start: int = 0) -> Iterator[int]:
    """Where the name stands, not inside of another."""
    at = content.find(name, start)
    while at >= 0:
        end = at + len(name)
        if not _is_name_character(content[at - 1 : at]) and not _is_name_character(content[end : end + 1]):
            yield at
        at = content.find(name, at + 1)


def _is_name_character(char: str) -> bool:
    return char.isalnum() or char == "_"


@lru_cache(maxsize=1 << 10)
def _literal_pattern(word: str) -> re.Pattern[str]:
    return re.compile(re.escape(word), 0 if word.upper() == word.lower() else re.IGNORECASE)


@lru_cache(maxsize=1 << 12)
def _row_pattern(parts: tuple[str, ...]) -> re.Pattern[str]:
    inner = r"[\W_]?".join(map(re.escape, parts))
    first = rf"(?:(?<![^\W_])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))(?i:{inner}s?)"
    return re.compile(rf"{first}(?:(?![^\W_])|(?=[A-Z0-9]))")
