"""Does a text name a target in another form: escaped, in look-alike letters, reversed, shifted, spelled, encoded?"""

import re
from collections.abc import Callable, Iterator

from selfplay.core.trace import HintFinding
from selfplay.gate.checks.definitions import find_definitions, is_only_in_targets, make_definition_finding
from selfplay.gate.checks.names import find_names, make_name_finding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.codes import decode_parts, undo_ciphers
from selfplay.gate.text.forbidden_names import ForbiddenName
from selfplay.gate.text.letters import (
    MIN_RUN,
    join_fragments,
    join_spelled_letters,
    read_escapes_and_spoken_signs,
    read_spelled_runs,
    read_substituted_letters,
)
from selfplay.gate.text.mention import NameMention, NameShape
from selfplay.gate.text.view import TextView, ViewPiece, copy_pieces
from selfplay.gate.text.words import is_english

_MIN_STEM = 4
_MIN_SHIFTED = 5

AcceptMention = Callable[[NameMention], bool]
"""Whether a name that stands in another form of the text is no accident."""


def find_disguises(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every name or definition of a target in another form than plain text."""
    for plain in read_escapes_and_spoken_signs(view):
        yield from find_names(plain, guard, shown)
        yield from find_definitions(plain, guard, shown)
    for reading in read_substituted_letters(view):
        yield from find_in_disguised_text(reading, guard, shown, accept=_is_disguised)
    for reading, minimum in undo_ciphers(TextView(view.original, _select_odd_parts(view))):
        yield from find_in_disguised_text(reading, guard, shown, accept=_accept_odd_words(minimum))
    for reading in read_spelled_runs(view.tokens, view):
        yield from find_in_disguised_text(reading, guard, shown, accept=_is_long_spelled)
        yield from find_in_disguised_text(reading.reverse(), guard, shown, accept=_is_long_spelled)
    yield from find_in_disguised_text(
        TextView(view.original, join_spelled_letters(view.tokens)), guard, shown, accept=_is_partly_spelled
    )
    yield from find_in_disguised_text(
        TextView(view.original, join_fragments(view)), guard, shown, accept=_is_joined_from_pieces
    )
    once = decode_parts(view)
    for reading in (once, decode_parts(once), *(moved for moved, _ in undo_ciphers(once))) if once.text else ():
        yield from find_in_disguised_text(reading, guard, shown, accept=_has_min_letters)


def find_in_disguised_text(
    view: TextView, guard: Guard, shown: ShownText, *, accept: AcceptMention
) -> Iterator[HintFinding]:
    """Names and definitions in a text that is no plain prose, where the words alone reveal them."""
    tokens = view.tokens
    for match in guard.names.find_matches(tokens):
        mention = NameMention(view, tokens, match)
        if (
            _is_long_enough(match.name)
            and not mention.is_part_of_word
            and accept(mention)
            and not guard.is_permitted(match.name, shown)
        ):
            yield make_name_finding(mention, "disguised").model_copy(update={"kind": "disguised"})
    for match in guard.definitions.find_matches(tokens):
        mention = NameMention(view, tokens, match)
        name = match.name
        is_odd = len(name.compact) > _MIN_SHIFTED and (len(name.words) > 1 or not is_english(name.compact))
        if is_odd and not mention.is_part_of_word and accept(mention) and is_only_in_targets(mention, guard, shown):
            yield make_definition_finding(mention).model_copy(update={"kind": "disguised"})


def _select_odd_parts(view: TextView) -> Iterator[ViewPiece]:
    """What stands between blanks and holds a word that is not English: only there a disguised name can be."""
    for match in re.finditer(r"\S+", view.text):
        if not all(is_english(word) for word in re.findall(r"[^\W_]+", match.group().lower())):
            yield from copy_pieces(view, *match.span())
            yield " ", view.ends[match.end() - 1], view.ends[match.end() - 1]


def _is_long_enough(name: ForbiddenName) -> bool:
    if name.is_generic:
        return False
    return len(name.compact) >= (_MIN_STEM if name.kind in {"stem", "directory"} else MIN_RUN)


def _has_min_letters(mention: NameMention) -> bool:
    return len(mention.name.compact) >= MIN_RUN


def _is_disguised(mention: NameMention) -> bool:
    return mention.is_disguised


def _is_long_spelled(mention: NameMention) -> bool:
    """Whether the letters of a short name stand alone: a few of them come together by chance in longer runs."""
    return len(mention.name.compact) >= _MIN_STEM or len(mention.tokens) == len(mention.name.compact)


def _accept_odd_words(minimum: int) -> AcceptMention:
    def accept(mention: NameMention) -> bool:
        words = re.findall(r"[^\W_]+", mention.original.lower())
        is_long = len(mention.name.compact) >= minimum and mention.is_disguised
        return is_long and any(not is_english(word) for word in words)

    return accept


def _is_partly_spelled(mention: NameMention) -> bool:
    """Whether some of the words were spelled, and the others follow as they are."""
    return mention.shape is NameShape.SPACED and mention.is_disguised and len(mention.name.compact) > _MIN_SHIFTED


def _is_joined_from_pieces(mention: NameMention) -> bool:
    """Whether a name was cut inside a word, into pieces that do not stand side by side."""
    return mention.shape is NameShape.SPLIT and len(mention.name.compact) >= _MIN_STEM and "\n" not in mention.raw
