"""What a query asks for: its words without those of plain English, each with its other forms.

Texts are not stemmed, so a word of a query is looked up in the forms it may have: `handling` also finds `handle` and
`handled`. A word that is repeated counts more.
"""

import re
from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from math import log

from selfplay_tools.index.store.word_numbers import numbers_of
from selfplay_tools.index.words import find_words, singular_of

MAX_TERMS = 32
"""The rest of a longer query says little more."""
_MIN_STEM = 3

_PLAIN = """
a about above after again against all also am an and any are as at be because been before being below between both but
by can could did do does doing done down during each etc eg few for from further had has have having he her here his how
i ie if in instead into is it its just like may me might more most must my need needed no nor not now of off on once
only onto or other our out over own per same see shall she should since so some such than that the their them then there
these they this those through to too under until up us very via was we were what when where which while who whom why
will with without would you your
add added adding allow allowed allowing bug change changed changing chore commit feat fix fixed fixes fixing improve
improved improving issue make making merge patch pr refactor remove removed removing support supported supporting
update updated updating use used using
"""
PLAIN_WORDS = frozenset(word for plain in _PLAIN.split() for word in (plain, singular_of(plain)))
"""English that ties words together, and what is said of any change: such words point to no file."""
_VOWEL = re.compile(r"[aeiouy]")


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """One word of a query."""

    word: str
    """As texts are counted by (see `words`)."""
    weight: float
    numbers: tuple[int, ...]
    """Of the word and then of its other forms (see `store.word_numbers`)."""


def terms_of(query: str, without: AbstractSet[str] = PLAIN_WORDS) -> tuple[QueryTerm, ...]:
    """The words of a query, at most `MAX_TERMS`, in its order; those to do `without` only if there are no others."""
    counts = Counter(find_words(query))
    significant = {word: count for word, count in counts.items() if word not in without} or counts
    merged: dict[str, tuple[str, int]] = {}
    for word, count in significant.items():
        first, before = merged.get(stem(word), (word, 0))
        merged[stem(word)] = first, before + count
    return tuple(_make_term(word, count) for word, count in list(merged.values())[:MAX_TERMS])


def _make_term(word: str, count: int) -> QueryTerm:
    return QueryTerm(word, 1 + log(count), _numbers_of(word))


@lru_cache(maxsize=1 << 12)
def _numbers_of(word: str) -> tuple[int, ...]:
    return tuple(numbers_of((word, *other_forms_of(word))).tolist())


def other_forms_of(word: str) -> tuple[str, ...]:
    """Other words of its stem: for `handling` those are handl, handle, handled and some that do not exist."""
    root = stem(word)
    endings = ["", "e", "ed", "ing", f"{root[-1]}ed", f"{root[-1]}ing"]
    found = [root + ending for ending in endings]
    if root.endswith("y"):
        found += [f"{root[:-1]}ie", f"{root[:-1]}ied"]
    return tuple(form for form in dict.fromkeys(found) if form != word and stem(form) == root)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The word without -ing, -ed and -e; of a doubled consonant before those, one (`running`: run).

    -ie becomes -y, because `cookies` is cooky in texts.
    """
    if word.endswith(("ie", "ied")) and len(word) > _MIN_STEM + 1:
        return word.removesuffix("d")[:-2] + "y"
    for ending, least in (("ing", _MIN_STEM + 3), ("ed", _MIN_STEM + 2)):
        root = word.removesuffix(ending)
        if root != word and len(word) >= least and _VOWEL.search(root):
            is_doubled = len(root) > _MIN_STEM and root[-1] == root[-2] and root[-1] not in "aeiouls"
            return root[:-1] if is_doubled else root
    return word[:-1] if word.endswith("e") and len(word) > _MIN_STEM else word
