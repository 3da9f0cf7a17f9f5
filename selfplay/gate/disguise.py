"""Does a text name a target in another form: escaped, in look-alike letters, reversed, shifted, spelled, encoded?"""

import re
from collections.abc import Callable, Iterator

from selfplay.gate.decode import decoded
from selfplay.gate.definitions import definition_finding, definitions_in, is_secret
from selfplay.gate.names import name_finding, names_in
from selfplay.gate.needles import Needle
from selfplay.gate.place import Place, Shape
from selfplay.gate.readings import letter_readings, plain_readings
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.spelled import MIN_RUN, fragments, half_spelled, spelled
from selfplay.gate.text import Piece, View, copied
from selfplay.gate.turned import turned
from selfplay.gate.words import is_english
from selfplay.trace import Finding

_MIN_STEM = 4
_MIN_SHIFTED = 5

Accept = Callable[[Place], bool]
"""Whether a name that was met in another form of the text is no accident."""


def disguises_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every name or definition of a target in another form than plain text."""
    for plain in plain_readings(view):
        yield from names_in(plain, secret, shown)
        yield from definitions_in(plain, secret, shown)
    for reading in letter_readings(view):
        yield from strictly(reading, secret, shown, accept=_is_disguised)
    for reading, minimum in turned(View(view.original, _odd_parts(view))):
        yield from strictly(reading, secret, shown, accept=_is_odd_word(minimum))
    for reading in spelled(view.tokens, view):
        yield from strictly(reading, secret, shown, accept=_is_long_spelled)
        yield from strictly(reading.reversed(), secret, shown, accept=_is_long_spelled)
    yield from strictly(View(view.original, half_spelled(view.tokens)), secret, shown, accept=_is_partly_spelled)
    yield from strictly(View(view.original, fragments(view)), secret, shown, accept=_is_put_together)
    once = decoded(view)
    for reading in (once, decoded(once), *(moved for moved, _ in turned(once))) if once.text else ():
        yield from strictly(reading, secret, shown, accept=_anything)


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


def _odd_parts(view: View) -> Iterator[Piece]:
    """What stands between blanks and holds a word that is not English: only there a turned name can be."""
    for match in re.finditer(r"\S+", view.text):
        if not all(is_english(word) for word in re.findall(r"[^\W_]+", match.group().lower())):
            yield from copied(view, *match.span())
            yield " ", view.ends[match.end() - 1], view.ends[match.end() - 1]


def _counts(one: Needle) -> bool:
    if one.is_generic:
        return False
    return len(one.compact) >= (_MIN_STEM if one.kind in {"stem", "directory"} else MIN_RUN)


def _anything(place: Place) -> bool:
    return len(place.needle.compact) >= MIN_RUN


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


def _is_partly_spelled(place: Place) -> bool:
    """Whether some of the words were spelled, and the others follow as they are."""
    return place.shape is Shape.SPACED and place.is_disguised and len(place.needle.compact) > _MIN_SHIFTED


def _is_put_together(place: Place) -> bool:
    """Whether a name was cut inside a word, into pieces that do not stand side by side."""
    return place.shape is Shape.SPLIT and len(place.needle.compact) >= _MIN_STEM and "\n" not in place.raw
