"""A text decoded: all its letters moved (reversed, shifted, Pig Latin), or parts encoded (base64, codes, Morse)."""

import base64
import binascii
import re
import string
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from selfplay.gate.text.alphabets import ATBASH, KEYS_LEFT, KEYS_RIGHT, MORSE, shift_table
from selfplay.gate.text.view import TextView, ViewPiece, copy_pieces
from selfplay.gate.text.words import is_english

_PIG = re.compile(
    r"(?<![A-Za-z])(?P<rest>[A-Za-z]{1,40}?)-?(?P<onset>(?:qu|[bcdfghjklmnpqrstvwxz]{1,4}|[wyh])?)ay(?![A-Za-z])"
)
_MIN_LETTERS = 4
"""Letters of the shortest name that is looked for in these forms; one more in the less usual forms."""


def undo_ciphers(view: TextView) -> Iterator[tuple[TextView, int]]:
    """Forms in which all letters are moved: reversed, shifted by some places, mirrored, on the neighbouring keys.

    With each, the letters of the shortest name that is worth looking for in it.
    """
    yield view.reverse(), _MIN_LETTERS
    yield TextView(view.original, _reverse_each_word(view)), _MIN_LETTERS
    yield TextView(view.original, _undo_pig_latin(view)), _MIN_LETTERS
    for first in (0, 1):
        yield TextView(view.original, _take_every_second_letter(view, first)), _MIN_LETTERS
    yield view.map_characters(shift_table(13)), _MIN_LETTERS
    yield view.map_characters(ATBASH), _MIN_LETTERS
    for by in range(1, 26):
        yield view.map_characters(shift_table(by)), _MIN_LETTERS + 1
    for keys in (KEYS_LEFT, KEYS_RIGHT):
        yield view.map_characters(keys), _MIN_LETTERS + 1


def _reverse_each_word(view: TextView) -> Iterator[ViewPiece]:
    """Each word turned round, all in their places."""
    end = 0
    for token in view.tokens:
        yield from copy_pieces(view, end, token.at)
        end = token.to
        yield from ((view.text[i], view.starts[i], view.ends[i]) for i in range(end - 1, token.at - 1, -1))
    yield from copy_pieces(view, end, len(view.text))


def _take_every_second_letter(view: TextView, first: int) -> Iterator[ViewPiece]:
    """Every second letter of each long word."""
    for token in view.tokens:
        if len(token.text) > 2 * (_MIN_LETTERS - 1):
            yield from ((view.text[i], view.starts[i], view.ends[i]) for i in range(token.at + first, token.to, 2))
            yield " ", token.end, token.end


def _undo_pig_latin(view: TextView) -> Iterator[ViewPiece]:
    """Each word as Pig Latin would have made it, with its consonants back at its front."""
    end = 0
    for match in _PIG.finditer(view.text):
        yield from copy_pieces(view, end, match.start())
        end = match.end()
        rest, onset = match.group("rest", "onset")
        word = rest if onset in {"w", "y", "h"} and rest[0] in "aeiou" else onset + rest
        yield from ((c, view.starts[match.start()], view.ends[end - 1]) for c in word)
    yield from copy_pieces(view, end, len(view.text))


_BASE = re.compile(r"(?<![A-Za-z0-9+/_=-])(?:[A-Za-z0-9+/_-]{4,}={0,6}|[A-Za-z0-9+/_-]{1,3}={1,2})")
_PRINTABLE_RUN = re.compile(r"[!-~]{6,}")
_CHUNKS = 8
_MAX_CHUNK = 4_000
_SEPARATOR = r"[\s,;:./|_-]*(?:\band\b)?[\s,;]*"
_CODES: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(rf"(?:(?<![\w])[01]{{7,8}}(?!\w){_SEPARATOR}){{3,}}"), 2),
    (re.compile(rf"(?:(?:0x|\\x|U\+(?:00)?|(?<![\w])(?:00)?)[0-9a-fA-F]{{2}}(?!\w){_SEPARATOR}){{3,}}"), 16),
    (re.compile(rf"(?:(?<![\w])(?:0o?)?[0-7]{{3}}(?!\w){_SEPARATOR}){{3,}}"), 8),
    (re.compile(rf"(?:(?<![\w])\d{{2,3}}(?!\w){_SEPARATOR}){{3,}}"), 10),
)
_ALPHABET_POSITIONS = re.compile(rf"(?:(?<!\w)\d{{1,2}}(?!\w){_SEPARATOR}){{4,}}")
_BITS = re.compile(r"(?<!\w)(?:[01]{8}){3,}(?!\w)")
_MORSE = re.compile(r"(?<![\w.…·•\-−–—])[.·•∙\-−–—]{1,5}(?:\s?[/|]?\s?[.·•∙\-−–—]{1,6}){2,}(?![\w])")
_LETTERS = re.compile(r"[A-Za-z] ?[A-Za-z]")
_ALPHABET = string.ascii_lowercase
_MAX_READINGS = 2_000
"""More than any hint needs; bounds the time for one made of nothing but codes."""
_MORSE_SIGNS = str.maketrans({"·": ".", "•": ".", "∙": ".", "−": "-", "–": "-", "—": "-"})


