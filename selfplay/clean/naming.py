"""Names of code in prose: what a thought may only mention when it was to be seen."""

import re
from collections.abc import Iterable

_NAME = re.compile(
    r"""
    `([^`\n]{1,120})`                                # in code marks, whatever it is
    | (?<![\w.-])((?:[\w.-]+/)+[\w.-]*\w)            # a path
    | (?<!\w)(?:
        (\w+(?:(?:::|\.)\w+){0,20}\.(?:[A-Za-z]\w{0,4})\b)  # a file name, a dotted name
      | (\w*[^\W_]_[^\W_]\w*)                              # snake_case
      | (\w*[a-z\d][A-Z]\w*)                               # camelCase
      )
    """,
    re.VERBOSE,
)
"""A name begins where its first word does, and has so many parts at most: a text of one word is not tried from each of
its letters, nor one of many parts from each of these."""
_ABBREVIATIONS = frozenset({"e.g", "i.e", "a.m", "p.m", "u.s"})


def names_in(text: str) -> tuple[str, ...]:
    """Paths, file names and identifiers in a text, each once, in order, without code marks."""
    found = (next(group for group in match.groups() if group) for match in _NAME.finditer(text))
    named = (name.strip("().,;:") for name in found)
    return tuple(dict.fromkeys(name for name in named if name and name.lower() not in _ABBREVIATIONS))


def unseen(names: Iterable[str], visible: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that stand in none of the visible texts, letter case aside."""
    missing = list(names)
    for text in visible:
        if not missing:
            break
        folded = text.casefold()
        missing = [name for name in missing if name.casefold() not in folded]
    return tuple(missing)
