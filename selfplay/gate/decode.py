"""Encoded parts of a text, read: base64 and its kin, character codes, binary, Morse."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from selfplay.gate.alphabets import MORSE
from selfplay.gate.text import View
from selfplay.gate.words import is_english

_BASE = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{4,}={0,6}")
_SCREEN = re.compile(r"[!-~]{6,}")
_CHUNKS = 8
_MAX_CHUNK = 4_000
_SEPARATOR = r"[\s,;:./|_-]*(?:\band\b)?[\s,;]*"
_CODES: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(rf"(?:(?<![\w])[01]{{7,8}}(?!\w){_SEPARATOR}){{3,}}"), 2),
    (re.compile(rf"(?:(?:0x|\\x|U\+(?:00)?|(?<![\w])(?:00)?)[0-9a-fA-F]{{2}}(?!\w){_SEPARATOR}){{3,}}"), 16),
    (re.compile(rf"(?:(?<![\w])(?:0o?)?[0-7]{{3}}(?!\w){_SEPARATOR}){{3,}}"), 8),
    (re.compile(rf"(?:(?<![\w])\d{{2,3}}(?!\w){_SEPARATOR}){{3,}}"), 10),
)
_ORDER = re.compile(rf"(?:(?<!\w)\d{{1,2}}(?!\w){_SEPARATOR}){{4,}}")
_BITS = re.compile(r"(?<!\w)(?:[01]{8}){3,}(?!\w)")
_MORSE = re.compile(r"(?<![\w.…·•\-−–—])[.·•∙\-−–—]{1,5}(?:\s?[/|]?\s?[.·•∙\-−–—]{1,6}){2,}(?![\w])")
_MORSE_SIGNS = str.maketrans({"·": ".", "•": ".", "∙": ".", "−": "-", "–": "-", "—": "-"})


def decoded(view: View) -> Iterator[View]:
    """Every encoded part of the text as what it says."""
    for match in _BITS.finditer(view.text):
        bits = match.group()
        yield _read(view, match, bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).decode("latin-1"))
    for pattern, base in _CODES:
        for match in pattern.finditer(view.text):
            numbers = [int(n, base) for n in _numerals(match.group(), base)]
            yield _read(view, match, "".join(chr(n) if 32 <= n < 127 else " " for n in numbers))  # noqa: PLR2004  # ASCII
    for match in _ORDER.finditer(view.text):
        numbers = [int(n) for n in re.findall(r"\d+", match.group())]
        for first in (1, 0):
            yield _read(
                view, match, "".join(chr(96 + n + 1 - first) if first <= n < 26 + first else " " for n in numbers)
            )  # the alphabet
    for match in _MORSE.finditer(view.text):
        signs = re.split(r"[\s/|]+", match.group().translate(_MORSE_SIGNS))
        yield _read(view, match, "".join(MORSE.get(sign, " ") for sign in signs))
    yield from _bases(view)


def _numerals(text: str, base: int) -> list[str]:
    if base == 16:  # noqa: PLR2004  # hexadecimal: the marks before the digits go
        return [n[-2:] for n in re.findall(r"(?:0x|\\x|U\+)?([0-9a-fA-F]{2,4})(?![0-9a-fA-F])", text)]
    return [n.lstrip("o") for n in re.findall(r"\d+", text)]


def _read(view: View, match: re.Match[str], text: str) -> View:
    start, end = view.span(*match.span())
    return View(view.original, ((char, start, end) for char in text))


def _bases(view: View) -> Iterator[View]:
    chunks = [
        m for m in _BASE.finditer(view.text) if len(m.group()) <= _MAX_CHUNK and not is_english(m.group().lower())
    ]
    for i, first in enumerate(chunks):
        joined = ""
        last = first
        for chunk in chunks[i : i + _CHUNKS]:
            if chunk is not first and view.text[last.end() : chunk.start()].strip(" \n\"'`+\\,") != "":
                break
            joined, last = joined + chunk.group(), chunk
            start, end = view.span(first.start(), chunk.end())
            for text in _readings(joined):
                yield View(view.original, ((char, start, end) for char in text))
    for match in _SCREEN.finditer(view.text):
        if len(match.group()) <= _MAX_CHUNK and not match.group().isalpha():
            for text in _texts(match.group().strip("`'\""), (base64.b85decode, base64.a85decode)):
                yield _read(view, match, text)


def _readings(chunk: str) -> Iterator[str]:
    bare = chunk.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    yield from _texts(padded, (base64.b64decode, base64.urlsafe_b64decode))
    yield from _texts(bare.upper() + "=" * (-len(bare) % 8), (base64.b32decode,))
    yield from _texts(bare, (bytes.fromhex, _base58))


def _texts(chunk: str, readers: tuple[Callable[[str], bytes], ...]) -> Iterator[str]:
    for read in readers:
        try:
            text = read(chunk).decode()
        except (ValueError, binascii.Error, OverflowError):
            continue
        if len(text) > 2 and sum(c.isprintable() or c.isspace() for c in text) == len(text):  # noqa: PLR2004  # no name is shorter
            yield text


_ALPHABET_58 = {c: i for i, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_MAX_58 = 200


def _base58(chunk: str) -> bytes:
    if len(chunk) > _MAX_58 or not all(c in _ALPHABET_58 for c in chunk):
        raise ValueError("not base58")
    number = 0
    for char in chunk:
        number = number * 58 + _ALPHABET_58[char]
    return number.to_bytes((number.bit_length() + 7) // 8)
