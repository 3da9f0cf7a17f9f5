"""A text with all its letters moved: reversed, shifted, mirrored, parted, as in Pig Latin."""

import re
from collections.abc import Iterator

from selfplay.gate.text.alphabets import ATBASH, KEYS_LEFT, KEYS_RIGHT, shift_table
from selfplay.gate.text.view import TextView, ViewPiece, copy_pieces

_PIG = re.compile(
    r"(?<![A-Za-z])(?P<rest>[A-Za-z]{1,40}?)-?(?P<onset>(?:qu|[bcdfghjklmnpqrstvwxz]{1,4}|[wyh])?)ay(?![A-Za-z])"
)
_MIN_LETTERS = 4
"""Letters of the shortest name that is looked for in these forms; one more in the forms that are less at hand."""


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
