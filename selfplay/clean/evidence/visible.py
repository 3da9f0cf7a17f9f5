"""What stands in the texts that a player has read, found by word.

Each text is cut into names once, when it is added, and every name is noted as it is, without its case and underscores,
and by its parts; a question looks up in which texts the answer stands and then finds the place. Positions of texts are
positions in the conversation.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from operator import attrgetter

from selfplay.clean.evidence.letters import WORD, composed, has_signs, is_form_of, is_made_of, key_of, writings_of
from selfplay.clean.evidence.links import Place

PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
"""A part of an identifier: `HTTPServer2` is HTTP, Server, 2."""
MAX_TOKEN_CHARS = 80
"""Longer runs are data, not names."""
_GAPS = {code: " " for code in range(128) if not (chr(code).isalnum() or code == ord("_"))}
_SIGNS = {code: None for code in range(128) if not chr(code).isalnum()}


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of an identifier in lower case: `ResponseWriter2` and `response_writer2` alike."""
    return tuple(part.lower() for part in PART.findall(name))


def compact(name: str) -> str:
    """The name in lower case without underscores and hyphens: equal for its snake, camel and kebab forms."""
    return name.lower().replace("_", "").replace("-", "")


@dataclass(frozen=True)
class Text:
    """One text that the player has read."""

    message: int
    content: str
    """As in the conversation; what only echoes the call is blanked."""
    is_task: bool
    doubt: int = 0
    """Of the call that it answers and those that call rests on: 0 if none has a leap, 1 if some queries with a hint's
    words are carried by the others, 2 if a leap breaks the way."""
    folder: str | None = None
    """The folder that the call looked at: names in a listing are relative to it."""

    def place(self, start: int, end: int) -> Place:
        """That span of it."""
        return Place(message=self.message, line=self.content.count("\n", 0, start) + 1, span=(start, end))

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it as written."""
        return _names_in(self.content)

    @cached_property
    def rank(self) -> int:
        """Which of several texts that answer comes first: the lowest."""
        return 0 if self.is_task else 1 + self.doubt

    @cached_property
    def squeezed(self) -> str:
        """Its letters and digits in lower case, nothing between them: what does not stand here stands nowhere in it."""
        return self.content.lower().translate(_SIGNS)


_RANK = attrgetter("rank")


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
    """Texts by word. Grows only; a question is about the texts added so far.

    Of several texts that answer, the task comes first, then those with the least doubt behind them, earlier ones before
    later ones.
    """

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self._known: set[str] = set()
        """All names as written."""
        self._plain: list[str] = []
        """Those that are one part in lower case, which stands for itself below: most names are."""
        self._names_of: dict[str, list[str]] = {}
        """By name as `compact` gives it: the names as written, in the order in which they came up."""
        self._names_with: dict[str, list[str]] = {}
        """By part of a name in lower case: the same."""
        self._numbers: dict[int, int] = {}
        self._foreign: dict[str, list[str]] = {}
        """Names outside ASCII by how they begin."""

    def add(self, text: Text) -> None:
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
                self._note(name)
        for name in () if text.content.isascii() else sorted(fresh):
            if not name.isascii() and len(name) <= MAX_TOKEN_CHARS:
                self._foreign.setdefault(key_of(composed(name)), []).append(name)

    def _note(self, name: str) -> None:
        key, parts = _keys_of(name)
        self._names_of.setdefault(key, []).append(name)
        for part in parts:
            self._names_with.setdefault(part, []).append(name)

    def has(self, word: str) -> bool:
        """Whether a name (as `compact` gives it) or a part of one (in lower case) stands in any text."""
        return word in self._known or word in self._names_with or word in self._names_of

    def words(self) -> Iterable[str]:
        """All parts of names and names as `compact` gives them, those that came first first."""
        return chain(self._plain, self._names_with, self._names_of)

    def ranked(self, numbers: Iterable[int]) -> list[Text]:
        """The texts of these numbers, best first."""
        texts = [self.texts[number] for number in sorted(numbers)]
        return sorted(texts, key=_RANK) if len(texts) > 1 else texts

    def name(self, name: str) -> Hit | None:
        """The name exactly as it is, not inside of another."""
        return next(self.names(name), None)

    def names(self, name: str) -> Iterator[Hit]:
        """The same, its first place in each text."""
        if name in self._known:
            for text in self.ranked(self._having(name)):
                yield from _hit_of(text, name)

    def _having(self, name: str) -> Iterator[int]:
        return (number for number, text in enumerate(self.texts) if name in text.names)

    def other_form(self, name: str) -> Hit | None:
        """A name that differs in case and underscores only."""
        return next(self.other_forms(name), None)

    def other_forms(self, name: str) -> Iterator[Hit]:
        """The same, the first place in each text."""
        noted = self._noted(self._names_of, compact(name))
        for text in self.ranked(noted):
            yield from _hit_of(text, noted[self.number(text)])

    def part(self, part: str, *, is_task: bool = False) -> Hit | None:
        """A name that has this part (in lower case), the part's place in it; of the task only, if so asked."""
        noted = self._noted(self._names_with, part)
        for text in self.ranked(noted):
            if text.is_task or not is_task:
                whole = noted[self.number(text)]
                inner = next((m.span() for m in PART.finditer(whole) if m.group().lower() == part), (0, len(whole)))
                for hit in _hit_of(text, whole):
                    return Hit(text, hit.start + inner[0], hit.start + inner[1])
        return self.other_form(part) if not is_task else None

    def same(self, word: str) -> Hit | None:
        """A name outside ASCII that is the same word, whether its letters and their marks are one character or two."""
        wanted = composed(word)
        return self._foreign_name([name for name in self._alike(wanted) if composed(name) == wanted])

    def form(self, word: str) -> Hit | None:
        """A name outside ASCII that looks like the word with another ending."""
        wanted = composed(word)
        return self._foreign_name([name for name in self._alike(wanted) if is_form_of(wanted, composed(name))])

    def _alike(self, word: str) -> list[str]:
        return self._foreign.get(key_of(word), [])

    def _foreign_name(self, names: list[str]) -> Hit | None:
        for text in self.ranked({number for name in names for number in self._having(name)}):
            for name in names:
                if name in text.names:
                    return next(_hit_of(text, name), None)
        return None

    def inside(self, word: str) -> Hit | None:
        """A word of a script without blanks, wherever it stands."""
        patterns = [_literally(writing) for writing in writings_of(word)] if has_signs(word) else []
        for text in self.ranked(self._outside_ascii() if patterns else ()):
            match = next(filter(None, (pattern.search(text.content) for pattern in patterns)), None)
            if match:
                return Hit(text, match.start(), match.end())
        return None

    def made_of(self, word: str) -> Hit | None:
        """The task, if such a word is made of pieces of it."""
        for number in self._outside_ascii() if has_signs(word) else ():
            text = self.texts[number]
            if text.is_task and is_made_of(word, text.content):
                return Hit(text, 0, len(text.content))
        return None

    def _outside_ascii(self) -> list[int]:
        return [number for number, text in enumerate(self.texts) if not text.content.isascii()]

    def holding(self, parts: Iterable[str]) -> list[Text]:
        """The texts that have all these parts."""
        sets = sorted((set(self._noted(self._names_with, part)) for part in parts), key=len)
        return self.ranked(sets[0].intersection(*sets[1:])) if sets else []

    def _noted(self, names: dict[str, list[str]], key: str) -> dict[int, str]:
        """The texts with a name of that key, by number, each with the name."""
        found: dict[int, str] = {}
        own = (key,) if key in self._known and _is_plain(key) else ()
        for name in chain(own, names.get(key, ())):
            for number in self._having(name):
                found.setdefault(number, name)
        return found

    def row(self, parts: tuple[str, ...]) -> Hit | None:
        """These parts after one another, at most one sign or blank between two, in any case, perhaps inside a name."""
        joined = "".join(parts)
        for text in self.texts_with(joined, self.holding(parts)):
            match = _in_a_row(parts).search(text.content)
            if match:
                return Hit(text, match.start(), match.end())
        return None

    def texts_with(self, squeezed: str, texts: Iterable[Text] | None = None) -> Iterator[Text]:
        """Those of the texts (or of all) in which these letters follow one another, signs left aside."""
        for text in self.ranked(range(len(self.texts))) if texts is None else texts:
            if squeezed in text.squeezed:
                yield text

    def containing(self, literal: str) -> list[Text]:
        """The texts that contain the literal, its first and last name whole."""
        names = frozenset(WORD.findall(literal))
        if not names <= self._known:
            return []
        having = (number for number, text in enumerate(self.texts) if names <= text.names)
        return self.ranked(number for number in having if literal in self.texts[number].content)

    def number(self, text: Text) -> int:
        """The number under which a text was added."""
        return self._numbers[text.message]


