"""Text and its words, each tied to its place in the original, whatever was normalised or decoded on the way."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from selfplay.core.trace import FindingKind, HintFinding

WORD = re.compile(r"[^\W_]+")
"""A run of letters and digits; an underscore parts words."""
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
"""A part of an identifier: `HTTPServer2` is HTTP, Server, 2."""
_CODE_TOKEN = re.compile(r"[^\W\d]\w*|\d[\w.]*|[^\w\s]")
_SELF = re.compile(r"\b(?:self|this)(?:\.|->)|@(?=\w)")

ViewPiece = tuple[str, int, int]
"""Characters of a view, and the start and end of what they stand for in the original."""


@dataclass(frozen=True, slots=True)
class TextToken:
    """A word of a view."""

    text: str
    """In lower case."""
    raw: str
    at: int
    to: int
    """Start and end in the view."""
    start: int
    end: int
    """Start and end in the original."""


class TextView:
    """A text in another form, each character tied to a span of the original."""

    def __init__(self, original: str, pieces: Iterable[ViewPiece]) -> None:
        chars: list[str] = []
        self.original = original
        self.starts: list[int] = []
        self.ends: list[int] = []
        for text, start, end in pieces:
            chars.append(text)
            self.starts += [start] * len(text)
            self.ends += [end] * len(text)
        self.text = "".join(chars)

    @cached_property
    def tokens(self) -> Sequence[TextToken]:
        """Its words in order."""
        return [self.token_at(m.start(), m.end()) for m in WORD.finditer(self.text)]

    def token_at(self, at: int, to: int) -> TextToken:
        """The word at that place of the view."""
        raw = self.text[at:to]
        return TextToken(raw.lower(), raw, at, to, *self.original_span(at, to))

    def original_span(self, at: int, to: int) -> tuple[int, int]:
        """Where that part of the view stands in the original."""
        return min(self.starts[at:to]), max(self.ends[at:to])

    def make_finding(self, at: int, to: int, kind: FindingKind, why: str) -> HintFinding:
        """The finding for that part of the view, with the words of the original and their place in it."""
        start, end = self.original_span(at, to)
        return HintFinding(kind=kind, text=self.original[start:end], span=(start, end), why=why)

    def text_between(self, left: TextToken, right: TextToken) -> str:
        """What stands between two words of this view."""
        return self.text[left.to : right.at]

    def reverse(self) -> "TextView":
        """The same text from its end to its beginning."""
        places = range(len(self.text) - 1, -1, -1)
        return TextView(self.original, ((self.text[i], self.starts[i], self.ends[i]) for i in places))

    def map_characters(self, table: dict[str, str]) -> "TextView":
        """Each character through `table`; one that it does not hold stays."""
        return TextView(
            self.original,
            ((table.get(c, c), self.starts[i], self.ends[i]) for i, c in enumerate(self.text)),
        )


def normalise(text: str) -> TextView:
    """Compatibility forms folded (full-width, circled, ligatures), invisible signs and accents taken out.

    White space shrinks to one blank, one line end, or two: no pattern has to walk through more.
    """
    return TextView(text, _squeeze_blanks(_fold_characters(text)))


def fold(text: str) -> str:
    """The text of `normalise`."""
    return normalise(text).text


def _fold_characters(text: str) -> Iterator[ViewPiece]:
    for i, char in enumerate(text):
        if char.isascii():
            yield char, i, i + 1
            continue
        for part in unicodedata.normalize("NFKD", char):
            # Invisible signs and accents; the marks that Indic and other scripts need (Mc) stay.
            if unicodedata.category(part) not in {"Cf", "Mn", "Me"}:
                yield part, i, i + 1


def _squeeze_blanks(pieces: Iterable[ViewPiece]) -> Iterator[ViewPiece]:
    blank: list[ViewPiece] = []
    for piece in pieces:
        if piece[0].isspace():
            blank.append(piece)
            continue
        yield from _shrink_blank_run(blank)
        blank.clear()
        yield piece
    yield from _shrink_blank_run(blank)


def _shrink_blank_run(run: Sequence[ViewPiece]) -> Iterator[ViewPiece]:
    if run:
        breaks = sum(piece[0] == "\n" for piece in run)
        yield from ((char, run[0][1], run[-1][2]) for char in ("\n" * min(breaks, 2) or " "))


def copy_pieces(view: TextView, at: int, to: int) -> Iterator[ViewPiece]:
    """That part of a view as it is."""
    return ((view.text[i], view.starts[i], view.ends[i]) for i in range(at, to))


def parts_of(name: str) -> tuple[str, ...]:
    """The words of an identifier or file name, in lower case: `ResponseWriter2`, `response_writer2` alike."""
    return tuple(m.group().lower() for m in PART.finditer(name))


def compact(name: str) -> str:
    """Letters and digits only, in lower case."""
    return "".join(WORD.findall(name)).lower()


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, identifiers taken apart."""
    return [part for word in WORD.findall(text) for part in parts_of(word)]


def code_tokens_of(text: str) -> list[str]:
    """Words, numbers and single signs of code, in lower case; `self.` and its kin left out."""
    return [m.group().lower() for m in match_code_tokens(text)]


def match_code_tokens(text: str) -> Iterator[re.Match[str]]:
    """The same with their places."""
    own = {i for m in _SELF.finditer(text) for i in range(*m.span())}
    return (m for m in _CODE_TOKEN.finditer(text) if m.start() not in own)
