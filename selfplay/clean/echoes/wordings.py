"""The kinds of echoes, and the table of wordings that they are found by: `data/wordings.tsv`, each with an example."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from selfplay.clean.echoes.prose import fold_pattern
from selfplay.core.message import Noun
from selfplay_tools.text.regex import Regex, compile_regex


class EchoKind(StrEnum):
    """In which way a text answers or leans on a hint."""

    THANKS = "thanks"
    """"Thanks, let me look there"."""
    AGREEMENT = "agreement"
    """Says yes, or sorry, to somebody: "good point", "you're right", "understood"."""
    ATTRIBUTION = "attribution"
    """Names a hint or an adviser as the source: "as suggested", "the hint says", "I was told to"."""
    FOLLOWING = "following"
    """Announces to do as advised: "following your advice", "I'll take the hint"."""
    ADDRESSED = "addressed"
    """Speaks to an adviser: "you mentioned", "is this what you meant?"."""
    RESTATED = "restated"
    """Repeats what only the hint had said."""


class EchoFinding(Noun):
    """One echo in a text."""

    kind: EchoKind
    text: str
    """The part of the text that is one: `text[start:end]` for the span."""
    span: tuple[int, int]
    """Its place: start and end, in characters, end exclusive."""


_SIGNS = re.compile(r"[\u3040-\u9fff]")
_SLOT = re.compile(r"\{([A-Z]+)\}")


class WordingPosition(StrEnum):
    """Where a wording counts."""

    ANY = "any"
    SENTENCE = "sentence"
    """At the beginning of one."""
    OPENING = "opening"
    """At the beginning of the turn, or after nothing but echoes."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One line of the table. A pattern is read as RE2 reads it, a blank in it as any blanks."""

    kind: EchoKind | None
    """None: no echo, and whatever else is found inside it neither."""
    where: WordingPosition
    is_hinted: bool
    """Counts only right after a hint."""
    pattern: str
    example: str

    @property
    def source(self) -> str:
        """The pattern with its place."""
        edge = "" if _SIGNS.search(self.pattern) else r"\b"  # the engine's \b knows no letters but these
        return (
            f"{edge}(?:{self.pattern})" if self.where is WordingPosition.ANY else f"^(?:{_FILLERS})?(?:{self.pattern})"
        )

    def regex(self) -> Regex:
        """The pattern, compiled once."""
        return _compile(self.source)


_FILLERS = r"(?:(?:aha?|oh|hm+|yes|yeah|yep|ok|okay|well|wait|so|right|alright|and|but|great|no)\b[,.!]?\s+){1,2}"
"""What may come before a wording that opens something."""


@cache
def _compile(source: str) -> Regex:
    return compile_regex(source)


@cache
def load_wordings() -> tuple[Wording, ...]:
    """The table, in its order."""
    return tuple(_read_wordings())


@cache
def regex_for(where: WordingPosition, *, is_hinted: bool) -> Regex:
    """Matches where any wording of an echo of this scope does."""
    chosen = [w.source for w in load_wordings() if w.kind and w.where == where and w.is_hinted == is_hinted]
    return compile_regex("|".join(chosen) or r"[^\x00-\x{10FFFF}]")


def _read_wordings() -> Iterator[Wording]:
    text = resources.files("selfplay.clean.echoes").joinpath("data/wordings.tsv").read_text("utf-8")
    slots: dict[str, str] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        head, scope, pattern, example = line.split("\t")
        pattern = _SLOT.sub(lambda m: f"(?:{slots[m.group(1)]})", fold_pattern(pattern)).replace(" ", r"\s+")
        if head == "slot":
            slots[scope] = pattern
            continue
        where, _, hinted = scope.partition("+")
        yield Wording(
            kind=None if head == "innocent" else EchoKind(head),
            where=WordingPosition(where),
            is_hinted=hinted == "hint",
            pattern=pattern,
            example=example,
        )
