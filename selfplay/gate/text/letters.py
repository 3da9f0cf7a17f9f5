"""Letters that are written in other ways: escapes, spoken signs, look-alikes, letters spelled one by one, pieces."""

import html
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from urllib.parse import unquote

from selfplay.gate.text.alphabets import (
    FILLERS,
    FLIPPED,
    FLIPPED_SIGNS,
    LEET,
    LEET_ONES,
    LOOKALIKES,
    SPOKEN_LETTERS,
    SPOKEN_SIGNS,
)
from selfplay.gate.text.view import TextToken, TextView, ViewPiece, copy_pieces, fold
from selfplay.gate.text.words import is_english

_FRAGMENT = re.compile(r"[\"'`“‘*]{1,3}([^\W_]{1,30})[\"'`”’*]|[^\W_]+")
MIN_RUN = 3
"""Letters in a row that may be a name."""
_LIKE = frozenset({"as", "in", "for", "like"})


def read_spelled_runs(tokens: Sequence[TextToken], view: TextView) -> Iterator[TextView]:
    """Letters written one by one, as letters, in the radio alphabet or by their names; filler words left out."""
    for run in _group_letters(tokens):
        letters = [(token, letter) for token, letter in run if letter]
        if len(letters) >= MIN_RUN:
            pieces = (((letter, t.start, t.end), (" ", t.end, t.end)) for t, letter in letters)
            yield TextView(view.original, chain.from_iterable(pieces))


def join_spelled_letters(tokens: Sequence[TextToken]) -> Iterator[ViewPiece]:
    """The text with spelled letters put together to words, and without filler words."""
    for run in _group_letters(tokens):
        is_word = len(run) >= MIN_RUN
        for token, letter in run:
            yield (letter if is_word else token.text), token.start, token.end
            if not is_word:
                yield " ", token.end, token.end
        if is_word:
            yield " ", run[-1][0].end, run[-1][0].end


def _group_letters(tokens: Sequence[TextToken]) -> Iterator[list[tuple[TextToken, str]]]:
    """Words that stand for letters, in runs, each with its letter; any other word by itself, with none."""
    run: list[tuple[TextToken, str]] = []
    for token, letter in _read_letters(tokens):
        if not letter and run:
            yield run
            run = []
        if letter:
            run.append((token, letter))
        else:
            yield [(token, "")]
    if run:
        yield run


def _read_letters(tokens: Sequence[TextToken]) -> Iterator[tuple[TextToken, str]]:
    skips_to = -1
    for i, token in enumerate(tokens):
        if i <= skips_to or token.text in FILLERS:
            continue
        letter = token.text if len(token.text) == 1 else SPOKEN_LETTERS.get(token.text, "")
        if letter:
            skips_to = _skip_comparison(tokens, i, letter)
        yield token, letter


def join_fragments(view: TextView) -> Iterator[ViewPiece]:
    """Quoted pieces and pieces that are no words, one after the other, whatever filler words stand between them."""
    for match in _FRAGMENT.finditer(view.text):
        at, to = match.span(1 if match.group(1) else 0)
        if match.group(1) or not is_english(match.group().lower()):
            yield from copy_pieces(view, at, to)
            yield " ", view.ends[to - 1], view.ends[to - 1]
        elif match.group().lower() not in FILLERS:
            yield "\n.\n", view.ends[to - 1], view.ends[to - 1]


def _skip_comparison(tokens: Sequence[TextToken], i: int, letter: str) -> int:
    """The last word of `R as in Romeo`, for the R at position i."""
    j = i + 1
    while j < len(tokens) and tokens[j].text in _LIKE:
        j += 1
    return j if j > i + 1 and j < len(tokens) and tokens[j].text.startswith(letter) else i