@lru_cache(maxsize=256)
def _names_in(content: str) -> frozenset[str]:
    """Kept for a while: a trace is looked at with its hints and without them."""
    if content.isascii():  # the same three times as fast
        return frozenset(content.translate(_GAPS).split())
    return frozenset(WORD.findall(content))


def _is_plain(name: str) -> bool:
    return name.islower() and name.isalpha() and name.isascii() and len(name) <= MAX_TOKEN_CHARS


@lru_cache(maxsize=1 << 16)
def _keys_of(name: str) -> tuple[str, tuple[str, ...]]:
    return compact(name), tuple(dict.fromkeys(parts_of(name)))


def _hit_of(text: Text, name: str) -> Iterator[Hit]:
    at = next(places_of(text.content, name), None)
    if at is not None:
        yield Hit(text, at, at + len(name))


def places_of(content: str, name: str, start: int = 0) -> Iterator[int]:
    """Where the name stands, not inside of another."""
    at = content.find(name, start)
    while at >= 0:
        end = at + len(name)
        if not _is_word(content[at - 1 : at]) and not _is_word(content[end : end + 1]):
            yield at
        at = content.find(name, at + 1)


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


@lru_cache(maxsize=1 << 10)
def _literally(word: str) -> re.Pattern[str]:
    return re.compile(re.escape(word), 0 if word.upper() == word.lower() else re.IGNORECASE)


@lru_cache(maxsize=1 << 12)
def _in_a_row(parts: tuple[str, ...]) -> re.Pattern[str]:
    inner = r"[\W_]?".join(map(re.escape, parts))
    first = rf"(?:(?<![^\W_])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))(?i:{inner}s?)"
    return re.compile(rf"{first}(?:(?![^\W_])|(?=[A-Z0-9]))")
