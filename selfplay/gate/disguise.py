"""Does a text name a target in another form: escaped, in look-alike letters, reversed, shifted, spelled, encoded?"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from urllib.parse import unquote

from selfplay.gate.alphabets import (
    ATBASH,
    FILLERS,
    FLIPPED,
    FLIPPED_SIGNS,
    KEYS_LEFT,
    KEYS_RIGHT,
    LEET,
    LEET_ONES,
    LOOKALIKES,
    SPOKEN,
    SPOKEN_SIGNS,
    shifted,
)
from selfplay.gate.decode import decoded
from selfplay.gate.definitions import definition_finding, definitions_in, is_secret
from selfplay.gate.names import name_finding, names_in
from selfplay.gate.needles import Needle
from selfplay.gate.place import Place, Shape
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import Piece, Token, View, fold, normalised
from selfplay.gate.words import is_english
from selfplay.trace import Finding

_ESCAPE = re.compile(
    r"(?P<url>(?:%[0-9a-fA-F]{2})+)|(?P<html>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});?)"
    r"|(?P<code>\\(?:u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|[0-7]{3}))"
    r"|(?P<printable>(?:=[0-9A-F]{2}){2,})|(?P<point>[Uu]\+[0-9a-fA-F]{4,6}[\s,]?)|(?P<tag></?[A-Za-z][^<>\n]{0,60}>)"
)
_SPOKEN_SIGN = re.compile(
    rf"\s?(?<!\w)(?:(?:forward|back|double)[\s-]?)?({'|'.join(SPOKEN_SIGNS)})(?!\w)\s?", re.IGNORECASE
)
_LEET_RUN = re.compile(r"[\w@$!|+(€£]{3,}")
_FRAGMENT = re.compile(r"[\"'`“‘*]+([^\W_]{1,30})[\"'`”’*]+|[^\W_]+")
_MIN_STEM = 4
_MIN_SHIFTED = 5
_MIN_RUN = 3
_LIKE = frozenset({"as", "in", "for", "like"})

Accept = Callable[[Place], bool]


def disguises_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every name or definition of a target in another form than plain text."""
    for plain in _plain_readings(view):
        yield from names_in(plain, secret, shown)
        yield from definitions_in(plain, secret, shown)
    for reading in _letter_readings(view):
        yield from strictly(reading, secret, shown, accept=_is_disguised)
    for reading, accept in _turned(view):
        yield from strictly(reading, secret, shown, accept=accept)
    for reading in _spelled(view.tokens, view):
        yield from strictly(reading, secret, shown, accept=_is_long_spelled)
    yield from strictly(View(view.original, _half_spelled(view.tokens)), secret, shown, accept=_is_partly_spelled)
    yield from strictly(View(view.original, _fragments(view)), secret, shown, accept=_is_put_together)
    for reading in decoded(view):
        again = chain([reading], decoded(reading), (turned for turned, _ in _turned(reading)))
        for text in again:
            yield from strictly(text, secret, shown, accept=_anything)


def strictly(view: View, secret: Secret, shown: Seen, *, accept: Accept) -> Iterator[Finding]:
    """Names and definitions in a text that is no innocent prose: the words alone give them away."""
    tokens = view.tokens
    for match in secret.names.matches(tokens):
        place = Place(view, tokens, match)
        if _counts(match.needle) and not place.is_part and accept(place) and not secret.is_free(match.needle, shown):
            yield name_finding(place, "disguised").model_copy(update={"kind": "disguised"})
    for match in secret.definitions.matches(tokens):
        place = Place(view, tokens, match)
        one = match.needle
        is_odd = len(one.compact) > _MIN_SHIFTED and (len(one.words) > 1 or not is_english(one.compact))
        if is_odd and not place.is_part and accept(place) and is_secret(place, secret, shown):
            yield definition_finding(place).model_copy(update={"kind": "disguised"})


def _counts(one: Needle) -> bool:
    if one.is_generic:
        return False
    return len(one.compact) >= (_MIN_STEM if one.kind in {"stem", "directory"} else _MIN_RUN)


def _anything(place: Place) -> bool:
    return len(place.needle.compact) >= _MIN_RUN


