"""A text as the wordings are compared with it: lower case, plain letters, code and quotations blanked out."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

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
