"""Does a text name something that only the targets hold: an identifier, a string literal?"""

from collections.abc import Iterator

from selfplay.gate.names import others_named
from selfplay.gate.naming import are_all_words, has_member_noun, is_introduced, is_quoted
from selfplay.gate.needles import Needle
from selfplay.gate.place import Mark, Place, Shape
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import View
from selfplay.gate.words import is_common_phrase, is_english
from selfplay.trace import Finding, FindingKind

_MIN_SPLIT = 5
_MIN_CAPITALS = 4
"""Letters up to which a word in capitals is an acronym rather than a constant."""
_PHRASE = 3
"""Words of an identifier that are taken as its name also when they stand apart."""


def definitions_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every identifier or literal of the targets alone that the player has not been shown."""
    tokens = view.tokens
    covered = list(others_named(view, secret))
    for match in secret.definitions.matches(tokens):
        place = Place(view, tokens, match)
        if any(at <= place.at and place.to <= to for at, to in covered):
            continue
        if _is_name(place, secret, shown) and is_secret(place, secret, shown):
            yield definition_finding(place)


def definition_finding(place: Place) -> Finding:
    """The finding for an identifier or literal that was met."""
    one = place.needle
    is_disguised = place.is_disguised or place.shape is Shape.SPLIT
    kind: FindingKind = "disguised" if is_disguised else one.kind
    where = ", ".join(sorted(one.targets))
    why = f"{one.written!r} stands only in {where} and was not shown to the player; describe what it is for instead"
    start, end = place.span
    return Finding(kind=kind, text=place.view.original[start:end], span=(start, end), why=why)


def is_secret(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether neither the task, nor what was shown, nor another file holds the name in the form of the hint."""
    one = place.needle
    return not any(_knows(seen, place) for seen in (shown, secret.told)) and not _is_elsewhere(place, one, secret)


def _knows(seen: Seen, place: Place) -> bool:
    one = place.needle
    if place.shape in {Shape.SPACED, Shape.HYPHEN} or len(one.words) == 1:
        return seen.has_phrase(one.words) or one.compact in seen.compacts
    return one.compact in seen.compacts or (one.kind == "literal" and seen.has_phrase(one.words))


def _is_elsewhere(place: Place, one: Needle, secret: Secret) -> bool:
    if one.compact in secret.symbols:
        return False
    if not secret.elsewhere.is_known:
        return False
    others = secret.elsewhere
    has = others.has_token if one.kind == "identifier" else others.has_text
    raw = place.raw
    if _has_its_underscores(place):
        return has(one.written)
    if has(one.written) or (raw.lower() != one.written.lower() and place.shape is not Shape.SPLIT and has(raw)):
        return True
    if len(one.words) == 1:
        return others.has_word(one.compact)
    return place.shape in {Shape.SPACED, Shape.HYPHEN} and others.has_words(one.words)


def _is_name(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether the words are used as the name, and not as the ordinary words that they may be."""
    one = place.needle
    if place.is_part:
        return False
    if place.shape is Shape.SPLIT:
        return len(one.compact) >= _MIN_SPLIT and not are_all_words(place) and _is_odd(one)
    if place.is_disguised and len(one.compact) >= _MIN_SPLIT:
        return not is_english(one.compact) or _is_marked(place)
    if len(one.words) == 1 or place.shape is Shape.ONE:
        return _is_single_named(place, secret) or _is_marked(place)
    if place.shape is Shape.TIED and ("_" in place.raw or one.kind == "literal"):
        return True
    is_hyphened = place.shape is Shape.HYPHEN and _is_hyphened_name(place)
    return is_hyphened or _is_marked(place) or _is_phrase(place, secret, shown)


def _is_hyphened_name(place: Place) -> bool:
    """`max-age` with a part that is no word, `Retry-After` exactly as written."""
    one = place.needle
    is_as_written = place.raw == one.written and any(c.isupper() for c in place.raw[1:])
    return is_as_written or not all(map(is_english, one.words))


def _is_phrase(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether words side by side are too many, or too rare, to stand so by chance."""
    one = place.needle
    if place.shape is Shape.TIED or not secret.elsewhere.is_known or is_common_phrase(one.words):
        return False
    return len(one.words) >= _PHRASE or any(_is_rare(word, secret, shown) for word in one.words)


def _is_rare(word: str, secret: Secret, shown: Seen) -> bool:
    """Whether a word stands in the targets alone."""
    knows = shown.has_phrase((word,)) or secret.told.has_phrase((word,))
    return len(word) > 2 and not knows and not secret.elsewhere.has_word(word)  # noqa: PLR2004  # `of`, `to`


def _is_single_named(place: Place, secret: Secret) -> bool:
    """Whether one word can only be the name: no ordinary word, or written as constants and camel-case names are."""
    one = place.needle
    word = place.raw.lower()
    if one.compact.isdigit() or _has_its_underscores(place):
        return True
    if is_english(word):
        is_constant = place.raw == one.written and place.raw.isupper() and len(word) > _MIN_CAPITALS
        is_camel = len(one.words) > 1 and any(c.isupper() for c in place.raw[1:]) and not place.raw.isupper()
        return is_constant or is_camel
    if len(one.words) > 1:
        return True
    # Without the repository nobody knows whether a word that is not English stands elsewhere too.
    return one.kind == "identifier" and (secret.elsewhere.is_known or one.compact in secret.symbols)


def _has_its_underscores(place: Place) -> bool:
    """Whether a name that begins with an underscore stands there with it: `_incoming` is no English word."""
    return place.needle.written.startswith("_") and place.view.text.endswith(place.needle.written, 0, place.to)


def _is_marked(place: Place) -> bool:
    if place.mark is Mark.QUOTES:
        return is_quoted(place, lambda _: False)
    is_qualified = place.is_dotted and (place.char(-1) == "." or place.char(-1) == ":")
    is_wanted = place.ends_clause and len(place.before) > 1 and place.before[0] == "for"
    if is_wanted and place.before[1] in {"search", "grep", "query", "searching", "grepping"}:
        return True
    return place.is_called or is_qualified or is_introduced(place) or has_member_noun(place)


def _is_odd(one: Needle) -> bool:
    """Whether an identifier is more than an ordinary word whose letters may fall together by chance."""
    return len(one.words) > 1 or not is_english(one.compact)