def _is_disguised(place: Place) -> bool:
    return place.is_disguised


def _is_long_spelled(place: Place) -> bool:
    """Whether the letters of a short name stand alone: a few of them come together by chance in longer runs."""
    return len(place.needle.compact) >= _MIN_STEM or len(place.tokens) == len(place.needle.compact)


def _is_odd_word(minimum: int) -> Accept:
    def accept(place: Place) -> bool:
        words = re.findall(r"[^\W_]+", place.original.lower())
        is_long = len(place.needle.compact) >= minimum and place.is_disguised
        return is_long and any(not is_english(word) for word in words)

    return accept


def _plain_readings(view: View) -> Iterator[View]:
    """Forms of the text that are prose as much as it is."""
    if _ESCAPE.search(view.original):
        yield View(view.original, _unescaped(view.original))
    if _SPOKEN_SIGN.search(view.text):
        yield View(view.original, _signed(view))


def _unescaped(text: str) -> Iterator[Piece]:
    end = 0
    for match in _ESCAPE.finditer(text):
        yield from ((fold(c), i, i + 1) for i, c in enumerate(text[end : match.start()], end))
        end = match.end()
        yield from ((char, match.start(), end) for char in fold(_meaning(match)))
    yield from ((fold(c), i, i + 1) for i, c in enumerate(text[end:], end))


def _meaning(match: re.Match[str]) -> str:
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


def _signed(view: View) -> Iterator[Piece]:
    """The text with `dot`, `slash` and the like as signs."""
    end = 0
    for match in _SPOKEN_SIGN.finditer(view.text):
        yield from _copied(view, end, match.start())
        end = match.end()
        yield SPOKEN_SIGNS[match.group(1).lower()], view.starts[match.start()], view.ends[end - 1]
    yield from _copied(view, end, len(view.text))


def _copied(view: View, at: int, to: int) -> Iterator[Piece]:
    return ((view.text[i], view.starts[i], view.ends[i]) for i in range(at, to))


def _letter_readings(view: View) -> Iterator[View]:
    """Forms in which single letters are written as other signs."""
    text = view.original
    if any(c in LOOKALIKES for c in text):
        yield View(text, ((LOOKALIKES.get(c) or fold(c), i, i + 1) for i, c in enumerate(text)))
    if any(c in FLIPPED_SIGNS for c in text):
        yield View(text, ((FLIPPED.get(c, c), i, i + 1) for i, c in enumerate(text))).reversed()
    if _LEET_RUN.search(view.text):
        for ones in LEET_ONES:
            yield View(text, _unleeted(view, LEET | ones))


def _unleeted(view: View, table: dict[str, str]) -> Iterator[Piece]:
    end = 0
    for match in _LEET_RUN.finditer(view.text):
        run = match.group()
        yield from _copied(view, end, match.start())
        end = match.end()
        is_leet = any(c.isalpha() for c in run) and any(c in table for c in run)
        for i in range(match.start(), end):
            char = view.text[i]
            yield (table.get(char, char) if is_leet else char), view.starts[i], view.ends[i]
    yield from _copied(view, end, len(view.text))


def _turned(view: View) -> Iterator[tuple[View, Accept]]:
    """Forms in which all letters are moved: reversed, shifted by some places, mirrored, on the neighbouring keys."""
    yield view.reversed(), _is_odd_word(_MIN_STEM)
    yield View(view.original, _each_reversed(view)), _is_odd_word(_MIN_STEM)
    yield View(view.original, _each_pig(view)), _is_odd_word(_MIN_STEM)
    yield view.mapped(shifted(13)), _is_odd_word(_MIN_STEM)
    yield view.mapped(ATBASH), _is_odd_word(_MIN_STEM)
    for by in range(1, 26):
        yield view.mapped(shifted(by)), _is_odd_word(_MIN_SHIFTED)
    for keys in (KEYS_LEFT, KEYS_RIGHT):
        yield view.mapped(keys), _is_odd_word(_MIN_SHIFTED)