def decode_parts(view: TextView) -> TextView:
    """The encoded parts of the text, decoded, one after the other, each standing for its part of the original."""
    return TextView(view.original, _separate_parts(islice(_decode_each(view), _MAX_READINGS)))


def _separate_parts(readings: Iterable[tuple[str, int, int]]) -> Iterator[ViewPiece]:
    for text, start, end in readings:
        yield text, start, end
        # No name spans two readings: a number is part of none.
        yield " 0 ", start, end


def _decode_each(view: TextView) -> Iterator[ViewPiece]:
    for at, to, text in chain(
        _decode_bits(view),
        _decode_character_codes(view),
        _decode_alphabet_positions(view),
        _decode_morse(view),
        _decode_base_encodings(view),
    ):
        if _LETTERS.search(text):
            yield text, *view.original_span(at, to)


DecodedPart = tuple[int, int, str]
"""Start and end of an encoded part, and its decoded text; letters that were coded one by one stand apart, so that a
name is found among others that happen to stand beside it."""


def _decode_bits(view: TextView) -> Iterator[DecodedPart]:
    for match in _BITS.finditer(view.text):
        bits = match.group()
        yield *match.span(), bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).decode("latin-1")


def _decode_character_codes(view: TextView) -> Iterator[DecodedPart]:
    for pattern, base in _CODES:
        for match in pattern.finditer(view.text):
            numbers = [int(n, base) for n in _find_numerals(match.group(), base)]
            yield *match.span(), " ".join(chr(n) if 32 <= n < 127 else " " for n in numbers)  # noqa: PLR2004  # ASCII


def _decode_alphabet_positions(view: TextView) -> Iterator[DecodedPart]:
    """Letters by their place in the alphabet, counted from 1 or from 0."""
    for match in _ALPHABET_POSITIONS.finditer(view.text):
        numbers = [int(n) for n in re.findall(r"\d+", match.group())]
        for letters in (" " + _ALPHABET, _ALPHABET):
            yield *match.span(), " ".join(letters[n] if n < len(letters) else " " for n in numbers)


def _decode_morse(view: TextView) -> Iterator[DecodedPart]:
    for match in _MORSE.finditer(view.text):
        signs = re.split(r"[\s/|]+", match.group().translate(_MORSE_SIGNS))
        yield *match.span(), " ".join(MORSE.get(sign, " ") for sign in signs)


def _find_numerals(text: str, base: int) -> list[str]:
    if base == 16:  # noqa: PLR2004  # hexadecimal: the marks before the digits go
        return [n[-2:] for n in re.findall(r"(?:0x|\\x|U\+)?([0-9a-fA-F]{2,4})(?![0-9a-fA-F])", text)]
    return [n.lstrip("o") for n in re.findall(r"\d+", text)]


def _decode_base_encodings(view: TextView) -> Iterator[DecodedPart]:
    """Base64 and its kin; a long text may be broken into chunks."""
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
            for text in _decode_chunk(joined):
                yield first.start(), chunk.end(), text
    for match in _PRINTABLE_RUN.finditer(view.text):
        if len(match.group()) <= _MAX_CHUNK and not match.group().isalpha():
            bare = match.group().strip("`'\"")
            for chunk in dict.fromkeys((bare, bare.rstrip(".,:;!?)"), bare[:-1])):
                yield from (
                    (*match.span(), text) for text in _try_decoders(chunk, (base64.b85decode, base64.a85decode))
                )


def _decode_chunk(chunk: str) -> Iterator[str]:
    bare = chunk.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    yield from _try_decoders(padded, (base64.b64decode, base64.urlsafe_b64decode))
    yield from _try_decoders(bare.upper() + "=" * (-len(bare) % 8), (base64.b32decode,))
    yield from _try_decoders(bare, (bytes.fromhex, _decode_base58))


def _try_decoders(chunk: str, readers: tuple[Callable[[str], bytes], ...]) -> Iterator[str]:
    for read in readers:
        try:
            text = read(chunk).decode()
        except (ValueError, binascii.Error, OverflowError):
            continue
        if len(text) > 2 and sum(c.isprintable() or c.isspace() for c in text) == len(text):  # noqa: PLR2004  # no name is shorter
            yield text


_ALPHABET_58 = {c: i for i, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_MAX_58 = 200


def _decode_base58(chunk: str) -> bytes:
    if len(chunk) > _MAX_58 or not all(c in _ALPHABET_58 for c in chunk):
        raise ValueError("not base58")
    number = 0
    for char in chunk:
        number = number * 58 + _ALPHABET_58[char]
    return number.to_bytes((number.bit_length() + 7) // 8)
