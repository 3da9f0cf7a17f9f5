"""Other forms of a word: number, endings, short forms.

Only forms that were read count, so that a form too many does no harm.
"""

from collections.abc import Iterator
from functools import lru_cache

from selfplay.clean.evidence.common import common_knowledge
from selfplay.gate.words import AGENT_EXCEPTIONS, number_forms_of, singular_of

_VERB_ENDINGS = ("ing", "ed", "es", "s", "")
_NOUN_ENDINGS = ("er", "ers", "or", "ors", "ion", "ions", "ation", "ations", "ment", "ments")
_MIN_VERB = 3
_MIN_NOUN = 4


@lru_cache(maxsize=1 << 14)
def forms_of(word: str) -> tuple[tuple[str, str], ...]:
    """Other forms of a word in lower case, each with how the word is called in terms of it, likeliest first."""
    found: dict[str, str] = {}
    for form in sorted(number_forms_of(word) - {word}):
        found[form] = "plural of" if len(word) > len(form) else "singular of"
    for short in common_knowledge().short_forms.get(word, ()):
        found.setdefault(short, "the list: short or long form of")
    for form in _inflect(word):
        found.setdefault(form, "other ending of")
    found.pop(word, None)
    return tuple(found.items())


def _inflect(word: str) -> Iterator[str]:
    for stem in _stems(word, _VERB_ENDINGS, _MIN_VERB):
        yield from _add_endings(stem, _VERB_ENDINGS)
    if singular_of(word) in AGENT_EXCEPTIONS:
        return
    for stem in _stems(word, (*_NOUN_ENDINGS, *_VERB_ENDINGS), _MIN_NOUN):
        for form in _add_endings(stem, (*_NOUN_ENDINGS, *_VERB_ENDINGS)):
            if form not in AGENT_EXCEPTIONS:
                yield form


def _stems(word: str, endings: tuple[str, ...], least: int) -> Iterator[str]:
    """The word without an ending: `handl` of handling, `stop` of stopped."""
    for ending in endings:
        stem = word.removesuffix(ending) if ending else word
        if len(stem) < least or (ending and stem == word):
            continue
        yield stem
        if len(stem) > least and stem[-1] == stem[-2] and stem[-1] not in "aeiousl":
            yield stem[:-1]
        if stem.endswith("i"):
            yield stem[:-1] + "y"
        if not ending and stem.endswith("e"):
            yield stem[:-1]


def _add_endings(stem: str, endings: tuple[str, ...]) -> Iterator[str]:
    for ending in endings:
        yield stem + ending
        if not ending:
            yield stem + "e"
        elif len(stem) >= _MIN_VERB and ending[0] in "aeio" and stem[-1] not in "aeiouwxy":
            yield stem + stem[-1] + ending
    if stem.endswith("y"):
        yield from (stem[:-1] + "ies", stem[:-1] + "ied", stem[:-1] + "ier")
