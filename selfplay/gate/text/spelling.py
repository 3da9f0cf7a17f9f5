"""Letters and pieces of names that a text says one by one, put together."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from selfplay.gate.text.alphabets import FILLERS, SPOKEN_LETTERS
from selfplay.gate.text.view import TextToken, TextView, ViewPiece, copy_pieces
from selfplay.gate.text.words import is_english

_FRAGMENT = re.compile(r"[\"'`“‘*]{1,3}([^\W_]{1,30})[\"'`”’*]|[^\W_]+")
MIN_RUN = 3
"""Letters in a row that may be a name."""
_LIKE = frozenset({"as", "in", "for", "like"})


def read_spelled_runs(tokens: Sequence[TextToken], view: TextView) -> Iterator[TextView]:
    """Letters said one by one, as letters, in the radio alphabet or by their names; little words between them aside."""
    for run in _group_letters(tokens):
        letters = [(token, letter) for token, letter in run if letter]
        if len(letters) >= MIN_RUN:
            pieces = (((letter, t.start, t.end), (" ", t.end, t.end)) for t, letter in letters)
            yield TextView(view.original, chain.from_iterable(pieces))


def join_spelled_letters(tokens: Sequence[TextToken]) -> Iterator[ViewPiece]:
    """The text with spelled letters put together to words, and without the little words."""
    for run in _group_letters(tokens):
        is_word = len(run) >= MIN_RUN
        for token, letter in run:
            yield (letter if is_word else token.text), token.start, token.end
            if not is_word:
                yield " ", token.end, token.end
        if is_word:
            yield " ", run[-1][0].end, run[-1][0].end


def _group_letters(tokens: Sequence[TextToken]) -> Iterator[list[tuple[TextToken, str]]]:
    """Words that are said for letters, in runs, each with its letter; any other word by itself, with none."""
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
    """Quoted pieces and pieces that are no words, one after the other, whatever little words stand between them."""
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