def _each_reversed(view: View) -> Iterator[Piece]:
    """Each word turned round, all in their places."""
    end = 0
    for token in view.tokens:
        yield from _copied(view, end, token.at)
        end = token.to
        yield from ((view.text[i], view.starts[i], view.ends[i]) for i in range(end - 1, token.at - 1, -1))
    yield from _copied(view, end, len(view.text))


def _each_pig(view: View) -> Iterator[Piece]:
    """Each word as Pig Latin would have made it, with its consonants back at its front."""
    end = 0
    for match in re.finditer(
        r"(?P<rest>[A-Za-z]+?)-?(?P<onset>(?:qu|[bcdfghjklmnpqrstvwxz]{1,4}|[wyh])?)ay(?![A-Za-z])", view.text
    ):
        yield from _copied(view, end, match.start())
        end = match.end()
        onset = match.group("onset")
        word = (
            match.group("rest")
            if onset in {"w", "y", "h"} and match.group("rest")[0] in "aeiou"
            else onset + match.group("rest")
        )
        yield from ((c, view.starts[match.start()], view.ends[end - 1]) for c in word)
    yield from _copied(view, end, len(view.text))


def _spelled(tokens: Sequence[Token], view: View) -> Iterator[View]:
    """Letters said one by one, as letters, in the radio alphabet or by their names; little words between them aside."""
    for run in _runs(tokens):
        letters = [(token, letter) for token, letter in run if letter]
        if len(letters) >= _MIN_RUN:
            pieces = (((letter, t.start, t.end), (" ", t.end, t.end)) for t, letter in letters)
            yield View(view.original, chain.from_iterable(pieces))


def _half_spelled(tokens: Sequence[Token]) -> Iterator[Piece]:
    """The text with spelled letters put together to words, and without the little words."""
    for run in _runs(tokens):
        is_word = len(run) >= _MIN_RUN
        for token, letter in run:
            yield (letter if is_word else token.text), token.start, token.end
            if not is_word:
                yield " ", token.end, token.end
        if is_word:
            yield " ", run[-1][0].end, run[-1][0].end


def _runs(tokens: Sequence[Token]) -> Iterator[list[tuple[Token, str]]]:
    """Words that are said for letters, in runs, each with its letter; any other word by itself, with none."""
    run: list[tuple[Token, str]] = []
    for token, letter in _said(tokens):
        if not letter and run:
            yield run
            run = []
        if letter:
            run.append((token, letter))
        else:
            yield [(token, "")]
    if run:
        yield run


def _said(tokens: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    skips_to = -1
    for i, token in enumerate(tokens):
        if i <= skips_to or token.text in FILLERS:
            continue
        letter = token.text if len(token.text) == 1 else SPOKEN.get(token.text, "")
        if letter:
            skips_to = _after_comparison(tokens, i, letter)
        yield token, letter


def _is_partly_spelled(place: Place) -> bool:
    """Whether some of the words were spelled, and the others follow as they are."""
    return place.shape is Shape.SPACED and place.is_disguised and len(place.needle.compact) > _MIN_SHIFTED


def _fragments(view: View) -> Iterator[Piece]:
    """Quoted pieces and pieces that are no words, one after the other, whatever little words stand between them."""
    for match in _FRAGMENT.finditer(view.text):
        at, to = match.span(1 if match.group(1) else 0)
        if match.group(1) or not is_english(match.group().lower()):
            yield from _copied(view, at, to)
            yield " ", view.ends[to - 1], view.ends[to - 1]
        elif match.group().lower() not in FILLERS:
            yield "\n.\n", view.ends[to - 1], view.ends[to - 1]


def _is_put_together(place: Place) -> bool:
    """Whether a name was cut inside a word, into pieces that do not stand side by side."""
    return place.shape is Shape.SPLIT and len(place.needle.compact) >= _MIN_STEM and "\n" not in place.raw


def _after_comparison(tokens: Sequence[Token], i: int, letter: str) -> int:
    """The last word of `R as in Romeo`, for the R at position i."""
    j = i + 1
    while j < len(tokens) and tokens[j].text in _LIKE:
        j += 1
    return j if j > i + 1 and j < len(tokens) and tokens[j].text.startswith(letter) else i


__all__ = ["disguises_in", "normalised", "strictly"]
