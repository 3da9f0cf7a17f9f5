"""Which leaps break the way to a target, and which a query bears: the one place where this is decided.

A call shows what it shows because of all its parts. A path, a name or a pattern that only a hint, or nothing, explains
would not have been looked for. A query in natural language is weaker than that: it is ranked by all of its words. It is
*carried* by what is visible if at least one telling word stands there that no hint said too, and if there are not more
ordinary words that only a hint had than such words. Then these words break nothing (they stay leaps: the turn is not
learned). Else the query came from the hint, and breaks the way like a path would.
"""

from collections.abc import Iterable, Iterator, Sequence

from selfplay.clean.echoes.tokens import COMMON
from selfplay.clean.evidence.common_knowledge import common_knowledge
from selfplay.clean.evidence.links import EvidenceLink, EvidenceSource
from selfplay.clean.evidence.name_explanation import is_ordinary_word


def breaking_links(links: Sequence[EvidenceLink], *, is_strict: bool = False) -> Iterator[EvidenceLink]:
    """Of the links of one call those that break the way to a target; if strict, every leap does."""
    carried = frozenset[str]() if is_strict else frozenset(_find_carried_queries(links))
    for link in links:
        if link.source.is_leap and not (link.argument in carried and _is_hinted_ordinary_word(link)):
            yield link


def _find_carried_queries(links: Sequence[EvidenceLink]) -> Iterator[str]:
    """The arguments that are queries and carried by what is visible."""
    for argument in dict.fromkeys(link.argument for link in links if link.kind == "words"):
        words = [link for link in links if link.argument == argument]
        bearing = _distinct_words(link for link in words if _is_visible_distinctive_word(link))
        if bearing and len(bearing) >= len(_distinct_words(link for link in words if _is_hinted_ordinary_word(link))):
            yield argument


def _is_hinted_ordinary_word(link: EvidenceLink) -> bool:
    """An ordinary word that only a hint had. One that is none is a name, wherever it stands."""
    return link.kind == "words" and link.source is EvidenceSource.HINT and is_ordinary_word(link.text)


def _is_visible_distinctive_word(link: EvidenceLink) -> bool:
    """A telling word that stands in the task, or in a result and in no hint."""
    if link.kind != "words" or link.place is None or link.source.is_leap or link.is_told:
        return False
    word = link.text.lower()
    return word not in COMMON and word not in common_knowledge().names


def _distinct_words(links: Iterable[EvidenceLink]) -> frozenset[str]:
    return frozenset(link.text.lower() for link in links)
