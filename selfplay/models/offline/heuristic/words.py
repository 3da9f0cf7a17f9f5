"""Words worth searching for, in a text that may be prose or code."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[A-Za-z][a-z]+|[A-Z]{2,}(?![a-z])|[A-Za-z]{2,}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")

STOP_WORDS = frozenset(
    """
    a about above after again all also although always am among an and another any anything are around as ask at
    away back be because become been before being below better between beyond both but by call called came can
    cannot change changed changes come could deal deals did do does doing done down each either else end enough even
    ever every everything few find first follow for from further get give go goes going good got had has have having
    here hold how however i if in instead into is it its itself just keep know last least less let like look looked
    looking made make makes making many may me mean meet might more most much must my near need needs never new next
    no none nor not nothing now of off often on once one only onto or other our out over own part parts per place
    places please put rather read really result results right said same search see seen set shall should show shown
    side since so some something step still such sure system take task tell than that the their them then there
    these they thing things think this those though through thus to together too toward try turn two under until up
    upon us use used uses using very want was way ways we well were what whatever when where whether which while who
    whole whom whose why will with within without word words work works would yes yet you your
    """.split()
)
"""Words that say nothing about what a text is about."""

CODE_WORDS = frozenset(
    """
    abstract args async await bool boolean break byte case catch char class cls const continue def default del dict
    elif enum except export extends false final finally float func function impl import include int integer interface
    isinstance kwargs lambda len let list long main map mod mut namespace new nil none null object optional override
    package pass private property protected pub public raise ref return self short static str string struct super
    switch template this throw throws trait true try tuple type typedef typeof undefined union unsigned val value
    values var void volatile while yield
    """.split()
)
"""Words of programming languages."""

MIN_CHARS = 3


def telling_words(text: str) -> Iterator[str]:
    """The telling words of a text, lower-case, identifiers taken apart, in order, with repeats."""
    for match in _WORD.finditer(text):
        word = match.group().lower()
        if len(word) >= MIN_CHARS and word not in STOP_WORDS and word not in CODE_WORDS:
            yield word


def distinct_words(text: str) -> tuple[str, ...]:
    """The telling words, each once, in order."""
    return tuple(dict.fromkeys(telling_words(text)))


def stem(word: str) -> str:
    """A crude stem, so that `headers` meets `header` and `writing` meets `write`."""
    for ending in ("ings", "ing", "ies", "ers", "ed", "es", "er", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= MIN_CHARS:
            return word[: -len(ending)]
    return word


def compound_identifiers(text: str) -> tuple[str, ...]:
    """Names in code that are made of several words, each once, in order."""
    names = dict.fromkeys(_IDENTIFIER.findall(text))
    return tuple(name for name in names if "_" in name.strip("_") or re.search(r"[a-z][A-Z]", name))
