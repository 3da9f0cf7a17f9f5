"""What is known of words beforehand: the list of common knowledge (`common_knowledge.toml`), and other forms of a word.

English words have their forms by rule, those of other languages by how they are written.

Words outside ASCII may be written with or without composed letters, without blanks between them, with other endings. Of
their languages only this is known: which scripts write no blanks, and that a word in another case or number mostly
begins alike.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import takewhile

from selfplay.gate.text.words import AGENT_EXCEPTIONS, KEYWORDS, number_forms_of, singular_of

_LISTS = frozenset({"affixes", "short_forms"})


@dataclass(frozen=True, slots=True)
class CommonKnowledge:
    """What may be searched for without having been read anywhere."""

    paths: Mapping[str, str]
    """Files and folders of standard layouts, each with its ecosystem."""
    names: Mapping[str, str]
    """Identifiers and words, each with its ecosystem; keywords of all languages among them."""
    roots: frozenset[str]
    """Folders that checkouts are put in, as absolute paths."""
    affixes: frozenset[str]
    """Words in lower case that are put around others to make names."""
    short_forms: Mapping[str, tuple[str, ...]]
    """By word in lower case: its short and long forms."""


@cache
def common_knowledge() -> CommonKnowledge:
    """The list in the package."""
    data = tomllib.loads(
        resources.files("selfplay.clean.evidence").joinpath("common_knowledge.toml").read_text("utf-8")
    )
    ecosystems = {name: table for name, table in data.items() if name not in _LISTS}
    names = {word: where for where, table in ecosystems.items() for word in table.get("names", "").split()}
    return CommonKnowledge(
        paths={path: where for where, table in ecosystems.items() for path in table.get("paths", "").split()},
        names={**dict.fromkeys(KEYWORDS, "any language's keywords"), **names},
        roots=frozenset(data["any"]["roots"].split()),
        affixes=frozenset(data["affixes"]["names"].split()),
        short_forms=_group_short_forms(data["short_forms"]["groups"]),
    )


def _group_short_forms(groups: str) -> Mapping[str, tuple[str, ...]]:
    forms: dict[str, tuple[str, ...]] = {}
    for line in filter(None, groups.splitlines()):
        words = line.split()
        for word in words:
            forms[word] = (*forms.get(word, ()), *(other for other in words if other != word))
    return forms


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


MARKS = "\u0300-\u036f\u3099\u309a"
"""Marks on the letter before them, as a range of a regular expression."""
WORD = re.compile(rf"\w+(?:[{MARKS}]+\w*)*")
"""A run of letters, digits and underscores, with the marks on them."""
_IS_MARK = re.compile(f"[{MARKS}]")
_SIGN = r"[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
_SIGNS = re.compile(f"{_SIGN}+")
_BETWEEN = re.compile("[\u3041-\u309f\u7684\u4e4b\u548c\u4e0e]")
"""What ties words to each other: kana that end words, and the commonest particles of Chinese."""
MIN_SIGNS = 2
"""Of a script without blanks that are a word."""
_MIN_COMMON = 4
"""Letters that two forms of one word begin with, at least."""
_MOST = 0.75
"""The share of the longer that they are, where they are that few."""
_MUCH = 0.66
"""Where they are more, or where the longer only adds an ending."""
_MIN_STEM = 3
"""Letters of a word that only gets an ending."""
_PARTICLE = re.compile(
    "(?<=[\uac00-\ud7af]{2})(?:에서|으로|에게|까지|부터|처럼|은|는|이|가|을|를|의|에|로|와|과|도|만|들)$"
)
"""What Korean puts behind a noun."""
KEY_CHARS = 2
"""Letters that all forms of a word are taken to begin with."""


def is_mark(char: str) -> bool:
    """Whether it is a mark on the letter before it."""
    return _IS_MARK.match(char) is not None


@lru_cache(maxsize=1 << 14)
def compose(word: str) -> str:
    """In lower case, each letter with its marks as one character where there is one."""
    return unicodedata.normalize("NFC", word).lower()


def prefix_key_of(word: str) -> str:
    """How a composed word begins: forms of one word have the same."""
    return word[:KEY_CHARS]


def is_form_of(word: str, other: str) -> bool:
    """Whether two words, composed, look like the same with other endings: `заголовок`, `заголовке`."""
    if _SIGNS.match(word):
        return _without_particle(word) == _without_particle(other)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    shorter, longer = sorted((len(word), len(other)))
    least, share = (_MIN_STEM, _MUCH) if common == shorter else (_MIN_COMMON, _MOST if common <= _MIN_COMMON else _MUCH)
    return common >= least and common >= share * longer


def _without_particle(word: str) -> str:
    return _PARTICLE.sub("", word)


def has_signs(word: str) -> bool:
    """Whether it has a word of a script that writes no blanks between them (or, like Korean, none before endings)."""
    return any(len(signs) >= MIN_SIGNS for signs in _SIGNS.findall(word))


def spellings_of(word: str) -> tuple[str, ...]:
    """The word as it is, with composed letters, and with their marks apart."""
    return tuple(dict.fromkeys((word, *(unicodedata.normalize(form, word) for form in ("NFC", "NFD")))))


def is_made_of(word: str, text: str) -> bool:
    """Whether a word of signs is pieces of a text put together, each of two signs at least, perhaps tied by others."""
    word, text = compose(word), compose(text)
    reached = {0}
    for start in range(len(word)):
        if start in reached:
            reached.update(_piece_ends(word, start, text))
    return len(word) in reached


def _piece_ends(word: str, start: int, text: str) -> Iterator[int]:
    if _BETWEEN.match(word, start):
        yield start + 1
    for end in range(start + MIN_SIGNS, len(word) + 1):
        if word[start:end] not in text:
            return
        yield end
