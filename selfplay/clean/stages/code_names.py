"""Names of code in prose: what a thought may only mention when it was to be seen."""

import re
from collections.abc import Iterable

_SIGNS = r"\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts without blanks: the prose around a name, never a part of it."""
_W, _L = rf"[^\W{_SIGNS}]", rf"[^\W_{_SIGNS}]"
"""A character of a name, and the same without the underscore."""
_P = rf"(?:{_W}|[.-])"
"""A character of a path's part."""
_NAME = re.compile(
    rf"""
    `([^`\n]{{1,120}})`                                   # in code marks, whatever it is
    | (?<!{_W})(?<![.-])((?:{_P}+/)+{_P}*{_W})            # a path
    | (?<!{_W})(?:
        ({_W}+(?:(?:::|\.){_W}+){{0,20}}\.(?:[A-Za-z]{_W}{{0,4}})(?!{_W}))  # a file name, a dotted name
      | ({_W}*{_L}_{_L}{_W}*)                             # snake_case
      | ({_W}*(?:[a-z\d][A-Z]|[A-Z][A-Z][a-z][a-z]){_W}*) # camelCase, HTTPServer; not the APIs
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


def find_unseen(names: Iterable[str], visible: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that stand in none of the visible texts, letter case aside."""
    missing = list(names)
    for text in visible:
        if not missing:
            break
        folded = text.casefold()
        missing = [name for name in missing if name.casefold() not in folded]
    return tuple(missing)
