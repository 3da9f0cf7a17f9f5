"""Where a run of words stands in a hint: what encloses it, what stands before and after it, how it is written."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from selfplay.gate.text.forbidden_names import ForbiddenName, NameMatch
from selfplay.gate.text.view import TextToken, TextView

_PAIRS = {
    "`": "`", '"': '"', "'": "'", "“": "”", "‘": "’", "„": "“", "«": "»", "»": "«", "‹": "›", "<": ">", "[": "]",
    "{": "}", "「": "」", "『": "』", "”": "”", "’": "’", ">": "<", "´": "´", "|": "|",
}  # fmt: skip
_CLAUSE_END = re.compile(r"[.!?;:,](?=\s|$)|[\n()—–]|\s-+\s")
_JOINER = re.compile(r"[\s*_~`'\"<>\[\](){}|]*(?:/|\\|\.|::|:|->|→|>|›|»|#|⁄|∕|／)+[\s*_~`'\"<>\[\](){}|]*")
_ENCLOSED_JOINER = re.compile(r"\s?[\[({<]\s?[./\\:_-]+\s?[\])}>]\s?")
_TIGHT = re.compile(r"\s")
_SPACED_JOINERS = re.compile(r"[/\\→>›»⁄∕]|::|->")
_MEMBER = re.compile(r"(?:\.|::|#|->)(\w+)")
_NEAR = 6
_TIE = 8
_TIED_LEFT = re.compile(r"[^\W_](?:_+|-)$")
_TIED_RIGHT = re.compile(r"(?:_+|-)[^\W_]")


class Enclosure(StrEnum):
    """What encloses a run of words directly."""

    NONE = ""
    QUOTES = "quotes"
    EMPHASIS = "emphasis"


class NameShape(StrEnum):
    """How the words of a name are held together."""

    ONE = "one"
    """No gap: `responsewriter`, `ResponseWriter`, `response`."""
    TIED = "tied"
    """Gaps without white space: `response_writer`, `response.writer`."""
    HYPHEN = "hyphen"
    SPACED = "spaced"
    SPLIT = "split"
    """A gap inside a word of the name: `resp onse`."""


@dataclass(frozen=True)
class NameMention:
    """A match with its surroundings."""

    view: TextView
    tokens: Sequence[TextToken]
    match: NameMatch

    @property
    def name(self) -> ForbiddenName:
        """The name that was found."""
        return self.match.name

    @property
    def at(self) -> int:
        """Start in the view."""
        return self.tokens[self.match.first].at

    @property
    def to(self) -> int:
        """End in the view."""
        return self.tokens[self.match.last].to

    @property
    def span(self) -> tuple[int, int]:
        """Place in the original text."""
        return self.view.original_span(self.at, self.to)

    @property
    def raw(self) -> str:
        """As the view has it."""
        return self.view.text[self.at : self.to]

    @property
    def original(self) -> str:
        """As the hint has it."""
        start, end = self.span
        return self.view.original[start:end]

    @property
    def is_disguised(self) -> bool:
        """Whether the hint writes the letters of a word otherwise than the view reads them."""
        words = self.tokens[self.match.first : self.match.last + 1]
        return any(self.view.original[t.start : t.end].lower() != t.text for t in words)

    @property
    def is_rewritten(self) -> bool:
        """Whether the hint writes it otherwise than the view reads it, white space disregarded."""
        return "".join(self.original.lower().split()) != "".join(self.raw.lower().split())

    def char_at(self, offset: int) -> str:
        """A character of the view, counted from the start (negative) or the end (0 and up) of the run."""
        at = self.at + offset if offset < 0 else self.to + offset
        return self.view.text[at : at + 1] if at >= 0 else ""

    @cached_property
    def gaps(self) -> Sequence[tuple[int, str]]:
        """What stands between its words, with how many letters of the name come before."""
        found: list[tuple[int, str]] = []
        letters = 0
        for i in range(self.match.first, self.match.last):
            letters += len(self.tokens[i].text)
            found.append((letters, self.view.text_between(self.tokens[i], self.tokens[i + 1])))
        return found

    @cached_property
    def shape(self) -> NameShape:
        """How the name is written, folders and extension left aside."""
        inner = [gap for letters, gap in self.gaps if letters not in self.name.cuts]
        if any(letters not in self.name.cuts and letters not in self.name.parts for letters, _ in self.gaps):
            return NameShape.SPLIT
        if not inner:
            return NameShape.ONE
        if any(_TIGHT.search(gap) for gap in inner):
            return NameShape.SPACED
        return NameShape.HYPHEN if any("-" in gap for gap in inner) else NameShape.TIED

    @cached_property
    def is_path(self) -> bool:
        """Whether folders, stem and extension are joined as paths and modules join them."""
        gaps = dict(self.gaps)
        return all(cut in gaps and _is_path_joiner(gaps[cut]) for cut in self.name.cuts)

    @property
    def is_slashed(self) -> bool:
        """Whether a slash joins any of it."""
        return any(c in gap for letters, gap in self.gaps if letters in self.name.cuts for c in "/\\⁄∕")

    @cached_property
    def enclosure(self) -> Enclosure:
        """What encloses it directly; brackets of a call and slashes at its ends belong to it."""
        at, to = self.at, self.to
        text = self.view.text
        while text[to : to + 2] in {"()", "[]"}:
            to += 2
        to += text[to : to + 1] == "/"
        while at and text[at - 1] in "./@#$&" and text[max(at - 2, 0) : at - 1] != " ":
            at -= 1
        left, right = text[at - 1 : at] if at else "", text[to : to + 1]
        if left and left in "*_~" and right == left:
            return Enclosure.EMPHASIS
        if not left or _PAIRS.get(left) != right:
            return Enclosure.NONE
        if left == "'" and (text[at - 2 : at - 1].isalnum() or text[to + 1 : to + 2].isalnum()):
            return Enclosure.NONE
        return Enclosure.QUOTES

    @cached_property
    def is_part_of_word(self) -> bool:
        """Whether it is a part of a longer word: `test_response`, `response-time`."""
        if self.enclosure:
            return False
        left, right = self.view.text[max(self.at - _TIE, 0) : self.at], self.view.text[self.to : self.to + _TIE]
        return _TIED_LEFT.search(left) is not None or _TIED_RIGHT.match(right) is not None

    @property
    def is_dotted(self) -> bool:
        """Whether a dot joins it to a word before or after it: `self.response`, `response.write`."""
        before = (
            self.char_at(-1) in {".", ":"}
            and bool(self.char_at(-2))
            and (self.char_at(-2).isalnum() or self.char_at(-2) in ":)")
        )
        return before or self.member != ""

    @property
    def member(self) -> str:
        """The word that a dot or another joiner adds to it: `write` in `response.write()`."""
        match = _MEMBER.match(self.view.text, self.to)
        return match.group(1) if match else ""

    @property
    def is_called(self) -> bool:
        """Whether brackets of a call follow."""
        return self.char_at(0) == "("

    @cached_property
    def before(self) -> Sequence[str]:
        """Words before it in the same clause, nearest first, in lower case."""
        return [token.text for token in self._walk(-1)]

    @cached_property
    def after(self) -> Sequence[str]:
        """Words after it in the same clause, nearest first, in lower case."""
        return [token.text for token in self._walk(1)]

    @property
    def nearby_words(self) -> set[str]:
        """The words around it, clauses disregarded."""
        first, last = max(self.match.first - _NEAR, 0), self.match.last + _NEAR + 1
        return {t.text for t in self.tokens[first : self.match.first]} | {
            t.text for t in self.tokens[self.match.last + 1 : last]
        }

    def previous_token(self) -> TextToken | None:
        """The word right before it, if the clause holds one."""
        return next(self._walk(-1), None)

    def next_token(self) -> TextToken | None:
        """The word right after it, if the clause holds one."""
        return next(self._walk(1), None)

    @property
    def ends_clause(self) -> bool:
        """Whether nothing of the clause follows."""
        return self.next_token() is None

    def _walk(self, step: int) -> Iterator[TextToken]:
        i = self.match.first if step < 0 else self.match.last
        for _ in range(_NEAR):
            j = i + step
            if not 0 <= j < len(self.tokens):
                return
            gap = self.view.text_between(
                *((self.tokens[j], self.tokens[i]) if step < 0 else (self.tokens[i], self.tokens[j]))
            )
            if _CLAUSE_END.search(gap):
                return
            yield self.tokens[j]
            i = j


def _is_path_joiner(gap: str) -> bool:
    """Whether what stands between two words joins them to a path: not the end of a sentence, not a list."""
    if _ENCLOSED_JOINER.fullmatch(gap):
        return True
    if _JOINER.fullmatch(gap) is None:
        return False
    return not _TIGHT.search(gap) or _SPACED_JOINERS.search(gap) is not None
