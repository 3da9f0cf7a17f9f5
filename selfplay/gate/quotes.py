"""Does a text quote a target: a run of words of its code, comments or strings?"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import PART, View, words_of
from selfplay.trace import Finding

_RUN = 6
"""So many words in a row are a quote, whatever stands around them."""
_SHORT_RUN = 3
"""So many are one inside quotes or code marks."""
_CODE_RUN = 4
"""So many are one where the text between them is code."""
_ENCLOSED = re.compile(r"```(?P<f>.+?)```|`(?P<c>[^`\n]+)`|\"(?P<d>[^\"\n]+)\"|“(?P<q>[^”\n]+)”|«(?P<g>[^»\n]+)»|(?<!\w)'(?P<s>[^'\n]+)'(?!\w)", re.DOTALL)  # fmt: skip
_CODE = re.compile(r"[=(){}\[\];<>+*&|]|->|::|\.(?=\w)|_")
_MIN_CODE_GAPS = 2
_SMALL = frozenset(
    """a an the of to in on at by for and or not is are was be been it its this that with as if then else from into each
    every all any no which what when where who how do does than so such only one two more most can may must will has
    have had there their they them you your we our he she his her same other""".split()
)


def quotes_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every quote from a target that neither the task, nor what was shown, nor another file holds."""
    words = [(m.group().lower(), m.start(), m.end()) for m in PART.finditer(view.text)]
    yield from _runs(view, words, secret, shown)
    for match in _ENCLOSED.finditer(view.text):
        group = match.lastgroup or 0
        inside = tuple(words_of(match.group(group)))
        if len(inside) >= _SHORT_RUN and _says_something(inside) and is_quote(inside, secret, shown):
            yield quote_finding(view, match.start(group), match.end(group), secret, inside)


def _runs(view: View, words: Sequence[tuple[str, int, int]], secret: Secret, shown: Seen) -> Iterator[Finding]:
    """The longest runs of words that a target holds, from left to right."""
    first = 0
    while first < len(words):
        last = first
        for _, stream in secret.streams:
            last = max(last, _reach(words, first, stream))
        run = tuple(w for w, _, _ in words[first:last])
        if _is_long(view.text, words[first:last]) and _says_something(run) and is_quote(run, secret, shown):
            yield quote_finding(view, words[first][1], words[last - 1][2], secret, run)
        first = max(first + 1, last - _CODE_RUN + 1)


def _reach(words: Sequence[tuple[str, int, int]], first: int, stream: str) -> int:
    """Where the longest run from `first` that the stream holds ends, exclusive."""
    last = min(first + _CODE_RUN, len(words))
    if f" {' '.join(w for w, _, _ in words[first:last])} " not in stream:
        return first
    while last < len(words) and f" {' '.join(w for w, _, _ in words[first : last + 1])} " in stream:
        last += 1
    return last


def _is_long(text: str, run: Sequence[tuple[str, int, int]]) -> bool:
    if len(run) >= _RUN:
        return True
    if len(run) < _CODE_RUN:
        return False
    gaps = [text[a[2] : b[1]] for a, b in pairwise(run)]
    return sum(1 for gap in gaps if _CODE.search(gap)) >= _MIN_CODE_GAPS


def _says_something(words: Sequence[str]) -> bool:
    """Whether a run is more than the small change of the language."""
    return len(telling(words)) >= min(_SHORT_RUN, len(words) - 1)


def telling(words: Sequence[str]) -> frozenset[str]:
    """Those of the words that say something."""
    return frozenset(words) - _SMALL


def is_quote(words: tuple[str, ...], secret: Secret, shown: Seen) -> bool:
    """Whether a target has the words side by side, and nothing that the player knows, and no other file."""
    joined = f" {' '.join(words)} "
    if not any(joined in stream for _, stream in secret.streams):
        return False
    if shown.has_words(words) or secret.told.has_words(words):
        return False
    return not secret.elsewhere.has_words(words)


def quote_finding(view: View, at: int, to: int, secret: Secret, words: tuple[str, ...]) -> Finding:
    """The finding for words of a target that were met between those places of the view."""
    start, end = view.span(at, to)
    joined = f" {' '.join(words)} "
    where = ", ".join(path for path, stream in secret.streams if joined in stream)
    why = f"quotes {where}, which the player has not been shown; say in your own words what the code does"
    return Finding(kind="quote", text=view.original[start:end], span=(start, end), why=why)