_ESCAPE = re.compile(
    r"(?P<url>(?:%[0-9a-fA-F]{2})+)|(?P<html>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});?)"
    r"|(?P<code>\\(?:u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|[0-7]{3}))"
    r"|(?P<printable>(?:=[0-9A-F]{2}){2,})|(?P<point>[Uu]\+[0-9a-fA-F]{4,6}[\s,]?)|(?P<tag></?[A-Za-z][^<>\n]{0,60}>)"
)
_SPOKEN_SIGN = re.compile(
    rf"\s?(?<!\w)(?:(?:forward|back|double)[\s-]?)?({'|'.join(SPOKEN_SIGNS)})(?!\w)\s?", re.IGNORECASE
)
_LEET_RUN = re.compile(r"[\w@$!|+(€£]{3,}")


def read_escapes_and_spoken_signs(view: TextView) -> Iterator[TextView]:
    """Forms of the text that are prose as much as it is."""
    if _ESCAPE.search(view.original):
        yield TextView(view.original, _unescape(view.original))
    if _SPOKEN_SIGN.search(view.text):
        yield TextView(view.original, _replace_spoken_signs(view))
        # A name may begin with a sign: `underscore types dot py`.
        yield TextView(view.original, _replace_spoken_signs(view, keeps_blank=True))


def _unescape(text: str) -> Iterator[ViewPiece]:
    end = 0
    for match in _ESCAPE.finditer(text):
        yield from ((fold(c), i, i + 1) for i, c in enumerate(text[end : match.start()], end))
        end = match.end()
        yield from ((char, match.start(), end) for char in fold(_decode_escape(match)))
    yield from ((fold(c), i, i + 1) for i, c in enumerate(text[end:], end))


def _decode_escape(match: re.Match[str]) -> str:
    text = match.group()
    match match.lastgroup:
        case "url":
            return unquote(text, errors="replace")
        case "html":
            return html.unescape(text)
        case "printable":
            return unquote(text.replace("=", "%"), errors="replace")
        case "tag":
            return ""
        case _:
            digits = re.sub(r"[^0-9a-fA-F]", "", text)
            number = int(digits, 8 if re.fullmatch(r"\\[0-7]{3}", text) else 16)
            return chr(number) if number < 0x110000 else ""  # noqa: PLR2004  # the last code point


def _replace_spoken_signs(view: TextView, *, keeps_blank: bool = False) -> Iterator[ViewPiece]:
    """The text with `dot`, `slash` and the like as signs."""
    end = 0
    for match in _SPOKEN_SIGN.finditer(view.text):
        yield from copy_pieces(view, end, match.start())
        end = match.end()
        sign = SPOKEN_SIGNS[match.group(1).lower()]
        if keeps_blank and sign.startswith("_") and match.group()[0].isspace():
            yield " ", view.starts[match.start()], view.ends[match.start()]
        yield sign, view.starts[match.start()], view.ends[end - 1]
    yield from copy_pieces(view, end, len(view.text))


def read_substituted_letters(view: TextView) -> Iterator[TextView]:
    """Forms in which single letters are written as other signs."""
    text = view.original
    if any(c in LOOKALIKES for c in text):
        yield TextView(text, ((LOOKALIKES.get(c) or fold(c), i, i + 1) for i, c in enumerate(text)))
    if any(c in FLIPPED_SIGNS for c in text):
        yield TextView(text, ((FLIPPED.get(c, c), i, i + 1) for i, c in enumerate(text))).reverse()
    if _LEET_RUN.search(view.text):
        for ones in LEET_ONES:
            yield TextView(text, _replace_leet(view, LEET | ones))


def _replace_leet(view: TextView, table: dict[str, str]) -> Iterator[ViewPiece]:
    end = 0
    for match in _LEET_RUN.finditer(view.text):
        run = match.group()
        yield from copy_pieces(view, end, match.start())
        end = match.end()
        is_leet = any(c.isalpha() for c in run) and any(c in table for c in run)
        for i in range(match.start(), end):
            char = view.text[i]
            yield (table.get(char, char) if is_leet else char), view.starts[i], view.ends[i]
    yield from copy_pieces(view, end, len(view.text))
