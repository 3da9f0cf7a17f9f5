"""The written list of common knowledge (`common_knowledge.toml`), as sets to look things up in."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from selfplay.gate.text.words import KEYWORDS

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
