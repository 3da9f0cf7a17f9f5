"""Where the sentences of a text begin and end, and the clauses of a sentence."""

import re
from collections.abc import Iterator

from selfplay.clean.echoes.folding import MASK, FoldedText

_END = re.compile(
    r"""[.!?]+["')\]]*(?=\s|$)|[\u3002!?]["')\]\u300d\u300f]*(?=[^\x00-\x7f\u00a4])|\u3002["')\]]*|\n\s*"""
)
_SHORTENED = frozenset("e.g i.e etc vs cf resp approx fig eg ie".split())
_ITEM = re.compile(r"(?:[-+\u2022]|\d{1,3}[.)])\s")
FENCES = ("```", "~~~")
MARKER = re.compile(r"\s*(?:[-+*\u2022]\s+|\d{1,3}[.)]\s+|[#>]+\s+)?")
"""What stands before the first word of a line: blanks, the sign of a list's item."""
_WRAPPED_CHARS = 60
"""A line shorter than this was not ended for want of room."""
_BREAK = re.compile(r"[,;:](?:\s+|(?=[^\x00-\x7f\u00a4]))|\s+[-\u2013\u2014]{1,2}\s+|[\u2014\u3001]")

Stretch = tuple[int, int]


def split_sentences(view: FoldedText) -> Iterator[Stretch]:
    """Stretches of the view, each from a first to a last visible sign, in order; a block of code is its own."""
    start = 0
    for match in _END.finditer(view.prose):
        if _ends_sentence(view, match):
            yield from _trim_stretch(view, start, match.end())
            start = match.end()
    yield from _trim_stretch(view, start, len(view.prose))


def _ends_sentence(view: FoldedText, match: re.Match[str]) -> bool:
    prose, at = view.prose, match.start()
    if prose[at] == "\n":
        return _ends_line(view, match)
    after = prose[match.end() : match.end() + 2].lstrip()[:1]
    is_followed_by_small = bool(after) and view.raw[prose.index(after, match.end())].islower()
    return not (is_followed_by_small and _last_word(prose[max(at - 8, 0) : at]) in _SHORTENED)


def _last_word(text: str) -> str:
    return text.rsplit(maxsplit=1)[-1].lstrip("(") if text.strip() else ""


def _ends_line(view: FoldedText, match: re.Match[str]) -> bool:
    """Whether a line end ends a sentence: a paragraph, an item of a list, a short line before a capital."""
    prose, at, to = view.prose, match.start(), match.end()
    if match.group().count("\n") > 1 or to == len(prose) or _ITEM.match(prose, to) or prose[to] == MASK:
        return True
    if prose[at - 1 : at] == MASK and view.raw[max(at - 3, 0) : at] in FENCES:
        return True
    line = prose[prose.rfind("\n", 0, at) + 1 : at]
    return view.raw[to].isupper() and len(line) < _WRAPPED_CHARS and not line.rstrip().endswith((",", "-"))


def _trim_stretch(view: FoldedText, start: int, end: int) -> Iterator[Stretch]:
    marker = MARKER.match(view.prose, start, end)
    start = marker.end() if marker else start
    stretch = view.prose[start:end].rstrip()
    if stretch:
        yield start, start + len(stretch)


def split_clauses(view: FoldedText, sentence: Stretch) -> list[Stretch]:
    """The sentence's parts between commas, colons, semicolons and dashes; separators belong to no part."""
    start, end = sentence
    parts: list[Stretch] = []
    for match in _BREAK.finditer(view.prose, start, end):
        if match.start() > start:
            parts.append((start, match.start()))
        start = match.end()
    return [*parts, (start, end)] if start < end else parts
