"""A text as echoes are looked for in it: folded to plain lower case, cut into sentences, clauses and words.

Code and quotations are blanked out: what stands there is not what the player says.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

MASK = "\u00a4"
"""Stands for each character of code and of quotations: no wording has it."""
_DROPPED = "\0"
_SIGNS = {"\u2018": "'", "\u2019": "'", "\u02bc": "'", "`": "'", "\u2026": ".", "*": " ", "#": " ", "~": " "}
_EDGES = re.compile(r"(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})", re.MULTILINE)
_TICKS = re.compile(r"(`{1,2})(?!`)[^`]{1,400}(?<!`)\1(?!`)")
_QUOTED = re.compile(
    r'"[^"\n]{1,300}"|\u201c[^\u201d\n]{1,300}\u201d|\u201e[^\u201c\u201d\n]{1,300}[\u201c\u201d]|\u00ab[^\u00bb\n]{1,300}\u00bb|'
    r"[\u300c\u300e][^\u300d\u300f\n]{1,300}[\u300d\u300f]|(?<!\w)'(?!\s)[^'\n]{1,120}(?<!\s)'(?!\w)|"
    r"\u2018[^\u2018\u2019\n]{1,120}\u2019(?!\w)|^[ \t]*>.*$|^[ \t]*(?://|/\*|\* ).*$",
    re.MULTILINE,
)


class _FoldingTable(dict[int, str]):
    """One character for each; filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


def _fold_character(char: str) -> str:
    if char in _SIGNS:
        return _SIGNS[char]
    if char == "\u00df":
        return "s"
    if unicodedata.category(char) in {"Cf", "Mn", "Me"} or char == _DROPPED:
        return _DROPPED
    base = [c for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) not in {"Mn", "Me"}]
    return base[0].lower()[:1] if len(base) == 1 else char


_FOLDING_TABLE = _FoldingTable()


def fold_pattern(text: str) -> str:
    """Lower case, accents and marks off; a pattern stays a pattern."""
    return "".join(char if char.isascii() else _fold_character(char) for char in text)


def fold_characters(text: str) -> str:
    """Each character in its plain form; one that is only a mark on others is `NUL`. As long as the text."""
    return _EDGES.sub(lambda m: " " * len(m.group()), text.translate(_FOLDING_TABLE))


@dataclass(frozen=True, slots=True)
class FoldedText:
    """Three views of one text, of the same length; and where their characters stand in the original."""

    raw: str
    """The characters as they are."""
    text: str
    """Folded."""
    prose: str
    """Folded, with code and quotations blanked out by `MASK`."""
    origins: Sequence[int]
    """For each character its index in the original."""

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """A stretch of the views as a span of the original."""
        return self.origins[start], self.origins[end - 1] + 1

    def to_folded(self, span: tuple[int, int]) -> tuple[int, int]:
        """A span of the original as a stretch of the views; empty where nothing of it is left in them."""
        return bisect_left(self.origins, span[0]), bisect_left(self.origins, span[1])


def fold_text(text: str) -> FoldedText:
    """The views of a text. Time grows with its length only."""
    plain = fold_characters(text)
    prose = _mask_code_and_quotations(text, plain)
    if _DROPPED not in plain:
        return FoldedText(text, plain, prose, range(len(text)))
    kept = [i for i, char in enumerate(plain) if char != _DROPPED]
    return FoldedText(*("".join(view[i] for i in kept) for view in (text, plain, prose)), origins=kept)


def _mask_code_and_quotations(text: str, plain: str) -> str:
    plain = _blank_out(plain, blocks := find_code_blocks(text))
    text = _blank_out(text, blocks)
    for pattern in (_TICKS, _QUOTED):
        plain = _blank_out(plain, [match.span() for match in pattern.finditer(text)])
    return plain


def _blank_out(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with these stretches, which are in order, blanked out."""
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        pieces += (text[at:start], MASK * (end - start))
        at = end
    return "".join((*pieces, text[at:])) if spans else text


def find_code_blocks(text: str) -> list[tuple[int, int]]:
    """Spans of fenced blocks of code, fences included; one without its end goes to the end of the text."""
    blocks: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence.group(1).startswith(opened.group(1)):
            blocks.append((opened.start(), fence.end()))
            opened = None
    if opened is not None:
        blocks.append((opened.start(), len(text)))
    return blocks


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


_TOKEN = re.compile(r"[^\W_]+(?:'[a-z]+)?")


IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A sign that is a word or a part of one without blanks around it."""


_ENDINGS = ("ings", "ing", "edly", "ed", "es", "s", "e")


MIN_STEM = 4


COMMON = frozenset(
    resources.files("selfplay.clean.echoes").joinpath("data/common_words.txt").read_text("utf-8").split()
)
"""Words so common that they say nothing about where a thought comes from."""


def tokens_of(text: str) -> list[str]:
    """Stems of the words of a folded text in order; of scripts without blanks each pair of neighbouring signs."""
    words = _TOKEN.findall(text)
    if text.isascii() or not IDEOGRAPH.search(text):
        return [_stem(word) for word in words]
    found: list[str] = []
    for word in words:
        if IDEOGRAPH.search(word):
            found += [word[i : i + 2] for i in range(max(len(word) - 1, 1))]
        else:
            found.append(_stem(word))
    return found


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    if word in COMMON:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= MIN_STEM:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > MIN_STEM and word[-1] == word[-2] else word


def is_distinctive(token: str) -> bool:
    """Whether a token says something about where a thought comes from."""
    return token not in COMMON and not (token.isascii() and len(token) < MIN_STEM - 1)
